#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# CONNECT_AUTHORIZATION: judged when the route is chosen, by the interface it goes out by, before
# the first packet. Two network namespaces and several ways from one to the other: what the
# application gets and how soon, what left by any interface and what arrived at the peer (both seen
# by a capture), what was told and counted. What a link is, is known of every kind that this kernel
# can make.
# timeout: 240
# modules: vxlan wireguard ip_gre
. "$(dirname "$0")/lib.sh"

declare -A ERROR=(
	['Operation not permitted']=EPERM
	['Connection timed out']=ETIMEDOUT
	['No route to host']=EHOSTUNREACH
	['Permission denied']=EACCES
)

# --- the machine: `out0` and `out1` lead to `in0` and `in1`, each with a network of its own ---

index_of() { # INTERFACE
	INDEX[$1]=$(in_netns ip -j link show "$1" | jq '.[0].ifindex')
}

link() { # N
	ip link add "out$1" netns "$HERE" type veth peer name "in$1" netns "$THERE"
	for place in "$HERE out$1 1" "$THERE in$1 2"; do
		# shellcheck disable=SC2086 # words
		set -- "$1" $place
		nsenter -t "$2" -n ip addr add "10.0.2$1.$4/24" dev "$3"
		nsenter -t "$2" -n ip addr add "fd00:2$1::$4/64" dev "$3" nodad
		nsenter -t "$2" -n ip link set "$3" up
	done
}

machine() {
	own_netns
	HERE=$NETNS
	NETNS=''
	actor there unshare -n
	THERE=${ACTOR_PID[there]}
	nsenter -t "$THERE" -n ip link set lo up
	link 0
	link 1
	INODE=$(stat -L -c %i "/proc/$HERE/ns/net")
	NETNS=$THERE
	start_told peer "$BUILD/tests/wire" arrives
	actor server
	NETNS=$HERE
	index_of out0
	index_of out1
	start_told wire "$BUILD/tests/wire" # shows what leaves
	in_netns sysctl -qw net.ipv4.tcp_syn_retries=1
	actor client
	actor friend
}

# --- the policy: a port says what is asked for, and each attempt has its own ---

BY_NAME=21000 BY_TYPE=21250 BY_TUNNEL=21500 SOFT=21750 HARD=22000 STRANGE=22250 UNANSWERED=22500
INSIDE=22750
PORTS=250
CELL=0
declare -A INDEX # of the interfaces by which it goes

rule() { # NAME PORT VERDICT [TERMS]
	echo "  - {name: $1, hooks: [connect_authorization], verdict: $3${4:+, $4}," \
		"remote: {port: $2-$(($2 + PORTS - 1))}}"
}

policy() { # MODE
	echo "mode: $1"
	echo 'rules:'
	rule by-name "$BY_NAME" reject "netns: $INODE, interface: out0"
	rule by-type "$BY_TYPE" reject 'interface_type: virtual'
	rule by-tunnel "$BY_TUNNEL" reject 'not: {tunnel_type: none}'
	rule soft "$SOFT" proceed_soft
	rule hard "$HARD" proceed_hard 'interface_type: virtual'
	rule strange "$STRANGE" proceed_hard
	rule inside "$INSIDE" reject 'interface_type: loopback'
	echo "  - {name: unanswered, hooks: [recv_accept], proto: tcp," \
		"local: {port: $UNANSWERED}, verdict: reject}"
}

# --- one attempt ---

word() { # of the last answer
	local why="${R[*]:1}"
	if [[ ${R[0]} == ok ]]; then echo ok; else echo "${ERROR[$why]:-$why}"; fi
}

now_us() { echo "${EPOCHREALTIME/[.,]/}"; }

serve() { # PROTO ADDRESS PORT
	local family=4
	[[ $2 != *:* ]] || family=6
	tell server socket "$1" "$family"
	SERVER=${R[0]}
	tell server bind "$SERVER" "$2" "$3"
	[[ $1 == udp ]] || tell server begin "$SERVER"
}

