#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# `flowner who`, /v1/session and libflowner from both sides of NAT, made with nft and, as container
# engines do, with iptables. Two more network namespaces: a container at a bridge, masqueraded and
# with a published port, and somebody outside; the daemon is where the translation is. Then a
# namespace that translates for itself.
# modules: bridge nf_conntrack_netlink nft_chain_nat nft_nat nft_masq nft_ct
# modules: nft_compat xt_MASQUERADE xt_nat xt_tcpudp
((EUID)) || [[ ${NAT_NETNS:-} ]] || exec env NAT_NETNS=1 unshare -n bash "$0"
. "$(dirname "$0")/lib.sh"

fenced() { [[ $1 == *:* ]] && echo "[$1]" || echo "$1"; } # ADDR

inside() { nsenter -t "${ACTOR_PID[$1]}" -n "${@:2}"; } # NAME COMMAND...

plug() { # NAME HOST_DEVICE ADDR4 ADDR6 GATEWAY4 GATEWAY6
	ip link add "$2" type veth peer name eth0 netns "${ACTOR_PID[$1]}"
	ip link set "$2" up
	inside "$1" ip link set lo up
	inside "$1" ip link set eth0 up
	inside "$1" ip addr add "$3/24" dev eth0
	inside "$1" ip -6 addr add "$4/64" dev eth0 nodad
	[[ ! ${5:-} ]] || inside "$1" ip route add default via "$5"
	[[ ! ${6:-} ]] || inside "$1" ip -6 route add default via "$6"
}

network() {
	actor container unshare -n
	actor outside unshare -n
	tell container comm contained
	tell outside comm outsider
	ip link add br0 type bridge
	ip link set br0 up
	ip addr add 10.66.0.1/24 dev br0
	ip -6 addr add fd66::1/64 dev br0 nodad
	plug container inner 10.66.0.2 fd66::2 10.66.0.1 fd66::1
	ip link set inner master br0
	plug outside outer 192.0.2.2 2001:db8::2
	ip addr add 192.0.2.1/24 dev outer
	ip -6 addr add 2001:db8::1/64 dev outer nodad
	echo 1 >/proc/sys/net/ipv4/ip_forward
	echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
}

translate_by_nft() {
	rules '' <<-'RULES'
		table inet nat {
			chain out {
				type nat hook postrouting priority 100
				oifname "outer" meta l4proto { tcp, udp } masquerade to :50000-50999
			}
			chain in {
				type nat hook prerouting priority -100
				iifname "outer" tcp dport 80 dnat ip to 10.66.0.2:8080
				iifname "outer" tcp dport 80 dnat ip6 to [fd66::2]:8080
			}
		}
	RULES
}

# As the engines do it for a bridge and a published port.
engine_rules() { # IPTABLES SUBNET CONTAINER
	local proto
	for proto in tcp udp; do
		"$1" -t nat -A POSTROUTING -s "$2" ! -o br0 -p "$proto" -j MASQUERADE \
			--to-ports 50000-50999
	done
	"$1" -t nat -N DOCKER
	"$1" -t nat -A PREROUTING ! -i br0 -j DOCKER
	"$1" -t nat -A DOCKER -p tcp -m tcp --dport 80 -j DNAT --to-destination "$3"
}

translate_by_iptables() {
	engine_rules iptables 10.66.0.0/24 10.66.0.2:8080
	engine_rules ip6tables fd66::/64 '[fd66::2]:8080'
}

has_iptables() {
	iptables -t nat -A POSTROUTING -s 10.66.9.0/24 -p tcp -j MASQUERADE --to-ports 50000 &&
		iptables -t nat -F POSTROUTING
}

# --- who is asked, and what each says ---

session() { # PROTO LOCAL REMOTE [NAME=VALUE...]: records of the exact look-up
	local words=(-G -d "proto=$1" -d "local=$2" -d "remote=$3") word
	for word in "${@:4}"; do [[ ! $word ]] || words+=(-d "$word"); done
	api /v1/session "${words[@]}"
}

library() { "$BUILD/tests/library" -p "$PINS" -s "$SOCK" "$@"; } # QUESTION...

