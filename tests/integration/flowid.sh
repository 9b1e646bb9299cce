#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The flow id of a socket is what SO_COOKIE tells its owner and `ss -e` shows as sk:, for both
# families, listeners and UDP, on both ends; both ends of a local session name each other, open and
# closed; and a later life of a socket has a number of its own, never the cookie again.
. "$(dirname "$0")/lib.sh"

ss_id() { # SS-OPTIONS... -- ADDRESS:PORT [PEER]: what ss shows for the one socket there
	local options=()
	while [[ $1 != -- ]]; do options+=("$1"); shift; done
	ss_e -n "${options[@]}" src "$2" ${3:+dst "$3"} | grep -o 'sk:[0-9a-f]*' | cut -c 4-
}

flow_of() { # ID: its record
	flowner show "$1" -j
}

is_flow() { # WHAT ID ROLE PROTO: what the agent knows by the id that the owner was told
	same "$1" "$(flow_of "$2" | jq -r '"\(.flowner.flow_id) \(.flowner.role) \(
		.network.transport)"')" "$2 $3 $4"
}

peers() { # WHAT ONE-ID OTHER-ID: each is the other end of the other
	same "$1: the other end of one" "$(flow_of "$2" | jq -r .flowner.peer_flow_id)" "$3"
	same "$1: the other end of the other" "$(flow_of "$3" | jq -r .flowner.peer_flow_id)" "$2"
}

numbered() { # WHAT ID COOKIE
	[[ $2 != "$3" && $2 =~ ^8[0-9a-f]{15}$ ]] || fail "$1: '$2' is no number beside '$3'"
}

id_at() { # ENDPOINT OPTIONS...: of the one flow whose local end is there
	local at=$1
	shift
	flowner list -j "$@" | jq -r --arg at "$at" 'select("\(.flowner.local.ip):\(
		.flowner.local.port)" == $at) | .flowner.flow_id'
}

own_netns
start_daemon
FLOWNER_SOCKET=$SOCK "$BUILD/flowner" watch -j >"$T/watched" &
watcher=$!
watching() { [[ $(flowner stats -j | jq .streams.open) == 1 ]]; }
eventually 10 watching
actor server
actor client

# --- TCP: a listener, both ends of its session; closed by one and then by the other ---
tcp() { # HOST
	local host=$1 at=$1 listener fd opener acceptor port to from served
	[[ $host != *:* ]] || at="[$host]"
	tell server listen tcp "$host" 0
	fd=${R[0]} port=${R[1]} listener=${R[2]}
	is_flow "listener $at" "$listener" listener tcp
	same "ss: listener $at" "$(ss_id -tl -- "$at:$port")" "$(short "$listener")"
	same "a listener's other end" "$(flow_of "$listener" | jq .flowner.peer_flow_id)" null

	tell client connect tcp "$host" "$port"
	to=${R[0]} from=${R[1]} opener=${R[2]}
	tell server accept "$fd"
	acceptor=${R[2]} served=${R[0]}
	is_flow "opener $at" "$opener" opener tcp
	is_flow "acceptor $at" "$acceptor" acceptor tcp
	same "ss: opener $at" "$(ss_id -t -- "$at:$from" "$at:$port")" "$(short "$opener")"
	same "ss: acceptor $at" "$(ss_id -t -- "$at:$port" "$at:$from")" "$(short "$acceptor")"
	peers "open $at" "$opener" "$acceptor"
	[[ $(flowner show "$opener") == *"$acceptor"* ]] || fail "show does not name the other end"

	tell client close "$to"
	peers "half closed $at" "$opener" "$acceptor"
	tell server close "$served"
	peers "closed $at" "$opener" "$acceptor"
	same "input of every form" "$(for id in "$opener" "0x$(short "$opener")" \
		"sk:$(short "$opener")" "=$((16#$opener))"; do flow_of "$id"; done |
		jq -r .flowner.flow_id | uniq -c | awk '{ print $1 }')" 4
	tell server close "$fd"
}

# --- UDP: one that was bound, one that connected, and the peer of the first ---
udp() { # HOST
	local host=$1 at=$1 socket fd port opener from peer
	[[ $host != *:* ]] || at="[$host]"
	tell server listen udp "$host" 0
	fd=${R[0]} port=${R[1]} socket=${R[2]}
	is_flow "UDP socket $at" "$socket" user udp
	same "ss: UDP socket $at" "$(ss_id -ua -- "$at:$port")" "$(short "$socket")"

	tell client connect udp "$host" "$port"
	from=${R[1]} opener=${R[2]}
	tell client send "${R[0]}"
	tell server recv "$fd"
	is_flow "connected UDP socket $at" "$opener" opener udp
	same "ss: connected UDP socket $at" "$(ss_id -ua -- "$at:$from")" "$(short "$opener")"
	peer=$(flow_of "$opener" | jq -r .flowner.peer_flow_id)
	numbered "peer of the UDP socket $at" "$peer" "$socket"
	peers "UDP $at" "$opener" "$peer"
}

tcp 127.0.0.1
tcp ::1
udp 127.0.0.1
udp ::1

# --- every id at once, both ways ---
same "all ids and what ss shows" "$(ids | grep -v '^8.\{15\}$')" "$(cookies)"

# --- later lives: the cookie stays the socket's, the flow is another ---
tell server listen tcp 127.0.0.1 0
listener_fd=${R[0]} port=${R[1]}
tell client connect tcp 127.0.0.1 "$port" 127.0.0.2 40000
fd=${R[0]} first=${R[2]}
tell client reconnect "$fd" 127.0.0.1 "$port"
same "cookie of a socket that connected again" "${R[2]}" "$first"
second=$(id_at "127.0.0.2:${R[1]}" --state established)
numbered "TCP, second life" "$second" "$first"
same "ss: the cookie" "$(ss_id -t -- "127.0.0.2:${R[1]}")" "$(short "$first")"
tell client reconnect "$fd" 127.0.0.1 "$port"
third=$(id_at "127.0.0.2:${R[1]}" --state established)
numbered "TCP, third life" "$third" "$second"
same "the first life is over" "$(flow_of "$first" | jq '.event.end != null')" true
same "the second life is over" "$(flow_of "$second" | jq '.event.end != null')" true

tell server relisten "$listener_fd"
again=$(id_at "127.0.0.1:${R[1]}" -l)
numbered "a second listen()" "$again" "${R[2]}"

# --- the events said the same: each id opened once, and closed with its other end ---
tell server close "$listener_fd"
eventually 10 grep -q "\"unlisten\".*$again" "$T/watched"
terminate "$watcher"
told=$(jq -r 'select(.event.action == "open").flowner.flow_id' "$T/watched" | sort -u)
(($(wc -l <<<"$told") > 10)) ||
	fail "hardly an opening was told: $(<"$T/watched")"
same "ids opened more than once" "$(jq -r 'select(.event.action == "open") |
	.flowner.flow_id' "$T/watched" | sort | uniq -d)" ''
same "TCP sessions that closed without their other end" "$(jq -c 'select(
	.event.action == "close" and .network.transport == "tcp" and
	.flowner.peer_flow_id == null) |
	[.flowner.flow_id, .flowner.netns_cookie, .flowner.local.port, .flowner.remote.port,
	.event.sequence, .event.start, .event.end]' "$T/watched")" ''