new() { # PROTO ADDRESS
	local family=4
	[[ $2 != *:* ]] || family=6
	tell client socket "$1" "$family"
	FD=${R[0]} ID=${R[2]}
}

# In these, IT is what the application gets, US how long that took.
timed() { # COMMAND...
	local before
	before=$(now_us)
	try client "$@"
	US=$(($(now_us) - before))
	IT=$(word)
}

way_call() { # tcp: connect(); udp: connect(), then send()
	timed call "$FD" "$2" "$3"
	[[ $1 == tcp || $IT != ok ]] || timed send "$FD"
}

way_later() { timed later "$FD" "$2" "$3"; } # connect() that does not wait
way_sendto() { timed sendto "$FD" "$2" "$3"; }

on_the_wire() { # WHAT ANSWER PROTO PORT: here and at the peer
	local at
	for at in wire peer; do
		tell "$at" seen "$4"
		case $2$3 in
		oktcp) matches "$1: seen by $at" "${R[*]}" '^>syn >ack' ;;
		okudp) same "$1: seen by $at" "${R[*]}" '>udp' ;;
		*) same "$1: seen by $at" "${R[*]}" '' ;;
		esac
	done
}

# By which way one gets to ADDRESS, as an event tells it; a rule that names it knows its name.
route_to() { # ADDRESS RULE -> ROUTE
	case $1 in
	*[.:]20[.:]*) ROUTE="${INDEX[out0]} virtual none" ;;
	*[.:]21[.:]*) ROUTE="${INDEX[out1]} virtual none" ;;
	*) ROUTE="${INDEX[tunnel]} tunnel udp" ;;
	esac
	[[ $2 != by-name ]] || ROUTE+=' out0'
}

# By ROUTE, is ANSWER what `policy test` says?
rehearsed() { # PROTO ADDRESS PORT ANSWER
	local status=0 name address=$2 interface_type tunnel_type
	read -r _ interface_type tunnel_type name <<<"$ROUTE"
	[[ $4 == ok ]] || status=1
	[[ $address != *:* ]] || address="[$address]"
	exits "$status" flowner policy test "$T/policy.yaml" --hook connect_authorization \
		--proto "$1" --remote "$address:$3" --interface "${name:-eth0}" \
		--interface-type "$interface_type" --tunnel-type "$tunnel_type" --netns "$INODE"
}

attempt() { # WAY PROTO ADDRESS PORT ANSWER RULE VERDICT
	local port=$(($4 + CELL)) answer=$5 rule=$6 verdict=$7 type=ipv4
	local what="$1 of $2 to $3 $port, $MODE"
	CELL=$((CELL + 1))
	[[ $MODE == enforce || $answer == ok ]] || answer=ok
	[[ $3 != fd* ]] || type=ipv6
	tell wire seen "$port"
	tell peer seen "$port"
	serve "$2" "$3" "$port"
	new "$2" "$3"
	"way_$1" "$2" "$3" "$port"
	matches "$what" "$IT" "^($answer)\$"
	if [[ $answer == ok ]]; then
		tell server "$([[ $2 == tcp ]] && echo accept || echo recv)" "$SERVER"
	fi
	on_the_wire "$what" "$answer" "$2" "$port"
	route_to "$3" "$rule"
	[[ $MODE == audit || $4 == "$STRANGE" ]] || rehearsed "$2" "$3" "$port" "$answer"
	if [[ $rule != - ]]; then
		HITS[$rule]=$((${HITS[$rule]:-0} + 1))
		[[ $verdict == soft ]] || echo "$rule $verdict $MODE $2 $type" \
			"${ACTOR_PID[client]} $ID $port $ROUTE" >>"$T/wanted"
	fi
	tell client close "$FD"
	tell server close "$SERVER"
}

denied() { # PROTO: what it gets
	if [[ $1 == tcp ]]; then echo EHOSTUNREACH; else echo EPERM; fi
}

# --- all of them ---

