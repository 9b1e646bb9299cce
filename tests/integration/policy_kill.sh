#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The daemon is killed while a policy is in force: nobody gets through meanwhile, nor while the next
# one takes over, which shows the same policy with the hits that came in between. A trial ends also
# when nobody was there at its end. A start that fails leaves what it found.
# timeout: 180
. "$(dirname "$0")/lib.sh"

policy() { # NAME PORT: who connects to PORT is rejected
	cat <<-END >"$T/$1.yaml"
		mode: enforce
		rules:
		  - name: $1
		    hooks: [connect]
		    remote: {port: $2}
		    verdict: reject
		  - name: late
		    hooks: [listen]
		    local: {port: 7009}
		    verdict: reject
		    allow_async: true
	END
}

answer() { # NAME COMMAND...: as `try`, in one line
	try "$@"
	echo "${R[*]}"
}

lets_in() { # PORT
	matches "connect to $1" "$(answer client connect tcp 127.0.0.1 "$1")" '^ok '
}

rejects() { # PORT
	matches "connect to $1" "$(answer client connect tcp 127.0.0.1 "$1")" \
		'^error (Permission denied|Operation not permitted)$'
}

in_force() { flowner policy show -j | jq -r '.rules[0].name // "none"'; }
hits() { flowner policy show -j | jq '.rules[0].hits'; }
ends() { flowner policy show -j | jq -r .trial_ends; }
past() { [[ $(date -u +%FT%TZ) > ${1%%.*}Z ]]; } # TIME: to the second, and one more

# A daemon that is killed in the middle of a short trial, of which `until` is the end.
killed_on_trial() { # POLICY
	for _ in {1..5}; do
		exits 0 flowner policy load "$T/$1.yaml" --try "$((3 * TEST_SLOW))s"
		until=$(ends)
		kill_daemon
		[[ $until == null ]] || past "$until" || return 0
		start_daemon # this machine was too slow
	done
	fail "no trial lasts until it is asked for"
}

start_daemon
own_netns
in_netns sysctl -qw net.ipv4.tcp_syn_retries=1
actor server
actor client
tell server listen tcp 127.0.0.1 7001
tell server listen tcp 127.0.0.1 7002
policy one 7001
policy two 7002

# --- killed, and another ---

exits 0 flowner policy load "$T/one.yaml"
since=$(flowner policy show -j | jq -r .since)
way=$(flowner policy show -j |
	jq -r '.ways[] | select(.hook == "listen" and .status == "on") | .late')
rejects 7001
same "hits" "$(hits)" 1
kill_daemon
rejects 7001
lets_in 7002
if [[ $way == true ]]; then
	tell server listen tcp 127.0.0.1 7009
	late=${R[0]}
	same "a client of who should not listen" \
		"$(answer client connect tcp 127.0.0.1 7009)" 'error Connection timed out'
else
	matches "listen" "$(answer server listen tcp 127.0.0.1 7009)" '^error Permission denied'
fi
hammer 7001
start_daemon
same "in force" "$(in_force)" one
hammered
rejects 7001
same "hits" "$(hits)" "$((TRIED + 3))"
[[ $way != true ]] || same "accept of who should not listen" "$(answer server accept "$late")" \
	'error Invalid argument'
same "since" "$(flowner policy show -j | jq -r '.since[:19]')" "${since:0:19}"
lets_in 7002

# what it says comes by the new one
FLOWNER_SOCKET=$SOCK "$BUILD/flowner" watch -j >"$T/events" 2>/dev/null &
watcher=$!
watched() { (($(flowner stats -j | jq .streams.open) > 0)); }
eventually 10 watched
rejects 7001
told() { jq -r 'select(.event.action == "verdict").rule.name' "$T/events" | grep -qx one; }
eventually 20 told
terminate "$watcher"

# twice in a row
kill_daemon
start_daemon
kill_daemon
rejects 7001
mv "$PINS/policy/links/verdict_connect4" "$PINS/policy/links/verdict_connect4-new" # just then
first=$TRIED
hammer 7001
start_daemon
hammered
same "hits" "$(hits)" "$((first + TRIED + 5))"
exits 0 flowner policy load "$T/two.yaml"
rejects 7002
lets_in 7001
same "hits of another policy" "$(hits)" 1
exits 0 flowner policy clear
lets_in 7002
[[ ! -e $PINS/policy ]] || fail "pins of the policy are left: $(ls -R "$PINS/policy")"

