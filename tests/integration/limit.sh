#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# `limit: {listeners, per}`: who listens while it has as many listeners as it may is denied, and
# nobody else. How many there are is what ss says of a namespace where nobody but the actors of this
# test is. For each of the four, both families; after a close, a kill, a listen() that failed, an
# exec; listeners older than the daemon, and after one that was killed and one that was stopped;
# many that listen at once; and where there is no room.
# timeout: 400
. "$(dirname "$0")/lib.sh"

LIMIT=3

rule() { # NAME PER LISTENERS [MODE]
	echo "  - {name: $1, hooks: listen, limit: {listeners: $3, per: $2}, verdict: reject," \
		"mode: ${4:-enforce}, allow_async: true}"
}

load() { # RULE...
	printf '%s\n' 'mode: enforce' 'rules:' "$@" >"$T/policy.yaml"
	exits 0 flowner policy load "$T/policy.yaml"
}

listening() { in_netns ss -ltnH | wc -l; }

are_listening() { [[ $(listening) == "$1" ]]; }

are() { # N WHAT: so many listen, soon
	soon 10 are_listening "$1" ||
		fail "$2: $(listening) listen, wanted $1"
}

begins() { # NAME ADDRESS WHAT
	local before
	before=$(listening)
	bound_tcp "$1" "$2"
	try "$1" begin "$FD"
	same "listen() of $1, $3" "${R[0]}" ok
	are $((before + 1)) "$3"
	[[ -z $LATE ]] || stays $((before + 1)) "$3"
}

# A listener that is cut is so in the moment; the verdict on the next one comes after that.
stays() { # N WHAT
	flowner policy show -j >"$T/show" # the daemon has taken what was in its ring
	are "$1" "$2"
}

is_denied() { # NAME ADDRESS WHAT
	local before
	before=$(listening)
	bound_tcp "$1" "$2"
	try "$1" begin "$FD"
	if [[ $LATE ]]; then
		same "listen() of $1, $3" "${R[0]}" ok
		try "$1" accept "$FD"
		matches "accept() of $1, $3" "${R[*]}" '^error Invalid argument'
	else
		matches "listen() of $1, $3" "${R[*]}" '^error Permission denied'
	fi
	are "$before" "$3"
	tell "$1" close "$FD"
}

# --- other ones: as ONE is, but for what the limit is about ---

another_process() { actor other; }
another_user() { actor other && tell other uid 65534; }
another_exe() { cp "$BUILD/tests/actor" "$T/other-actor" && start_told other "$T/other-actor"; }
another_cgroup() {
	actor other
	mkdir -p "$CGROUP/other"
	echo "${ACTOR_PID[other]}" >"$CGROUP/other/cgroup.procs"
}

own_netns
actor old
begun=()
LATE=''
for address in 127.0.0.1 ::1; do
	begins old "$address" 'before there is a daemon'
	begun+=("$FD")
done
start_daemon

# --- which way it is denied here, and what says so ---

load "$(rule few process $LIMIT)"
late=$(flowner policy show -j | jq '.ways[] | select(.hook == "listen" and .status == "on").late')
[[ $late != true ]] || LATE=1
same 'the limit that is in force' "$(flowner policy show -j | jq -c '.rules[].limit')" \
	"{\"listeners\":$LIMIT,\"per\":\"process\"}"
EXACT=1
! flowner doctor | grep -q 'fewer may get through' || EXACT=''

# --- older than the daemon ---

begins old 127.0.0.1 'the last one it may, beside those older than the daemon'
is_denied old ::1 'one more than it may, beside those older than the daemon'
tell old close "${begun[0]}"
begins old ::1 'in the place of one older than the daemon'
is_denied old 127.0.0.1 'once more'
dismiss old
are 0 'all are gone'

# --- each of the four, both families ---

for per in process user exe cgroup; do
	load "$(rule few $per $LIMIT)"
	for address in 127.0.0.1 ::1; do
		actor one
		for ((i = 0; i < LIMIT; i++)); do begins one "$address" "in what a $per may"; done
		last=$FD
		is_denied one "$address" "more than a $per may"
		is_denied one "$address" "more than a $per may, again"
		"another_$per"
		begins other "$address" "another $per"
		tell one close "$last"
		begins one "$address" "in the place of one that was closed, per $per"
		last=$FD
		is_denied one "$address" "when that place is taken, per $per"
		tell one begin "$last"
		is_denied one "$address" "after a second listen() on the same socket, per $per"
		tell one relisten "$last"
		are $((LIMIT + 1)) "who has stopped listens again in its own place, per $per"
		is_denied one "$address" "after one that has stopped and begun again, per $per"
		dismiss one
		are 1 "who was killed is gone, per $per"
		actor one
		for ((i = 0; i < LIMIT; i++)); do begins one "$address" "after a kill, $per"; done
		is_denied one "$address" "after a kill, and as many again, $per"
		dismiss one
		dismiss other
		are 0 "all are gone, per $per"
	done
done

# --- a listen() that fails takes no place ---

load "$(rule few user 2)"
actor one
actor two
bound_tcp one 127.0.0.1
one=$FD
bound_tcp two 127.0.0.1 "$PORT"
tell one begin "$one"
try two begin "$FD"
matches 'listen() where another socket listens' "${R[*]}" '^error Address already in use'
actor three
begins three 127.0.0.1 'the second, after one that failed'
is_denied three 127.0.0.1 'the third'
is_denied two 127.0.0.1 'the third, of who has failed'
dismiss_all_but_keeper() {
	local name
	for name in "${!ACTOR_PID[@]}"; do [[ $name == keeper ]] || dismiss "$name"; done
	are 0 'all are gone'
}
dismiss_all_but_keeper

