#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A policy's life in the daemon: load, show, try, confirm, clear, cut, save, policy.d at start and
# on SIGHUP. What is refused leaves all as it was.
# timeout: 180
. "$(dirname "$0")/lib.sh"

policy() { # MODE NAME PORT: who connects to PORT is rejected
	cat <<-END >"$T/$2.yaml"
		mode: $1
		rules:
		  - name: $2
		    hooks: [connect]
		    remote: {port: $3}
		    verdict: reject
	END
}

answer() { # NAME COMMAND...: as `try`, in one line
	try "$@"
	echo "${R[*]}"
}

in_force() { flowner policy show -j | jq -r '.rules[0].name // "none"'; }
is_in_force() { [[ $(in_force) == "$1" ]]; }

lets_in() { # PORT
	matches "connect to $1" "$(answer client connect tcp 127.0.0.1 "$1")" '^ok '
}

rejects() { # PORT
	matches "connect to $1" "$(answer client connect tcp 127.0.0.1 "$1")" \
		'^error (Permission denied|Operation not permitted)$'
}

counts() { api /metrics | grep -qxF "$1"; } # SAMPLE

start_daemon
own_netns
actor server
actor client
tell server listen tcp 127.0.0.1 7001
tell server listen tcp 127.0.0.1 7002
policy enforce one 7001
policy enforce two 7002
policy audit audited 7001

# --- load, show, clear ---

exits 0 flowner policy show
same "what is shown without a policy" "$(<"$T/out")" 'no policy is loaded'
exits 0 flowner policy load "$T/one.yaml"
matches "what load says" "$(<"$T/out")" '1 rules in force, mode enforce'
rejects 7001
lets_in 7002
exits 0 flowner policy show
matches "what is shown" "$(<"$T/out")" 'one +connect +reject +enforce +1 '
exits 0 flowner policy load "$T/two.yaml"
lets_in 7001
rejects 7002
exits 0 flowner policy load "$T/one.yaml" "$T/two.yaml"
rejects 7001
rejects 7002
eventually 10 counts 'flowner_verdicts_total{hook="connect",verdict="reject",enforced="true"} 4'
matches "doctor" "$(flowner doctor)" 'policy: connect by cgroup/connect'
exits 0 flowner policy clear
lets_in 7001
refuses 1 'no policy is on trial' flowner policy confirm

# --- what is refused changes nothing ---

exits 0 flowner policy load "$T/one.yaml"
echo 'rules: [' >"$T/broken.yaml"
refuses 4 "$T/broken.yaml:" flowner policy load "$T/broken.yaml"
refuses 4 "cannot read '$T/nothing.yaml'" flowner policy load "$T/nothing.yaml"
refuses 2 "try: '5' is not possible" flowner policy load "$T/two.yaml" --try 5
refuses 2 'what is on trial is not saved' flowner policy load "$T/two.yaml" --try 5s --save
refuses 4 'a trial cuts nothing' flowner policy load "$T/two.yaml" --try 5s --cut
same "a body that is too long" "$(head -c 9000000 /dev/zero |
	api /v1/policy -T - -o /dev/null -w '%{http_code}')" 413
same "an empty body" "$(api /v1/policy -X PUT -o /dev/null -w '%{http_code}')" 400
same "files longer than the body" \
	"$(api '/v1/policy?file=99:x' -X PUT -d 'mode: audit' -o /dev/null -w '%{http_code}')" 400
chmod 711 "$T" # others must reach the socket
for what in '-X PUT -d rules:' '-X DELETE' -G; do
	# shellcheck disable=SC2086 # words
	same "$what of another user" "$(setpriv --reuid 65534 --clear-groups \
		curl -sS --max-time 20 --unix-socket "$SOCK" -o /dev/null -w '%{http_code}' \
		$what http://flowner/v1/policy)" 403
done
same "in force" "$(in_force)" one

# --- trials ---

exits 0 flowner policy load "$T/two.yaml" --try 300ms
matches "what load says" "$(<"$T/out")" 'on trial until'
eventually 10 is_in_force one
rejects 7001
lets_in 7002
exits 0 flowner policy load "$T/two.yaml" --try 60s
exits 0 flowner policy confirm
same "in force" "$(in_force)" two
same "on trial" "$(flowner policy show -j | jq .trial_ends)" null

# --- what lives ---

exits 0 flowner policy clear
tell client connect tcp 127.0.0.1 7001
fd=${R[0]}
exits 0 flowner policy load "$T/one.yaml"
matches "what load says of it" "$(<"$T/out")" '[1-9] live listeners and sessions would not be'
same "it lives" "$(answer client send "$fd")" ok
exits 0 flowner policy load "$T/audited.yaml" --cut
same "what audit cuts" "$(grep -c cut "$T/out" || true)" 0
exits 0 flowner policy load "$T/one.yaml" --cut
matches "what load says of it" "$(<"$T/out")" '[1-9][0-9]* live listeners and sessions cut, 0 left'
same "it is cut" "$(answer client recv "$fd")" 'error Software caused connection abort'

# --- policy.d ---

exits 0 flowner policy load "$T/two.yaml" --save
same "saved" "$(cat "$T"/policy.d/*.yaml)" "$(<"$T/two.yaml")"
stop_daemon
lets_in 7002
start_daemon
same "in force after a restart" "$(in_force)" two
rejects 7002
exits 0 flowner policy load "$T/one.yaml" --save
same "saved" "$(cat "$T"/policy.d/*.yaml)" "$(<"$T/one.yaml")"
same "what was saved before" "$(cat "$T"/policy.d.[0-9]*/*.yaml)" "$(<"$T/two.yaml")"
# what is saved is what was loaded, also of what cannot be read twice and of a hidden file
exits 0 flowner policy load /dev/stdin --save <"$T/two.yaml"
same "saved from a pipe" "$(cat "$T"/policy.d/*.yaml)" "$(<"$T/two.yaml")"
cp "$T/one.yaml" "$T/.hidden.yaml"
exits 0 flowner policy load "$T/.hidden.yaml" --save
same "saved of a hidden file" "$(cat "$T"/policy.d/*.yaml)" "$(<"$T/one.yaml")"
exits 0 flowner policy load "$T/one.yaml" --save
stop_daemon
cd "$T"
start_daemon --policy-dir policy.d//
exits 0 flowner policy load "$T/two.yaml"
cd /
exits 0 flowner policy load "$T/one.yaml" --save
same "saved where the slashes were" "$(cat "$T"/policy.d/*.yaml)" "$(<"$T/one.yaml")"
cd "$TREE"
stop_daemon
start_daemon
same "in force after a restart" "$(in_force)" one
cp "$T/two.yaml" "$T/policy.d/one.yaml"
kill -HUP "$DAEMON"
eventually 10 is_in_force two
cp "$T/broken.yaml" "$T/policy.d/"
kill -HUP "$DAEMON"
eventually 10 grep -q "$T/policy.d/broken.yaml:" "$T/flownerd.log"
same "in force after a broken one" "$(in_force)" two
stop_daemon

# in doubt nothing runs that should have been confined; what cannot be enforced stops nobody
exits 1 in_cgroup "$BUILD/flownerd" --socket "$SOCK" --pin-dir "$PINS" --cgroup "$CGROUP" \
	--policy-dir "$T/policy.d"
matches "why it does not start" "$(<"$T/err")" "policy.d/broken.yaml:"
rm "$T"/policy.d/one.yaml
start_daemon
matches "what it says" "$(<"$T/flownerd.log")" 'without a policy: .*broken.yaml'
same "in force" "$(in_force)" none
