#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# `port_in_use_by_other`: which listen() finds another process at its port, as a rule's attribute
# and in the event. What is in use by whom is made here, one listener after the other: addresses of
# both families in both orders, shared, closed, killed, older than the daemon, and after a daemon
# that was killed. In audit, so that nothing depends on how this kernel denies; then enforced.
# timeout: 300
. "$(dirname "$0")/lib.sh"

# Who is there first, who comes, and whether the one is in the other's way.
TABLE='
   127.0.0.1         127.0.0.1         true
   127.0.0.1         127.0.0.2         false
   127.0.0.1         0.0.0.0           true
   0.0.0.0           127.0.0.1         true
   0.0.0.0           0.0.0.0           true
   ::1               ::1               true
   ::1               ::                true
   ::                ::1               true
   ::1               0.0.0.0           false
   0.0.0.0           ::1               false
   127.0.0.1         ::                true
   ::                127.0.0.1         true
   0.0.0.0           ::                true
   ::                0.0.0.0           true
   ::                ::                true
   127.0.0.1         ::/only           false
   ::/only           127.0.0.1         false
   0.0.0.0           ::/only           false
   ::/only           0.0.0.0           false
   ::/only           ::1               true
   ::ffff:127.0.0.1  127.0.0.1         true
   0.0.0.0           ::ffff:127.0.0.1  true
'

policy() { # MODE
	cat <<-END >"$T/policy.yaml"
		mode: $1
		rules:
		  - {name: taken, hooks: listen, port_in_use_by_other: true, verdict: reject,
		     allow_async: true}
		  - {name: free, hooks: listen, port_in_use_by_other: false, verdict: reject,
		     mode: audit, allow_async: true}
	END
	exits 0 flowner policy load "$T/policy.yaml"
}

watched() { (($(flowner stats -j | jq .streams.open) > 0)); }

watch() {
	FLOWNER_SOCKET=$SOCK "$BUILD/flowner" watch -j >>"$T/events" 2>"$T/watch.err" &
	WATCH=$!
	eventually 10 watched
}

# --- one listener: FD and ID are its own ---

PORT=7000

prepare() { # NAME ADDRESS[/only]
	local family=4 options=share address=${2%/only}
	[[ $address != *:* ]] || family=6
	[[ $2 == "$address" ]] || options+=' v6only'
	tell "$1" socket tcp "$family" "$options"
	FD=${R[0]} ID=${R[2]}
	tell "$1" bind "$FD" "$address" "$PORT"
}

begin() { # NAME ADDRESS[/only]
	prepare "$@"
	tell "$1" begin "$FD"
}

said() { # by the rule that has matched, and by the event's own field
	jq -r --arg id "$ID" --argjson pid "$1" 'select(.event.action == "verdict" and
		.flowner.flow_id == $id and .process.pid == $pid) |
		"\(.rule.name) \(.flowner.port_in_use_by_other)"' "$T/events" | sort -u
}

is_said() { [[ $(said "$1") == "$2" ]]; }

finds() { # NAME true|false: what its listen() a moment ago has found
	local wanted='free false'
	[[ $2 == false ]] || wanted='taken true'
	soon 10 is_said "${ACTOR_PID[$1]}" "$wanted" ||
		fail "$3: wanted '$wanted', was told '$(said "${ACTOR_PID[$1]}")'"
}

comes() { # NAME ADDRESS true|false WHAT
	begin "$1" "$2"
	finds "$1" "$3" "$4"
}

# The same verdict again is not told, so this is asked of an attempt before one that was told.
is_not_taken() { # NAME ID WHAT
	local ID=$2
	same "$3" "$(said "${ACTOR_PID[$1]}" | grep -c taken)" 0
}

next_port() { PORT=$((PORT + 1)); }

# --- listeners older than the daemon ---

own_netns
actor old
actor new
begin old 127.0.0.1
before=$FD
start_daemon
policy audit
watch
comes new 0.0.0.0 true 'beside one older than the daemon'
tell old close "$before"
tell new close "$FD"
comes new 0.0.0.0 false 'beside nobody, after that one was closed'
tell new close "$FD"

# --- addresses ---

