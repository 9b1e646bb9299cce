#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Bytes and packets, to the byte: what the actors wrote and read is what both ends of each flow say,
# while it lives and after it ended, however it ended; nothing where nothing is counted.
. "$(dirname "$0")/lib.sh"

# Of the flow as both ends of the session see it: bytes from source to destination and back.
bytes_of() { # ID
	flowner show "$1" -j | jq -r '"\(.source.bytes) \(.destination.bytes)"'
}

# The same of all flows at once, which asks the kernel in another way.
bytes_in_list() { # ID
	api '/v1/flows?counts=1&all=1' | jq -r --arg id "$1" 'select(.flowner.flow_id == $id) |
		"\(.source.bytes) \(.destination.bytes)"'
}

counts() { # ID BYTES
	[[ $(bytes_of "$1") == "$2" && $(bytes_in_list "$1") == "$2" ]]
}

both_count() { # WHAT BYTES ID...
	local what=$1 bytes=$2 id
	shift 2
	for id; do
		soon 5 counts "$id" "$bytes" ||
			fail "$what: in the list $(bytes_in_list "$id"), $(flowner show "$id" -j |
				jq -c '[.flowner.role, .flowner.state, .source,
					.destination]'), wanted $bytes"
	done
}

# A session between client and server; descriptors CLIENT and SERVER, ids OPENER and ACCEPTOR.
session() { # HOST
	tell client connect tcp "$1" "$PORT"
	CLIENT=${R[0]} OPENER=${R[2]}
	tell server accept "$LISTENER"
	SERVER=${R[0]} ACCEPTOR=${R[2]}
}

sent() { # FROM FD TO FD BYTES: written and read
	local calls=$(($5 / 50000 + 1)) i
	for ((i = 0; i < calls; i++)); do # less than the buffers hold
		local part=$(($5 / calls + (i < $5 % calls)))
		tell "$1" send "$2" "$part"
		tell "$3" drain "$4" "$part"
	done
}

tcp() { # HOST
	tell server listen tcp "$1" 0
	LISTENER=${R[0]} PORT=${R[1]}

	session "$1"
	both_count "nothing yet" '0 0' "$OPENER" "$ACCEPTOR"
	sent client "$CLIENT" server "$SERVER" 123457
	both_count "alive" '123457 0' "$OPENER" "$ACCEPTOR"
	sent server "$SERVER" client "$CLIENT" 34567
	both_count "alive, both ways" '123457 34567' "$OPENER" "$ACCEPTOR"
	tell client close "$CLIENT"
	both_count "the client closed" '123457 34567' "$OPENER" "$ACCEPTOR"
	tell server close "$SERVER"
	both_count "both closed" '123457 34567' "$OPENER" "$ACCEPTOR"

	session "$1"
	sent server "$SERVER" client "$CLIENT" 1000
	tell server close "$SERVER"
	both_count "the server closed" '0 1000' "$OPENER" "$ACCEPTOR"
	tell client close "$CLIENT"
	both_count "both closed, the server first" '0 1000' "$OPENER" "$ACCEPTOR"

	session "$1"
	tell client shut "$CLIENT"
	sent server "$SERVER" client "$CLIENT" 70000 # after the FIN of the other side
	both_count "half closed" '0 70000' "$OPENER" "$ACCEPTOR"
	tell server shut "$SERVER"
	tell client close "$CLIENT"
	tell server close "$SERVER"
	both_count "closed half by half" '0 70000' "$OPENER" "$ACCEPTOR"

	session "$1"
	sent client "$CLIENT" server "$SERVER" 3
	tell client reset "$CLIENT"
	both_count "reset" '3 0' "$OPENER" "$ACCEPTOR"
	tell server close "$SERVER"

	session "$1"
	tell client send "$CLIENT" 500 # never read, which makes the close a reset
	tell server close "$SERVER"
	both_count "not read" '500 0' "$OPENER" "$ACCEPTOR"
	tell client close "$CLIENT"

	session "$1"
	tell client reconnect "$CLIENT" "$1" "$PORT" # the counts begin again
	both_count "the life before" '0 0' "$OPENER"
	tell server accept "$LISTENER"
	SERVER=${R[0]} ACCEPTOR=${R[2]}
	OPENER=$(flowner show "$ACCEPTOR" -j | jq -r .flowner.peer_flow_id)
	sent client "$CLIENT" server "$SERVER" 99
	tell client close "$CLIENT"
	both_count "the second life" '99 0' "$ACCEPTOR" "$OPENER"

	try client connect tcp "$1" 1
	same "a refused one" "$(flowner list -aj :1 | jq -c '[.source.bytes,
		.source.packets >= 1, .destination.bytes, .flowner.tcp.retransmits]' |
		tail -n 1)" '[0,true,0,0]'
	tell server close "$LISTENER"
}

# bytes and packets of both directions: a datagram is one
udp_of() { # ID
	flowner show "$1" -j | jq -r '"\(.source.bytes) \(.source.packets) \(
		.destination.bytes) \(.destination.packets) \(.network.bytes)"'
}

udp_says() { [[ $(udp_of "$1") == "$2" ]]; } # ID WANTED