families() { # FUNCTION PROTO WAY
	"$1" "$2" "$3" 10.0.20.2 10.0.21.2
	"$1" "$2" "$3" fd00:20::2 fd00:21::2
	"$1" "$2" "$3" ::ffff:10.0.20.2 ::ffff:10.0.21.2
}

cells() { # PROTO WAY ADDRESS_BY_OUT0 ADDRESS_BY_OUT1
	local no
	no=$(denied "$1")
	attempt "$2" "$1" "$3" "$BY_NAME" "$no" by-name reject
	attempt "$2" "$1" "$4" "$BY_NAME" ok - - # the same by the other interface
	attempt "$2" "$1" "$3" "$BY_TYPE" "$no" by-type reject
	attempt "$2" "$1" "$3" "$BY_TUNNEL" ok - -
	attempt "$2" "$1" "$3" "$SOFT" ok soft soft
	attempt "$2" "$1" "$3" "$HARD" ok hard hard
}

table() {
	families cells tcp call
	families cells tcp later
	families cells udp call
	families cells udp sendto
}

MARK=0x666c776e # and mask, as `ip rule` shows them

prohibits() { # 4|6
	in_netns ip "-$1" rule | grep -c "^1:.*fwmark $MARK prohibit proto 102"
}

prohibited() { [[ "$(prohibits 4) $(prohibits 6)" == "$1 $1" ]]; } # COUNT

# The daemon hears of the first that is rejected in a namespace, maybe before that gives up.
first() {
	prohibited 0 || fail "there are routing rules: $(in_netns ip rule)"
	attempt call tcp fd00:20::2 "$BY_NAME" 'ETIMEDOUT|EACCES' by-name reject
	eventually 10 prohibited 1
}

no_such_kind() { # KIND: it could not be made; why is in $T/err
	grep -qE 'not supported|Unknown device type|/dev/net/tun' "$T/err" ||
		fail "a link of the kind $1: $(<"$T/err")"
	echo "this kernel has no links of the kind $1" >&2
}

# A policy that is loaded judges again what lives on; and what has no way any more lives long.
none_open() { [[ ! $(flowner list -j | jq 'select(.flowner.role == "opener")') ]]; }

# The rule by type of tunnel has let all of these pass; what goes through one it does not.
tunnel() {
	local id='type vxlan id 5 dstport 4789'
	# shellcheck disable=SC2086 # words
	if ! in_netns ip link add tunnel $id local 10.0.21.1 remote 10.0.21.2 2>"$T/err"; then
		no_such_kind vxlan
		return
	fi
	# shellcheck disable=SC2086 # words
	nsenter -t "$THERE" -n ip link add tunnel $id local 10.0.21.2 remote 10.0.21.1
	in_netns ip addr add 10.0.22.1/24 dev tunnel
	nsenter -t "$THERE" -n ip addr add 10.0.22.2/24 dev tunnel
	in_netns ip link set tunnel up
	index_of tunnel
	nsenter -t "$THERE" -n ip link set tunnel up
	attempt call tcp 10.0.22.2 "$SOFT" ok soft soft
	attempt call tcp 10.0.22.2 "$BY_TUNNEL" EHOSTUNREACH by-tunnel reject
	attempt later tcp 10.0.22.2 "$BY_TUNNEL" EHOSTUNREACH by-tunnel reject
	attempt call udp 10.0.22.2 "$BY_TUNNEL" EPERM by-tunnel reject
	attempt sendto udp 10.0.22.2 "$BY_TUNNEL" EPERM by-tunnel reject
	attempt call udp 10.0.22.2 "$BY_TYPE" ok - -
	eventually 20 none_open
	in_netns ip link del tunnel
	nsenter -t "$THERE" -n ip link del tunnel
}

# --- what was told and counted ---

watched() { (($(flowner stats -j | jq .streams.open) > 0)); }

