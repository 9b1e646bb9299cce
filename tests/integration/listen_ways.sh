#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Every way to judge listen() that this kernel has, the better ones withheld by --without: each says
# of itself what it does, and does it, both families. And what becomes of a place that was taken for
# a listen() which then fails, where its return is seen, and where that is withheld, too.
# timeout: 240
. "$(dirname "$0")/lib.sh"

DENIED_PORT=7301
TRAMPOLINES=lsm,fmod_ret

policy() { # RULE...
	printf '%s\n' 'mode: enforce' 'rules:' "$@" >"$T/policy.yaml"
	exits 0 flowner policy load "$T/policy.yaml"
}

# --- which way is on ---

way_on() { # WAY and LATE
	read -r LATE WAY < <(flowner policy show -j | jq -r '.ways[] |
		select(.hook == "listen" and .status == "on") | "\(.late) \(.attach)"')
}

withheld_are_off() { # LIST
	local word
	for word in ${1//,/ }; do
		[[ $word != fexit ]] || continue # by which nothing is judged
		same "ways by $word" "$(flowner policy show -j | jq -r --arg word "$word/" \
			'.ways[] | select(.hook == "listen" and (.attach | startswith($word)))
			.status' | sort -u)" off
	done
}

# --- what it does ---

denies() { # ADDRESS
	bound_tcp one "$1" "$DENIED_PORT"
	try one begin "$FD"
	if [[ $LATE == true ]]; then
		same "listen() by $WAY" "${R[0]}" ok
		try one accept "$FD"
		matches "accept() by $WAY" "${R[*]}" '^error Invalid argument'
	else
		matches "listen() by $WAY" "${R[*]}" '^error Permission denied'
	fi
	tell one close "$FD"
	bound_tcp one "$1" 0
	try one begin "$FD"
	same "listen() that no rule denies, by $WAY" "${R[0]}" ok
	tell one close "$FD"
}

judged_by_way() {
	policy "  - {name: nobody, hooks: listen, local: {port: $DENIED_PORT}, verdict: reject," \
		'allow_async: true}'
	way_on
	withheld_are_off "$WITHOUT"
	denies 127.0.0.1
	denies ::1
	same "hits by $WAY" "$(flowner policy show -j | jq '.rules[0].hits')" 2
}

# --- a policy that does not ask, between two that do: the same way, and no socket is remembered ---

asked_again() { # ADDRESS
	local before=$WAY
	bound_tcp one "$1" "$DENIED_PORT"
	try one begin "$FD"
	[[ $LATE != true ]] || try one accept "$FD" # until it is ended
	policy '  - {name: nobody, hooks: connect, remote: {port: 9}, verdict: reject}'
	tell one begin "$FD"
	policy "  - {name: nobody, hooks: listen, local: {port: $DENIED_PORT}, verdict: reject," \
		'allow_async: true}'
	way_on
	same "the way, asked again" "$WAY" "$before"
	tell one connect tcp "$1" "$DENIED_PORT"
	tell one close "${R[0]}"
	tell one close "$FD"
	denies "$1"
}

# --- a place for a listen() that fails: two of them, `one` has the first ---

fails() { # NAME FD: listen() where another socket does
	try "$1" begin "$2"
	matches 'listen() where another socket does' "${R[*]}" '^error Address already in use'
}

held() { map listeners_held | jq length; }

# It is held only where listen() was judged before it began, and nobody tells of its return.
place_of_failed() { # ADDRESS
	local holds=0 first busy=()
	policy '  - {name: few, hooks: listen, limit: {listeners: 2, per: user}, verdict: reject,' \
		'allow_async: true}'
	[[ $LATE == true ]] || flowner doctor >"$T/doctor"
	[[ $LATE == true ]] || ! grep -q 'nothing tells of its return' "$T/doctor" || holds=1
	[[ $LATE == true || $WITHOUT != *fexit* ]] || same 'doctor says so' "$holds" 1
	bound_tcp one "$1" 0
	first=$FD
	actor two
	for _ in 1 2; do
		bound_tcp two "$1" "$PORT"
		busy+=("$FD")
	done
	tell one begin "$first"

	fails two "${busy[0]}"
	same "places held by $WAY" "$(held)" "$holds"
	bound_tcp two "$1" 0
	try two begin "$FD"
	same "the next listen() of that thread, by $WAY" "${R[0]}" ok
	same "places held after that by $WAY" "$(held)" 0
	tell two close "$FD"

	fails two "${busy[1]}"
	same "places held again by $WAY" "$(held)" "$holds"
	dismiss two
	same "places held when it has ended, by $WAY" "$(held)" 0
	actor two
	bound_tcp two "$1" 0
	try two begin "$FD"
	same "listen() after that, by $WAY" "${R[0]}" ok
	dismiss two
}

# --- all of it, with less each time ---

own_netns
seen=()
for WITHOUT in '' fexit lsm lsm,fexit "$TRAMPOLINES"; do
	start_daemon ${WITHOUT:+--without "$WITHOUT"}
	actor one
	judged_by_way
	for address in 127.0.0.1 ::1; do asked_again "$address"; done
	for address in 127.0.0.1 ::1; do
		place_of_failed "$address"
		dismiss one
		actor one
	done
	dismiss one
	seen+=("${WITHOUT:-nothing}: $WAY")
	stop_daemon
done
same 'the last way' "$LATE" true

# --- a policy taken over from a killed daemon: with its way, then without ---

WITHOUT=''
start_daemon
actor one
judged_by_way
before=$WAY
for WITHOUT in '' "$TRAMPOLINES"; do
	kill_daemon
	start_daemon ${WITHOUT:+--without "$WITHOUT"}
	way_on
	[[ $WITHOUT ]] || same 'the way after a kill' "$WAY" "$before"
	denies 127.0.0.1
	denies ::1
	seen+=("${WITHOUT:-nothing}, after $before: $WAY")
done
same 'the way after that' "$LATE" true
same 'hits of all' "$(flowner policy show -j | jq '.rules[0].hits')" 6
stop_daemon
printf 'without %s\n' "${seen[@]}"
exits 2 "$BUILD/flownerd" --without lsm/socket_listens