udp_counts() { # WHAT ID WANTED: soon, as a datagram may wait on another processor
	soon 5 udp_says "$2" "$3" || same "$1" "$(udp_of "$2")" "$3"
}

udp() { # HOST
	local fd opener client peer
	tell server listen udp "$1" 0
	fd=${R[0]} PORT=${R[1]}
	tell client connect udp "$1" "$PORT"
	client=${R[0]} opener=${R[2]}
	tell client send "$client" 1000
	tell client send "$client" 0
	tell client send "$client" 1
	tell server drain "$fd" 1001
	peer=$(flowner show "$opener" -j | jq -r .flowner.peer_flow_id)
	udp_counts "UDP, opener" "$opener" '1001 3 0 0 1001'
	udp_counts "UDP, its peer" "$peer" '1001 3 0 0 1001'
	tell client segments "$client" 5000 1000
	udp_counts "UDP, segments sent" "$opener" '6001 8 0 0 6001'
	udp_counts "UDP, segments received" "$peer" '6001 8 0 0 6001'
	tell client close "$client"
	udp_counts "UDP, closed" "$opener" '6001 8 0 0 6001'
	tell server close "$fd"
	udp_counts "UDP, its peer, closed" "$peer" '6001 8 0 0 6001'
	same "what counts it is gone with it" "$(map udp_counts | jq length)" 0

	tell server listen udp "$1" 0
	fd=${R[0]} PORT=${R[1]}
	tell client socket udp "$([[ $1 == *:* ]] && echo 6 || echo 4)"
	client=${R[0]}
	tell client sendto "$client" "$1" "$PORT"
	tell client sendto "$client" "$1" "$PORT"
	tell server drain "$fd" 2
	same "UDP without connect()" "$(flowner list -aj ":$PORT" | jq -r \
		'select(.flowner.remote and .event.end == null) | .flowner.flow_id' |
		while read -r id; do udp_of "$id"; done)" $'2 2 0 0 2\n2 2 0 0 2'
	tell client close "$client"
	tell server close "$fd"
}

details() { # what `show` says in words
	local text
	tell server listen tcp 127.0.0.1 0
	LISTENER=${R[0]} PORT=${R[1]}
	session 127.0.0.1
	sent client "$CLIENT" server "$SERVER" 4321
	text=$(flowner show "$ACCEPTOR")
	matches "show" "$text" 'sent: +0 bytes in [0-9]+ packets'
	matches "show" "$text" 'received: +4321 bytes in [0-9]+ packets'
	matches "show" "$text" 'tcp: +retransmits 0, round trip [0-9.]+ ms'
	[[ $text != *source.* && $text != *tcp.* ]] || fail "said twice: $text"
	tell client close "$CLIENT"
	tell server close "$SERVER"
	tell server close "$LISTENER"
}

own_netns
actor server
actor client

# --- older than the daemon ---
tell server listen tcp 127.0.0.1 0
LISTENER=${R[0]} PORT=${R[1]}
session 127.0.0.1
sent client "$CLIENT" server "$SERVER" 2000
sent server "$SERVER" client "$CLIENT" 100
old=("$OPENER" "$ACCEPTOR")

echo 'counts: all' >"$T/all.yaml"
start_daemon --config "$T/all.yaml"
total_of() { flowner show "$1" -j | jq -r .network.bytes; } # ID: which end is the source nobody saw
for id in "${old[@]}"; do same "older, alive" "$(total_of "$id")" 2100; done
tell client close "$CLIENT"
tell server close "$SERVER"
ended() { [[ $(flowner show "$1" -j | jq -r .event.end) != null ]]; }
for id in "${old[@]}"; do eventually 5 ended "$id"; done
for id in "${old[@]}"; do same "older, closed" "$(total_of "$id")" 2100; done
tell server close "$LISTENER"

for host in 127.0.0.1 ::1; do
	tcp "$host"
	udp "$host"
done
details
same "counters" "$(stat_of counts_full) $(stat_of udp_parse)" '0 0'
stop_daemon

# --- what is not counted is absent ---
uncounted() { # CONFIGURATION PROTO-COUNTED
	local udp id
	echo "counts: $1" >"$T/config.yaml"
	start_daemon --config "$T/config.yaml"
	tell server listen tcp 127.0.0.1 0
	LISTENER=${R[0]} PORT=${R[1]}
	session 127.0.0.1
	tell client connect udp 127.0.0.1 "$PORT"
	udp=${R[2]}
	tell client send "${R[0]}"
	for id in "$OPENER" "$udp"; do
		flowner show "$id" -j | jq -r 'select(.network.bytes != null) | .network.transport'
	done >"$T/counted"
	same "counted while alive: $1" "$(<"$T/counted")" "$2"
	tell client drop
	for id in "$OPENER" "$udp"; do
		flowner show "$id" -j | jq -r 'select(.network.bytes != null) | .network.transport'
	done >"$T/counted"
	same "counted at the end: $1" "$(<"$T/counted")" "$2"
	tell server drop
	stop_daemon
}
uncounted off ''
uncounted tcp tcp