cookie_of() { jq -r '"netns_cookie=\(.flowner.netns_cookie)"' <<<"$1"; } # RECORD

told_as() { # RECORD LOCAL REMOTE ID: in JSON
	same "flow of $2 $3" "$(jq -r .flowner.flow_id <<<"$1")" "$4"
	same "nat, $2 $3" "$(jq -r .flowner.nat <<<"$1")" true
	same "ends, $2 $3" "$(jq -r '.flowner | .nat_local, .nat_remote |
		if .ip | contains(":") then "[\(.ip)]:\(.port)" else "\(.ip):\(.port)" end' \
		<<<"$1" | paste -sd ' ')" "$2 $3"
	same "nat of source and destination, $2 $3" \
		"$(jq -c '[.source.nat, .destination.nat] | sort' <<<"$1")" \
		"$(jq -c '[.flowner.nat_local, .flowner.nat_remote] | sort' <<<"$1")"
}

# The library's line: the flow with its own ends, which are those it has by its id, and the others.
printed_as() { # LINE LOCAL REMOTE ID
	matches "flow of $2 $3" "$1" "^[a-z]+ $4 "
	same "both ends of $2 $3" "${1#* }" "$(library id "$4" | cut -d ' ' -f 2-) seen $2 $3"
}

in_library() { # PROTO LOCAL REMOTE ID
	local now
	now=$(library time)
	exits 1 library find "$1" "$2" "$3"
	printed_as "$(library nat "$1" "$2" "$3")" "$2" "$3" "$4"
	exits 1 library packet - "$1" "$2" "$3"
	printed_as "$(library packet n "$1" "$2" "$3" | grep ^sender)" "$2" "$3" "$4"
	printed_as "$(library packet n "$1" "$3" "$2" | grep ^receiver)" "$2" "$3" "$4"
	printed_as "$(library packet_at "$now" n "$1" "$2" "$3" | grep ^sender)" "$2" "$3" "$4"
}

# The one answer to `who`, and to programs: which flow, and as what it is seen.
seen_as() { # PROTO LOCAL REMOTE ID [OPTIONS...]
	local record where
	record=$(flowner who -j "${@:5}" "$1" "$2" "$3") || fail "nobody has $1 $2 $3"
	told_as "$record" "$2" "$3" "$4"
	flowner who "${@:5}" "$1" "$2" "$3" >"$T/text"
	same "text of it" "$(sed -n 's/^nat: *//p' "$T/text")" "seen as $2, $3"
	where=${5:+$(cookie_of "$record")} # who translates for itself is who has the flow
	told_as "$(session "$1" "$2" "$3" "$where")" "$2" "$3" "$4"
	matches "/v1/session of a moment" "$(session "$1" "$2" "$3" "$where" around=1)" \
		'nobody owns such a session'
	[[ $where ]] || in_library "$1" "$2" "$3" "$4"
}

# A miss stays a miss, whomever one asks.
nobody() { # PROTO LOCAL REMOTE
	refuses 1 'nobody owns such a connection' flowner who "$1" "$2" "$3"
	matches "/v1/session $1 $2 $3" "$(session "$1" "$2" "$3")" 'nobody owns such a session'
	exits 1 library nat "$1" "$2" "$3"
	matches "the library's miss" "$(<"$T/out")" '^error ENOENT'
	exits 1 library packet n "$1" "$2" "$3"
}

plain() { # PROTO LOCAL REMOTE ID: what needs no conntrack does not tell of it
	local record
	record=$(flowner who -j "$1" "$2" "$3")
	same "who $1 $2 $3" "$(jq -r '"\(.flowner.flow_id) \(.flowner.nat)"' <<<"$record")" \
		"$4 null"
	same "session $1 $2 $3" "$(session "$1" "$2" "$3" "$(cookie_of "$record")" |
		jq -r '"\(.flowner.flow_id) \(.flowner.nat)"')" "$4 null"
}

peer_of() { # NAME FILTER: the other end, as the one inside NAME sees it
	inside "$1" ss -Hntu "$2" | awk '{ print $NF }'
}