told() { # as attempt() writes it
	jq -r 'select(.event.action == "verdict" and .flowner.hook == "connect_authorization") |
		"\(.rule.name) \(.flowner.verdict | ltrimstr("proceed_"))" +
		" \(if .flowner.enforced then "enforce" else "audit" end)" +
		" \(.network.transport) \(.network.type) \(.process.pid) \(.flowner.flow_id)" +
		" \(.flowner.remote.port) \(.flowner.next_hop_interface)" +
		" \(.flowner.interface_type) \(.flowner.tunnel_type)" +
		if .flowner.interface then " \(.flowner.interface)" else "" end
		' "$T/events" | sort -u
}

all_told() { (($(told | wc -l) >= $(sort -u "$T/wanted" | wc -l))); }

told_in_all() {
	local differs
	soon 20 all_told || true
	differs=$(diff <(sort -u "$T/wanted") <(told)) || fail "wanted (<), told (>): $differs"
}

run() { # MODE
	MODE=$1 CELL=0
	declare -gA HITS=()
	eventually 20 none_open
	policy "$MODE" >"$T/policy.yaml"
	exits 0 flowner policy load "$T/policy.yaml"
	[[ $MODE == audit ]] || first
	table
	tunnel
	told_in_all
	rules_hit
}

# --- how soon, and what becomes of the socket ---

has_its_own() { # after CALL, as before
	tell client option "$FD" patience
	same "TCP_USER_TIMEOUT $1" "${R[0]}" 4321
	tell client option "$FD" mark
	same "SO_MARK $1" "${R[0]}" 77
}

promptly() { # EXPECTED
	local slow port=$BY_NAME
	serve tcp 10.0.20.2 "$UNANSWERED"
	new tcp 10.0.20.2
	way_call tcp 10.0.20.2 "$UNANSWERED"
	same "connect() that nobody answers" "$IT" ETIMEDOUT
	slow=$US
	tell server close "$SERVER"
	tell wire seen "$UNANSWERED"
	serve tcp 10.0.21.2 "$port"
	new tcp 10.0.21.2
	tell client option "$FD" patience 4321
	tell client option "$FD" mark 77
	way_call tcp 10.0.20.2 "$port"
	same "connect() that is rejected" "$IT" "$1"
	((US * 4 < slow)) || fail "rejected after $US us, not answered after $slow us"
	has_its_own "after that"
	if [[ $1 == EHOSTUNREACH ]]; then # else the kernel tells of it once more, by ECONNABORTED
		way_later tcp 10.0.20.2 "$port"
		same "connect() that does not wait and is rejected" "$IT" "$1"
		has_its_own "after that, too"
	fi
	tell client call "$FD" 10.0.21.2 "$port" # the same socket, another way
	has_its_own "of it"
	tell wire seen "$port"
	matches "on the wire" "${R[*]}" '^>syn >ack$'
	tell client close "$FD"
	tell server close "$SERVER"
	echo "rejected with $1 after $US us, not answered after $slow us"
}

# The application's mark leads out by out0; with ours it would go by out1, and might.
two_ways() {
	local port=$((BY_NAME + 1))
	nsenter -t "$THERE" -n ip addr add 10.0.30.2/32 dev lo
	in_netns ip route add 10.0.30.2 via 10.0.21.2
	in_netns ip route add 10.0.30.2 via 10.0.20.2 table 100
	in_netns ip rule add fwmark 99 table 100
	serve tcp 10.0.30.2 "$port"
	for mark in 99 0; do
		tell wire seen "$port"
		new tcp 10.0.30.2
		tell client option "$FD" mark "$mark"
		way_call tcp 10.0.30.2 "$port"
		tell wire seen "$port"
		echo "$mark $IT ${R[*]:0:1}"
		tell client close "$FD"
	done >"$T/ways"
	same "by the application's mark, and without" "$(<"$T/ways")" $'99 ETIMEDOUT \n0 ok >syn'
	tell server close "$SERVER"
}

prohibited_anew() {
	way_call tcp 10.0.20.2 "$BY_NAME"
	prohibited 1
}