# --- who a process is: after an exec the same, after a fork another ---

load "$(rule few process 2)"
actor one
begins one 127.0.0.1 'the first'
tell one keep "$FD"
begins one ::1 'the second'
tell one keep "$FD"
tell one exec
is_denied one 127.0.0.1 'the third, after an exec'
tell one fork
begins one 127.0.0.1 'the first of a child'
kill "${R[0]}" 2>/dev/null || true
dismiss_all_but_keeper

# --- more than one limit, and one in audit, which is told and denies nobody ---

load "$(rule told user 1 audit)" "$(rule many user 3)" "$(rule few process 2)"
FLOWNER_SOCKET=$SOCK "$BUILD/flowner" watch -j >>"$T/events" 2>"$T/watch.err" &
WATCH=$!
watched() { (($(flowner stats -j | jq .streams.open) > 0)); }
eventually 10 watched
actor one
actor two
begins one 127.0.0.1 'the first'
begins one 127.0.0.1 'the second of a process'
is_denied one 127.0.0.1 'the third of a process'
begins two 127.0.0.1 'the third of a user'
is_denied two 127.0.0.1 'the fourth of a user'
were_told() { # RULE LISTENERS: those of the process, and of the user
	jq -r --arg rule "$1" 'select(.event.action == "verdict" and .rule.name == $rule) |
		.flowner.listeners | "\(.process) \(.user)"' "$T/events" | grep -qx "$2"
}
eventually 10 were_told told '1 1'
eventually 10 were_told few '2 2'
eventually 10 were_told many '1 3'
terminate "$WATCH"
dismiss_all_but_keeper

# --- a daemon that is killed, one that is stopped, and the next ---

for end in kill stop; do
	load "$(rule few user $LIMIT)"
	actor one
	begins one 127.0.0.1 "before a $end"
	goes=$FD
	begins one ::1 "before a $end"
	"${end}_daemon"
	tell one close "$goes"
	start_daemon
	load "$(rule few user $LIMIT)"
	begins one ::1 "after a $end"
	begins one 127.0.0.1 "after a $end"
	is_denied one 127.0.0.1 "after a $end"
	dismiss_all_but_keeper
done

# --- many at once ---

# Where listen() is denied before it has changed anything, as many succeed as may, and not one more.
rush() { # PER LIMIT PROCESSES THREADS WANTED
	local got
	tell one rush "$3" "$4" 2 "$ADDRESS"
	got=${R[0]}
	[[ $LATE ]] || ((got == $5)) || [[ -z $EXACT && $got -lt $5 ]] ||
		fail "$got listen() succeeded of $(($3 * $4 * 2)) at once, $2 may per $1"
	if [[ $EXACT ]]; then
		are "$5" "of $(($3 * $4 * 2)) at once, $2 may per $1"
	else
		(($(listening) <= $5)) || fail "$(listening) listen, $2 may per $1"
	fi
	tell one calm
	are 0 'all are gone'
}

ROUNDS=$((TEST_SLOW < 6 ? 10 : 2))
actor one
for ADDRESS in 127.0.0.1 ::1; do
	for ((round = 0; round < ROUNDS; round++)); do
		load "$(rule few process 5)"
		rush process 5 1 8 5
		rush process 5 3 4 15
		for per in user exe cgroup; do
			load "$(rule few $per 5)"
			rush $per 5 4 4 5
		done
		load "$(rule few process 2)" "$(rule many user 5)"
		rush user 5 4 4 5
	done
done
dismiss one

# --- nothing is left behind ---

dismiss_all_but_keeper
no_listeners() {
	[[ $(map listeners | jq length) == 0 && $(map listeners_held | jq length) == 0 ]]
}
all_counts() { map listeners_counts | jq '[.[].formatted.value.listeners] | add'; }
eventually 20 no_listeners
same 'the sum of all counts' "$(all_counts)" 0
same 'listeners that no limit counts' "$(stat_of listeners_uncounted)" 0

# --- no room to note a listener: no limit counts it, which is counted ---

others() { # update|delete: as many of nobody as the map holds
	local seats value=''
	seats=$(bpftool map show pinned "$PINS/listeners" -j | jq .max_entries)
	[[ $1 == delete ]] || value=' value hex'$(printf ' 0%.0s' {1..40})
	awk -v what="map $1 pinned $PINS/listeners" -v seats="$seats" -v value="$value" 'BEGIN {
		for (i = 0; i < seats; i++)
			printf "%s key hex %x %x 7f 0 0 0 0 7f%s\n", what, i % 256, i / 256, value
	}' >"$T/batch"
	bpftool batch file "$T/batch" >"$T/out" 2>&1 || fail "bpftool: $(tail -n 2 "$T/out")"
}

load "$(rule few process 1)"
actor one
others update
for address in 127.0.0.1 ::1; do
	begins one "$address" 'without room'
	begins one "$address" 'without room'
done
last=$FD
same 'listeners that no limit counts' "$(stat_of listeners_uncounted)" 4
others delete
begins one 127.0.0.1 'the first that is counted'
is_denied one ::1 'the second'
tell one close "$last"
is_denied one ::1 'the second, after one that is not counted'
dismiss_all_but_keeper
eventually 20 no_listeners
same 'the sum of all counts' "$(all_counts)" 0
same 'listeners that no limit counts' "$(stat_of listeners_uncounted)" 4
stop_daemon