while read -r first second wanted; do
	[[ $first ]] || continue
	next_port
	begin old "$first"
	old_fd=$FD
	begin old "$second"
	own_fd=$FD own=$ID
	tell old close "$own_fd"
	comes new "$second" "$wanted" "$second beside $first of another process"
	tell new close "$FD"
	tell old close "$old_fd"
	is_not_taken old "$own" "$second beside $first of the same process"
done <<<"$TABLE"

# --- who counts ---

next_port
begin old 127.0.0.1
one=$FD
begin old 127.0.0.1
two=$FD
tell old close "$one"
comes new 127.0.0.1 true 'beside the second of another process, which has closed the first'
tell new close "$FD"
tell old close "$two"
comes new 127.0.0.1 false 'beside nobody'
tell new close "$FD"

next_port
begin old 127.0.0.1
again=$FD
tell old relisten "$again"
comes new 127.0.0.1 true 'beside one that has stopped and begun again'
tell new close "$FD"
tell old close "$again"
comes new 127.0.0.1 false 'after that one was closed'
tell new close "$FD"

NETNS='' actor elsewhere unshare -n
comes elsewhere 0.0.0.0 false 'in another network namespace'
dismiss elsewhere

# a child that has the same socket listens on nothing of its own
next_port
actor parent
begin parent 127.0.0.1
parent_fd=$FD parent_id=$ID
tell parent fork
ACTOR_PID["child"]=${R[0]} # which does from here on what the parent is told
tell parent begin "$parent_fd"
begin parent 127.0.0.1
finds child true "a child's own listener beside that of its parent"
is_not_taken child "$parent_id" 'listen() of a child on the socket of its parent'
unset 'ACTOR_PID[child]'
dismiss parent

next_port
actor killed
begin killed 0.0.0.0
dismiss killed
comes new 127.0.0.1 false 'after the one who listened was killed'
tell new close "$FD"

# --- a daemon that is killed, and the next one ---

next_port
begin old 127.0.0.1
stays=$FD
next_port
begin old 127.0.0.1
goes=$FD
terminate "$WATCH"
kill_daemon
tell old close "$goes"
start_daemon
watch
comes new 127.0.0.1 false 'beside one that was closed while there was no daemon'
tell new close "$FD"
PORT=$((PORT - 1))
comes new 127.0.0.1 true 'beside one from before the daemon was killed'
tell new close "$FD"
tell old close "$stays"

# --- more than there are seats ---

next_port
for ((i = 0; i < 257; i++)); do tell old listen tcp 127.0.0.1 "$PORT" share; done
same 'listeners without a seat' "$(stat_of listeners_full)" 1
matches 'what doctor says of it' "$(flowner doctor)" 'listeners_full is 1: '
comes new 127.0.0.1 true 'beside as many as there are seats'

# --- enforced: only who finds another one is denied ---

terminate "$WATCH"
next_port
policy enforce
begin old 127.0.0.1
prepare new 0.0.0.0
try new begin "$FD"
if [[ ${R[0]} == ok ]]; then
	matches 'how listen() is denied' "$(flowner policy show -j |
		jq -r '.ways[] | select(.hook == "listen" and .status == "on").late')" true
	try new accept "$FD"
	matches 'accept() of who is denied' "${R[*]}" '^error Invalid argument'
else
	matches 'listen() that is denied' "${R[*]}" '^error (Permission denied|Operation not perm)'
fi
tell new socket tcp 4
tell new bind "${R[0]}" 127.0.0.1 "$((PORT + 1))"
tell new begin "${R[0]}"
tell old connect tcp 127.0.0.1 "$((PORT + 1))"

# --- many at once, and then nobody: no seat is left behind ---

exits 0 flowner policy clear
hammers=()
for i in 1 2 3; do
	in_cgroup nsenter -t "$NETNS" -n "$BUILD/tests/listen_hammer" "$((PORT + 2))" 2 >/dev/null &
	hammers+=("$!")
done
for hammer in "${hammers[@]}"; do wait "$hammer" || fail "listen() failed otherwise: $?"; done
dismiss_all
no_seats() { [[ $(map port_listeners | jq length) == 0 ]]; }
eventually 20 no_seats
same 'sums of seats' "$(map port_sums | jq '[.[] | select(.formatted.value != 0)] | length')" 0
stop_daemon
