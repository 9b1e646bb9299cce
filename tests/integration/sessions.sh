#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# ACTIVE_ESTABLISHED, PASSIVE_ESTABLISHED and CONNECTION_DELETED of TCP and UDP, IPv4 and IPv6, each
# with flow id and process: for two watchers at once, who each get everything, and for consumers
# with a ring of their own. A ring that is full, or whose owner died, costs only its own records.
. "$(dirname "$0")/lib.sh"

consumer() { # NAME [-k] SLOT BYTES: of the rings; its pid is in PID
	local name=$1
	shift
	[[ $1 == -k ]] || set -- '' "$@"
	"$BUILD/tests/rings" ${1:+"$1"} "$PINS" "$2" "$3" >"$T/$name" &
	PID=$!
	eventually 10 grep -q ready "$T/$name"
}

watch() { # NAME: of the event stream
	FLOWNER_SOCKET=$SOCK "$BUILD/flowner" watch -j >"$T/$1" 2>"$T/$1.err" &
	PID=$!
}

watching() { [[ $(flowner stats -j | jq .streams.open) == "$1" ]]; }

# What the watcher's lines are in the words of a consumer: who connected is the one who is "active".
as_sessions() { # FILE
	jq -r 'select(.flowner.remote and (.event.action == "established" or
		(.event.action == "close" and .event.outcome == "success"))) |
		"\(if .event.action == "close" then "deleted"
		   elif .network.direction == "egress" then "active" else "passive" end
		) \(.flowner.flow_id) \(.network.transport) \(.flowner.local.ip) \(
		.flowner.local.port) \(.flowner.remote.ip) \(.flowner.remote.port) \(
		.process.pid) \(.process.name)"' "$1" | sort
}

heard() { # FILE: of a consumer
	grep -v '^ready$' "$1" | awk '{ NF--; print }' | sort
}

wants() { # OP ID PROTO LOCAL PORT REMOTE PORT NAME: a line of what the test did
	echo "${*:1:7} ${ACTOR_PID[$8]} $8" >>"$T/wanted"
}

tcp() { # HOST: one that the client closes, and one refused, which never was established
	local host=$1 fd port client from opener server acceptor
	tell server listen tcp "$host" 0
	fd=${R[0]} port=${R[1]}
	tell client connect tcp "$host" "$port"
	client=${R[0]} from=${R[1]} opener=${R[2]}
	tell server accept "$fd"
	server=${R[0]} acceptor=${R[2]}
	tell client close "$client"
	tell server close "$server"
	tell server close "$fd"
	try client connect tcp "$host" 1
	wants active "$opener" tcp "$host" "$from" "$host" "$port" client
	wants passive "$acceptor" tcp "$host" "$port" "$host" "$from" server
	wants deleted "$opener" tcp "$host" "$from" "$host" "$port" client
	wants deleted "$acceptor" tcp "$host" "$port" "$host" "$from" server
}

udp() { # HOST
	local host=$1 fd port client from opener peer
	tell server listen udp "$host" 0
	fd=${R[0]} port=${R[1]}
	tell client connect udp "$host" "$port"
	client=${R[0]} from=${R[1]} opener=${R[2]}
	tell client send "$client"
	tell server recv "$fd"
	peer=$(flowner show "$opener" -j | jq -r .flowner.peer_flow_id)
	tell client close "$client"
	tell server close "$fd"
	wants active "$opener" udp "$host" "$from" "$host" "$port" client
	wants passive "$peer" udp "$host" "$port" "$host" "$from" server
	wants deleted "$opener" udp "$host" "$from" "$host" "$port" client
	wants deleted "$peer" udp "$host" "$port" "$host" "$from" server
}

traffic() {
	local host
	: >"$T/wanted"
	for host in 127.0.0.1 ::1; do
		tcp "$host"
		udp "$host"
	done
	sort -o "$T/wanted" "$T/wanted"
}

compare() { # WHAT GOT-FILE
	diff -u "$T/wanted" "$2" || fail "$1 heard something else"
}

complete() { # FILE: of a watcher
	[[ $(as_sessions "$1" | wc -l) == "$(wc -l <"$T/wanted")" ]]
}

has_lines() { # FILE COUNT
	[[ $(wc -l <"$1") == "$2" ]]
}

own_netns
PAGE=$(awk '$1 == "KernelPageSize:" { print $2 * 1024; exit }' /proc/self/smaps)
start_daemon
actor server
actor client
tell server comm server
tell client comm client