# What the rule does not reach, and where it is not any more: nobody puts it back.
not_prohibited() {
	new tcp 10.0.20.1
	way_call tcp 10.0.20.1 "$INSIDE"
	same "connect() to an own address" "$IT" ETIMEDOUT
	kill -STOP "$DAEMON"
	in_netns ip rule del priority 1
	in_netns ip -6 rule del priority 1
	promptly ETIMEDOUT
	two_ways
	kill -CONT "$DAEMON"
	new tcp 10.0.20.2
	eventually 20 prohibited_anew
	tell client close "$FD"
	promptly EHOSTUNREACH
}

# With the policy; an earlier daemon's, too.
goes_with_it() {
	kill_daemon
	same "rules of IPv6 without a daemon" "$(prohibits 6)" 1
	start_daemon
	exits 0 flowner policy clear
	prohibited 0 || fail "there are routing rules still: $(in_netns ip rule)"
}

# A part of the mark is ours, the rest stays the application's all the time.
masked() {
	MARK=0x66000000/0xff000000
	echo 'authorization: {mark: 0x66000000, mask: 0xff000000}' >"$T/config"
	kill_daemon
	start_daemon --config "$T/config"
	exits 0 flowner policy load "$T/policy.yaml"
	MODE=enforce first
	promptly EHOSTUNREACH
}

# --- a number that is no verdict ---

# Of a rule that permits, in the kernel's tables; the order of a u32's bytes is the machine's.
strange_verdict() {
	local slot index rules bytes
	attempt call tcp 10.0.20.2 "$STRANGE" ok strange hard
	slot=$(map policy/policy_state | jq -r '.[0].value[0:4] | map(ltrimstr("0x")) | join("")')
	if little_endian; then slot=${slot:0:2}; else slot=${slot:6:2}; fi
	index=$(flowner policy show -j | jq '[.rules[].name] | index("strange")')
	read -r rules bytes < <(bpftool map show pinned "$PINS/policy/policy_rules" -j |
		jq -r '"\(.max_entries / 2) \(.bytes_value)"')
	index=$(printf '%08x' $((16#$slot * rules + index)))
	# shellcheck disable=SC2046 # words
	bpftool map update pinned "$PINS/policy/policy_rules" \
		key hex $(in_host_order $(fold -w 2 <<<"$index")) \
		value hex aa aa aa aa $(yes 0 | head -n $((bytes - 4)))
	attempt call tcp 10.0.20.2 "$STRANGE" EHOSTUNREACH - -
	attempt sendto udp 10.0.20.2 "$STRANGE" EPERM - -
}

# --- a datagram that answers one that came is no attempt to reach anybody ---

replies() {
	local port=7100
	cat >"$T/policy.yaml" <<-END
		mode: enforce
		rules:
		  - name: nobody
		    hooks: [connect_authorization]
		    local: {port: $port}
		    verdict: reject
	END
	exits 0 flowner policy load "$T/policy.yaml"
	tell client listen udp 10.0.20.1 "$port"
	FD=${R[0]}
	tell server listen udp 10.0.20.2 7101
	SERVER=${R[0]}
	tell server sendto "$SERVER" 10.0.20.1 "$port"
	tell client recv "$FD"
	tell client sendto "$FD" 10.0.20.2 7101
	tell server recv "$SERVER"
	try client sendto "$FD" 10.0.20.2 7102
	same "datagram to somebody else" "$(word)" EPERM
	tell server close "$SERVER"
	tell client close "$FD"
}

owner_of() { # PORT of the peer
	flowner list -j | jq "select(.flowner.remote.port == $1 and .flowner.role == \"acceptor\") |
		.process.pid"
}

kept_out() { [[ $(flowner policy show -j | jq '.rules[1].hits') == 1 ]]; }

# One that came and was rejected is none that may be answered; nor is it the one that is received
# next, by another process and without asking from whom.
no_replies() {
	local port=7103
	cat >"$T/policy.yaml" <<-END
		mode: enforce
		rules:
		  - name: nobody
		    hooks: [connect_authorization]
		    local: {port: $port}
		    verdict: reject
		  - name: keep out
		    hooks: [recv_accept]
		    proto: udp
		    remote: {port: 7104}
		    verdict: reject
	END
	exits 0 flowner policy load "$T/policy.yaml"
	tell client listen udp 10.0.20.1 "$port"
	FD=${R[0]}
	tell friend inbox "$T/inbox"
	local inbox=${R[0]} passed
	tell client give "$FD" "$T/inbox"
	tell friend get "$inbox"
	passed=${R[0]}
	for from in 7104 7105; do
		tell server listen udp 10.0.20.2 "$from"
		SERVER=${R[0]}
		tell server sendto "$SERVER" 10.0.20.1 "$port"
		if [[ $from == 7104 ]]; then
			eventually 10 kept_out
		else
			tell friend recv "$passed" null
			same 'who received' "$(owner_of "$from")" "${ACTOR_PID[friend]}"
		fi
		try client sendto "$FD" 10.0.20.2 "$from"
		echo "$from $(word)"
		tell server close "$SERVER"
	done >"$T/answers"
	same 'who may be answered' "$(<"$T/answers")" $'7104 EPERM\n7105 ok'
	tell client close "$FD"
}

# --- what a link is ---

# kind         interface_type tunnel_type  what `ip link add` needs
KINDS='
   loopback    loopback       none         -
   veth        virtual        none         -
   dummy       virtual        none         type dummy
   vxlan       tunnel         udp          type vxlan id 7 remote 10.0.20.2 dstport 4789
   wireguard   tunnel         udp          type wireguard
   gre         tunnel         gre          type gre remote 10.0.20.2
   tun         tunnel         other        -
'

address_by() { # KIND N ARGUMENTS...: of somebody there is a way to by that link; nothing: no such
	local kind=$1 n=$2
	shift 2
	case $kind in
	loopback) echo 127.0.0.1; return ;;
	veth) echo 10.0.20.2; return ;;
	tun) in_netns ip tuntap add "link$n" mode tun 2>"$T/err" || { no_such_kind tun; return; } ;;
	*) in_netns ip link add "link$n" "$@" 2>"$T/err" || { no_such_kind "$kind"; return; } ;;
	esac
	in_netns ip addr add "10.1.$n.1/24" dev "link$n"
	in_netns ip link set "link$n" up
	echo "10.1.$n.2"
}