masqueraded() { # CONTAINER OUTSIDE
	local container outside fd client server masked mine
	container=$(fenced "$1") outside=$(fenced "$2")
	tell outside listen tcp "$2" 443
	fd=${R[0]}
	tell container connect tcp "$2" 443
	client=${R[2]} mine=$container:${R[1]}
	tell outside accept "$fd"
	server=${R[2]}
	masked=$(peer_of outside "src $outside:443")
	matches "the address it is seen from" "$masked" ':50[0-9]{3}$'
	plain tcp "$mine" "$outside:443" "$client"
	seen_as tcp "$masked" "$outside:443" "$client"
	plain tcp "$outside:443" "$masked" "$server"
	seen_as tcp "$outside:443" "$mine" "$server"
	nobody tcp "$masked" "$outside:444"

	tell outside listen udp "$2" 53
	fd=${R[0]}
	tell container connect udp "$2" 53
	client=${R[2]}
	tell container send "${R[0]}"
	tell outside recv "$fd"
	masked=$(masked_datagrams "$2")
	seen_as udp "$masked" "$outside:53" "$client"
}

# Nobody but the daemon knows the peers of a UDP socket: by the flow of the process out there.
masked_datagrams() { # OUTSIDE
	flowner list -j -u --lport 53 --comm outsider | jq -r --arg ip "$1" \
		'select(.flowner.remote.port and .flowner.local.ip == $ip).flowner.remote |
		if .ip | contains(":") then "[\(.ip)]:\(.port)" else "\(.ip):\(.port)" end'
}

published() { # CONTAINER ROUTER OUTSIDE
	local container router outside fd client server
	container=$(fenced "$1") router=$(fenced "$2") outside=$(fenced "$3")
	tell container listen tcp "$1" 8080
	fd=${R[0]}
	tell outside connect tcp "$2" 80
	client=${R[2]} outside=$outside:${R[1]}
	tell container accept "$fd"
	server=${R[2]}
	plain tcp "$outside" "$router:80" "$client"
	seen_as tcp "$router:80" "$outside" "$server"
	seen_as tcp "$outside" "$container:8080" "$client"
}

# The daemon must look into another namespace for this one.
translates_itself() {
	local fd client port from
	rules outside <<-'RULES'
		table ip own {
			chain out {
				type nat hook output priority -100
				ip daddr 198.51.100.7 tcp dport 7 dnat to 127.0.0.1:7007
			}
		}
	RULES
	inside outside ip route add 198.51.100.0/24 dev lo
	tell outside listen tcp 127.0.0.1 7007
	fd=${R[0]}
	tell outside connect tcp 198.51.100.7 7
	client=${R[2]} port=${R[1]}
	tell outside accept "$fd"
	from=$(peer_of outside 'src 127.0.0.1:7007')
	matches "its address" "$from" ":$port\$"
	seen_as tcp "$from" 127.0.0.1:7007 "$client" --netns "${ACTOR_PID[outside]}"
	refuses 1 'nobody owns such a connection' flowner who tcp "$from" 127.0.0.1:7008
}

rules() { # NAME OR '': what is to be done, from standard input
	if [[ $1 ]]; then inside "$1" nft -f -; else nft -f -; fi
}

command -v nft >/dev/null || skip "needs nft (package nftables)"
nft 'add table inet probe; add chain inet probe x { type nat hook postrouting priority 100; }' \
	2>/dev/null || skip "no NAT in this kernel"
both_ways() {
	masqueraded 10.66.0.2 192.0.2.2
	masqueraded fd66::2 2001:db8::2
	published 10.66.0.2 192.0.2.1 192.0.2.2
	published fd66::2 2001:db8::1 2001:db8::2
}

ip link set lo up
start_daemon
network
translate_by_nft
both_ways
translates_itself
nft delete table inet nat
tell container drop
tell outside drop
if has_iptables 2>"$T/err"; then
	translate_by_iptables
	both_ways
else
	echo "without iptables: $(tail -n 1 "$T/err")"
fi
echo "ok nat"