# --- two watchers and two consumers, with rings of other sizes than ours ---
watch one
watchers=("$PID")
watch two
watchers+=("$PID")
consumer small 0 65536
consumers=("$PID")
consumer large 3 1048576
consumers+=("$PID")
eventually 10 watching 2
traffic
for name in one two; do
	eventually 10 complete "$T/$name"
	as_sessions "$T/$name" >"$T/got"
	compare "watcher $name" "$T/got"
done
same "two watchers" "$(jq -c '[.event.sequence, .event.action]' "$T/one")" \
	"$(jq -c '[.event.sequence, .event.action]' "$T/two")"
for name in small large; do
	eventually 10 has_lines "$T/$name" "$(($(wc -l <"$T/wanted") + 1))"
	heard "$T/$name" >"$T/got"
	compare "consumer $name" "$T/got"
done
# the listener's owner until somebody accepts, and who accepted at the end
same "when the owner was final" "$(awk '$1 != "ready" { print $1, $3, $NF }' "$T/large" | sort -u |
	tr '\n' ',')" 'active tcp final,active udp final,deleted tcp final,deleted udp final,'`
	`'passive tcp interim,passive udp interim,'
kill "${watchers[@]}" "${consumers[@]}"
wait "${consumers[@]}" || fail "a consumer ended with $?"
wait "${watchers[@]}" 2>/dev/null || true
same "slots after the consumers" "$(map flow_rings | jq length)" 0

# --- nobody watches: consumers hear all the same; one that takes a slot late hears from then on ---
eventually 10 watching 0
consumer alone 1 65536
alone=$PID
traffic
eventually 10 has_lines "$T/alone" "$(($(wc -l <"$T/wanted") + 1))"
heard "$T/alone" >"$T/got"
compare "a consumer without watchers" "$T/got"

# --- one died and left its ring: that fills and is counted, the others lose nothing ---
consumer dead -k 2 "$PAGE"
wait "$PID"
same "the ring of the dead" "$(map flow_rings | jq length)" 2
: >"$T/alone"
for _ in {1..5}; do traffic; done # 80 records of 136 bytes are more than a page
eventually 10 has_lines "$T/alone" 80
(($(stat_of slot_2_full) > 0)) || fail "a full ring is not counted"
same "other slots" "$(stat_of slot_0_full) $(stat_of slot_1_full) $(stat_of slot_3_full)" '0 0 0'
same "the daemon's ring" "$(stat_of ring_full)" 0
# shellcheck disable=SC2046 # words
bpftool map delete pinned "$PINS/flow_rings" key $(in_host_order 0 0 0 2)
full=$(stat_of slot_2_full)
traffic
same "a slot that was emptied" "$(stat_of slot_2_full)" "$full"

# --- a UDP peer that the daemon ends, for it was silent, is told like any other ---
start_daemon_anew() {
	stop_daemon
	printf 'reconcile: 1s\nudp_idle: 2s\n' >"$T/config"
	start_daemon --config "$T/config"
}
kill "$alone"
wait "$alone" || fail "a consumer ended with $?"
start_daemon_anew
consumer alone 1 65536
alone=$PID
tell server listen udp 127.0.0.1 0
port=${R[1]}
tell client connect udp 127.0.0.1 "$port"
from=${R[1]} opener=${R[2]}
tell client send "${R[0]}"
peer=$(flowner show "$opener" -j | jq -r .flowner.peer_flow_id)
eventually 30 grep -q "^deleted $peer " "$T/alone"
: >"$T/wanted"
wants active "$opener" udp 127.0.0.1 "$from" 127.0.0.1 "$port" client
wants passive "$peer" udp 127.0.0.1 "$port" 127.0.0.1 "$from" server
wants deleted "$peer" udp 127.0.0.1 "$port" 127.0.0.1 "$from" server
sort -o "$T/wanted" "$T/wanted"
heard "$T/alone" >"$T/got"
compare "a consumer, of a silent peer," "$T/got"
same "why it ended" "$(flowner show -j "$peer" | jq -r .event.reason)" idle

# --- a killed daemon changes nothing, the next one keeps the slots ---
kill_daemon
: >"$T/alone"
traffic_while_dead() { tcp 127.0.0.1; }
: >"$T/wanted"
traffic_while_dead
eventually 10 has_lines "$T/alone" 4
start_daemon
same "the slots of the next daemon" "$(map flow_rings | jq length)" 1
: >"$T/alone"
traffic
eventually 10 has_lines "$T/alone" 16
kill "$alone"
wait "$alone" || fail "a consumer ended with $?"