kinds() {
	local kind interface tunnel how address n=0 seen=()
	{
		echo 'rules:'
		awk 'NF && !had[$2, $3]++ { print $2, $3 }' <<<"$KINDS" |
			while read -r interface tunnel; do
				rule "$interface-$tunnel" 9 reject \
					"interface_type: $interface, tunnel_type: $tunnel"
			done
		rule different 9 reject
	} >"$T/policy.yaml"
	exits 0 flowner policy load "$T/policy.yaml"
	declare -A HITS=()
	while read -r kind interface tunnel how; do
		[[ $kind ]] || continue
		n=$((n + 1))
		# shellcheck disable=SC2086 # words
		address=$(address_by "$kind" "$n" $how)
		[[ $address ]] || continue
		new udp "$address"
		try client sendto "$FD" "$address" 9 # whatever the link does with it
		HITS[$interface-$tunnel]=$((${HITS[$interface-$tunnel]:-0} + 1))
		seen+=("$kind")
		MODE="after $kind" rules_hit
	done <<<"$KINDS"
	echo "seen as what they are: ${seen[*]}"
}

main() {
	echo 'reconcile: 2s' >"$T/config"
	start_daemon --config "$T/config"
	machine
	: >"$T/wanted"
	FLOWNER_SOCKET=$SOCK "$BUILD/flowner" watch -j >"$T/events" 2>"$T/watch.err" &
	WATCH=$!
	eventually 10 watched
	run audit
	run enforce
	promptly EHOSTUNREACH
	terminate "$WATCH"
	strange_verdict
	not_prohibited
	replies
	no_replies
	kinds
	nothing_lost
	goes_with_it
	policy enforce >"$T/policy.yaml"
	masked
	echo "$(sort -u "$T/wanted" | wc -l) verdicts told"
}
main
