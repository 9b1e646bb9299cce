#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# flownerd in namespaces of its own, as in a container that was given too little: it says so at its
# start and in doctor, in a line for each; what it says is lost is lost, and nothing else.
. "$(dirname "$0")/lib.sh"

isolated() { # UNSHARE OPTIONS...: a daemon there; ended by its own death, not by unshare's
	unshare "$@" "$BUILD/flownerd" --socket "$SOCK" --pin-dir "$PINS" --cgroup "$CGROUP" \
		--policy-dir "$T/policy.d" 2>"$T/said" &
	DAEMON=$!
	DAEMONS+=("$DAEMON")
	eventually 30 answers_or_dead
}

# `unshare --fork` does not pass signals on
stop_isolated() {
	local child
	child=$(pgrep -P "$DAEMON" -x flownerd || true)
	kill "${child:-$DAEMON}"
	eventually 20 gone "${child:-$DAEMON}"
	wait "$DAEMON" || fail "it ended with $?: $(<"$T/said")"
	forget_daemon
}

lines_of() { # WORD
	grep "$1" "$T/said" || true
}

says() { # REGEX [WORD]: once at the start, and as a note; WORD is in no other line
	local word=${2:-private}
	matches "what it says at its start" "$(lines_of "$word")" "^flownerd: $1[^"$'\n'"]*$"
	matches "what doctor says" "$(flowner doctor | grep "$word")" "^note: $1[^"$'\n'"]*$"
}

new_session() { # what is made now has its owner everywhere
	tell client connect tcp 127.0.0.1 18081
	same "a new session" "$(flowner show -j "${R[2]}" |
		jq -r '"\(.flowner.role) \(.process.pid) \(.process.name)"')" \
		"opener ${ACTOR_PID[client]} actor"
}

owner() { flowner show -j "$1" | jq -r '.process.pid // "none"'; } # ID

actor host
tell host listen tcp 127.0.0.1 0
here=${R[2]}
own_netns
actor server
actor client
tell server uid 65534
tell server listen tcp 127.0.0.1 18081
listener=${R[2]}

isolated --cgroup
same "what is private in a cgroup namespace" "$(lines_of private)" ''
stop_isolated

isolated --net
same "private, and no loss where it may enter others" "$(lines_of private)" ''
same "who listens" "$(owner "$listener")" "${ACTOR_PID[server]}"
new_session
stop_isolated

isolated --pid --fork --kill-child=SIGTERM --mount-proc
says 'in a private pid namespace: .*; run with --pid=host'
same "who listens, in the daemon's network namespace" "$(owner "$here")" none
same "who holds it" "$(flowner show -j "$here" | jq -c '.flowner | has("holders")')" false
exits 1 flowner show "$listener"
new_session
stop_isolated

isolated --mount sh -c 'mount -t proc -o subset=pid proc /proc && exec "$@"' sh
says '/proc has processes and nothing else: .*; mount it without subset=pid' 'nothing else'
same "who listens" "$(owner "$listener")" "${ACTOR_PID[server]}"
new_session
stop_isolated

# without CAP_SYS_ADMIN nobody enters another namespace
setpriv --no-new-privs true || skip "setpriv cannot do that here"
isolated --net setpriv --bounding-set -sys_admin --inh-caps -sys_admin
says 'in a private network namespace: .*; run with --network=host'
same "who listens" "$(owner "$listener")" "${ACTOR_PID[server]}"
new_session
refuses 4 'cannot enter the network namespace' flowner abort "$listener"
stop_isolated

isolated --net setpriv --bounding-set -sys_ptrace --inh-caps -sys_ptrace
says 'without CAP_SYS_PTRACE: .*; run with it' CAP_SYS_PTRACE
same "the executable of another user's process" \
	"$(flowner show -j "$listener" | jq -r '.process.executable // "none"')" none
same "who listens" "$(owner "$listener")" "${ACTOR_PID[server]}"
new_session
stop_isolated