# --- on trial ---

exits 0 flowner policy load "$T/one.yaml"
rejects 7001
exits 0 flowner policy load "$T/two.yaml" --try 600s
until=$(ends)
kill_daemon
rejects 7002
start_daemon
same "in force" "$(in_force)" two
same "until" "$(ends | cut -c 1-19)" "${until:0:19}"
killed_on_trial one # what was before stays that
rejects 7001
eventually 10 past "$until"
rejects 7001 # until there is somebody to take it back
start_daemon
matches "what it says" "$(<"$T/flownerd.log")" \
	'nobody confirmed the policy in time: what was before'
same "in force" "$(in_force)" one
same "on trial" "$(ends)" null
same "hits" "$(hits)" 1
exits 0 flowner policy clear
killed_on_trial two
eventually 10 past "$until"
start_daemon
same "in force" "$(in_force)" none
lets_in 7002
exits 0 flowner policy load "$T/two.yaml" --try 600s
exits 0 flowner policy confirm
kill_daemon
start_daemon
same "on trial" "$(ends)" null
rejects 7002

# --- a start that fails: after it took the policy up, at a map of others, at another layout ---

does_not_start() { # REGEX [NAME=VALUE...]: why, and with that in its environment
	exits 1 in_cgroup env "${@:2}" "$BUILD/flownerd" --socket "$SOCK" --pin-dir "$PINS" \
		--cgroup "$CGROUP" --policy-dir "$T/policy.d"
	matches "why it does not start" "$(tail -n 1 "$T/err")" "$1"
}
walks_not() {
	does_not_start 'cannot walk the open sockets' REFUSE_WALK=1 \
		"LD_PRELOAD=$BUILD/tests/refuse.so" \
		"ASAN_OPTIONS=${ASAN_OPTIONS:-}:verify_asan_link_order=0"
}

exits 0 flowner policy load "$T/one.yaml" --try 600s # none of it is in policy.d
until=$(ends)
kill_daemon
walks_not
rejects 7001
lets_in 7002
start_daemon
same "in force" "$(in_force)" one
same "until" "$(ends | cut -c 1-19)" "${until:0:19}"
rejects 7001
exits 0 flowner policy load "$T/two.yaml"
kill_daemon
rm "$PINS/policy/policy_values"
bpftool map create "$PINS/policy/policy_values" type array key 4 value 4 entries 1 name foreign
does_not_start "cannot load the programs of the policy at '$PINS/policy': Invalid argument"
rejects 7002
bytes=$(bpftool map show pinned "$PINS/policy/policy_kept" -j | jq .bytes_value)
# shellcheck disable=SC2046 # words
bpftool map update pinned "$PINS/policy/policy_kept" key 0 0 0 0 value $(yes 1 | head -n "$bytes")
does_not_start "another layout.*flownerd --detach"
rejects 7002
mine=$(objects_of_pins)
exits 0 "$BUILD/flownerd" --detach --pin-dir "$PINS"
lets_in 7002
[[ ! -e $PINS ]] || fail "pins are left: $(ls -R "$PINS")"
eventually 10 freed "$mine"
walks_not # and leaves nothing where it found nothing
[[ ! -e $PINS ]] || fail "pins are left: $(ls -R "$PINS")"

# --- told to stop ---

start_daemon
exits 0 flowner policy load "$T/one.yaml"
rejects 7001
mine=$(objects_of_pins)
stop_daemon
lets_in 7001
[[ ! -e $PINS ]] || fail "pins are left: $(ls -R "$PINS")"
eventually 10 freed "$mine"
printf 'on_stop: keep\n' >"$T/keep"
start_daemon --config "$T/keep"
exits 0 flowner policy load "$T/one.yaml"
stop_daemon
rejects 7001
start_daemon
same "in force" "$(in_force)" one
rejects 7001
