#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Retransmits and smoothed round trip time on a line that loses every twentieth packet: what the
# flow says, alive and at its end, is what TCP_INFO of the socket says to its own process.
# modules: sch_netem
# timeout: 240
. "$(dirname "$0")/lib.sh"

# A packet is a segment, and not as many as fit.
in_segments() { in_netns ip link set lo mtu 1500 gso_max_segs 1; }

losing() { # by netem, or where the kernel has none by a filter
	in_netns tc qdisc add dev lo root netem loss 5% 2>/dev/null || in_netns nft -f - <<-'RULES'
		table inet loss {
			chain in {
				type filter hook input priority 0
				meta l4proto tcp numgen random mod 20 == 0 drop
			}
		}
	RULES
}

not_losing() {
	in_netns tc qdisc del dev lo root 2>/dev/null || in_netns nft delete table inet loss
}

info() { # ACTOR FD: its state, retransmits and round trip time into INFO
	tell "$1" info "$2"
	INFO=("${R[@]}")
}

said() { # ID
	flowner show "$1" -j | jq -r '"\(.flowner.tcp.retransmits) \(.flowner.tcp.srtt_us)"'
}

# Acknowledgements may still be on their way: nothing was, when nothing moved meanwhile.
agrees() { # ACTOR FD ID [STATE]
	local before
	info "$1" "$2"
	before=${INFO[*]}
	SAID=$(said "$3")
	info "$1" "$2"
	[[ ${INFO[*]} == "$before" && $SAID == "${INFO[*]:1}" && ${INFO[0]} == "${4:-${INFO[0]}}" ]]
}

compare() { # WHAT ACTOR FD ID [STATE]
	soon 20 agrees "${@:2}" || fail "$1: got '$SAID', TCP_INFO says '${INFO[*]}'"
}

transfer() { # HOST
	local fd port client server opener acceptor i
	tell server listen tcp "$1" 0
	fd=${R[0]} port=${R[1]}
	losing || skip "neither netem nor nft"
	tell client connect tcp "$1" "$port"
	client=${R[0]} opener=${R[2]}
	tell server accept "$fd"
	server=${R[0]} acceptor=${R[2]}
	for ((i = 0; i < 12; i++)); do
		tell client send "$client" 50000
		tell server drain "$server" 50000
	done
	info client "$client"
	((INFO[1] > 0)) || fail "nothing was sent again: nothing is proved"
	compare "$1: the sender, alive" client "$client" "$opener"
	compare "$1: the receiver, alive" server "$server" "$acceptor"
	tell client shut "$client"
	tell server recv "$server"
	tell server shut "$server"
	compare "$1: the sender, closed" client "$client" "$opener" 7
	compare "$1: the receiver, closed" server "$server" "$acceptor" 7
	not_losing
	same "$1: both ended" \
		"$(flowner list --closed -j ":$port" | jq -r .flowner.flow_id | sort)" \
		"$(printf '%s\n' "$opener" "$acceptor" | sort)"
	info client "$client"
	echo "$1: ${INFO[1]} retransmits, round trip ${INFO[2]} us"
}

start_daemon
own_netns
in_segments
actor server
actor client
for host in 127.0.0.1 ::1; do transfer "$host"; done
