#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What is redirected: over IPv4, IPv6 and v4-mapped, TCP and UDP, in a network namespace of its own.
# Where it went is what the servers at both places have got and what was on the wire; where it was
# to go is what either end is told when it asks. The one that listens there goes straight.
# timeout: 400
. "$(dirname "$0")/lib.sh"

#  family  origin            target            of sockets
FAMILIES='
   v4      127.0.0.9         127.0.0.1         4
   v6      fd00::9           ::1               6
   mapped  ::ffff:127.0.0.9  ::ffff:127.0.0.1  6
'

policy() { # MODE
	cat <<-END
		mode: $1
		rules:
		  - {name: tcp4, hooks: [connect], proto: tcp, remote: {addr: 127.0.0.9, port: 80},
		     verdict: redirect, to: "127.0.0.1:3129"}
		  - {name: tcp6, hooks: [connect], proto: tcp, remote: {addr: "fd00::9", port: 80},
		     verdict: redirect, to: "[::1]:3129"}
		  - {name: udp4, hooks: [connect], proto: udp, remote: {port: [53, 54]},
		     verdict: redirect, to: "127.0.0.1:5353"}
		  - {name: udp6, hooks: [connect], proto: udp, remote: {port: [53, 54]},
		     verdict: redirect, to: "[::1]:5353"}
		  - {name: family, hooks: [connect], proto: tcp, remote: {port: 81},
		     verdict: redirect, to: "127.0.0.1:3129"}
		  - {name: second, hooks: [connect], proto: tcp, remote: {port: 80},
		     verdict: redirect, to: "127.0.0.1:1"}
		  - {name: bind4, hooks: [bind], local: {addr: 127.0.0.9, port: 7000},
		     verdict: redirect, to: "127.0.0.1:7001"}
		  - {name: bind6, hooks: [bind], local: {addr: "fd00::9", port: 7000},
		     verdict: redirect, to: "[::1]:7001"}
		  - {name: chosen, hooks: [bind], local: {addr: 127.0.0.8},
		     verdict: redirect, to: 127.0.0.1}
		  - {name: late, hooks: [bind], local: {addr: 127.0.0.7, port: 1024-65535},
		     verdict: redirect, to: 127.0.0.1}
	END
}

# --- what is asked of the ends ---

declare -A LISTENER COUNTED

serve() { # those of the mapped ones are those of IPv4
	[[ $FAMILY != mapped ]] || return 0
	tell proxy listen tcp "$TARGET" 3129
	LISTENER[$FAMILY-proxy]=${R[0]}
	tell proxy listen udp "$TARGET" 5353
	LISTENER[$FAMILY-proxy-udp]=${R[0]}
	tell origin listen tcp "$ORIGIN" 80
	LISTENER[$FAMILY-origin]=${R[0]}
	tell origin listen udp "$ORIGIN" 53
	LISTENER[$FAMILY-origin-udp]=${R[0]}
}

listener() { # proxy|origin [udp]
	local family=${FAMILY/mapped/v4}
	echo "${LISTENER[$family-$1${2:+-$2}]}"
}

new() { # ACTOR PROTO: FD, ID
	tell "$1" socket "$2" "$SOCKETS"
	FD=${R[0]} ID=${R[2]}
}

asks() { # ACTOR QUESTION FD WANTED
	tell "$1" "$2" "${@:3:$#-3}"
	same "$2 of $1, $WHAT" "${R[*]}" "${*: -1}"
}

counts() { # NAME
	COUNTED[$1]=$((${COUNTED[$1]:-0} + 1))
}

silent() { # PORT: nobody called there
	tell wire seen "$1"
	[[ " ${R[*]}" != *' >'@(syn|udp)* ]] || fail "packets of port $1, $WHAT: ${R[*]}"
}

plain() { echo "${1#::ffff:}"; } # ADDR: as listeners of IPv4 see it

# The remote end is where it went, the owner who connected.
flow_is() { # ID PORT
	flowner show -j "$1" >"$T/flow"
	same "flow of $WHAT" "$(jq -r '"\(.flowner.remote.ip) \(.flowner.remote.port) \(
		.process.pid)"' "$T/flow")" "$(plain "$TARGET") $2 ${ACTOR_PID[client]}"
}

# What a proxy may ask: who has the other end of what it accepted.
client_is() { # PORT
	local at inode
	at=$(plain "$TARGET")
	[[ $at != *:* ]] || at="[$at]"
	inode=$(in_netns stat -Lc %i /proc/self/ns/net)
	same "client of $WHAT" "$(flowner who -j --netns "$inode" tcp "$at:$1" "$at:3129" |
		jq .process.pid)" "${ACTOR_PID[client]}"
}

# --- TCP ---

connection() { # [LOCAL_PORT]: FD of the client, TAKEN of the proxy
	local port
	WHAT="TCP over $FAMILY"
	new client tcp
	[[ -z ${1:-} ]] || tell client bind "$FD" "$TARGET" "$1"
	tell client call "$FD" "$ORIGIN" 80
	port=${R[1]}
	counts connect_redirect_enforced
	tell proxy accept "$(listener proxy)"
	TAKEN=${R[0]}
	client_is "$port"
	asks client peer "$FD" "$ORIGIN 80"
	asks proxy peer "$TAKEN" "$(plain "$TARGET") $port"
}

# As the proxy's socket is of the target's family, and by the other question where that has one.
original() {
	local mapped=$ORIGIN
	[[ $FAMILY != v4 ]] || mapped=::ffff:$ORIGIN
	asks proxy led "$TAKEN" "$mapped 80 $ID ${ACTOR_PID[client]} 1234 client"
	case $FAMILY in
	v6) asks proxy original "$TAKEN" 6 "$ORIGIN 80" ;;
	*)
		asks proxy original "$TAKEN" 4 "$(plain "$ORIGIN") 80"
		asks proxy original "$TAKEN" 6 "::ffff:$(plain "$ORIGIN") 80"
		;;
	esac
}

no_original() {
	local level=4
	[[ $FAMILY != v6 ]] || level=6
	try proxy original "$TAKEN" "$level"
	same "SO_ORIGINAL_DST, $WHAT" "${R[0]}" error
	try proxy led "$TAKEN"
	same "who was led there, $WHAT" "${R[*]}" 'error No such file or directory'
}

tcp() {
	connection
	original
	flow_is "$ID" 3129
	tell client send "$FD" 7
	tell proxy drain "$TAKEN" 7
	silent 80
	tell client close "$FD"
	original # the accepted socket's own, whatever becomes of the other
	tell proxy close "$TAKEN"
}

# The same ports, another life: each is told of its own.
tcp_lives() {
	local old id
	connection 4000
	old=$TAKEN id=$ID
	tell client reset "$FD"
	new client tcp
	tell client bind "$FD" "$TARGET" 4000
	tell client call "$FD" "$TARGET" 3129
	tell proxy accept "$(listener proxy)"
	TAKEN=${R[0]} WHAT="straight TCP over $FAMILY, from the same port"
	no_original
	asks client peer "$FD" "$TARGET 3129"
	TAKEN=$old ID=$id
	original
	tell proxy reset "$old"
	tell client reset "$FD"
}

# The same socket, another peer.
tcp_again() {
	connection
	tell client reconnect "$FD" "$TARGET" 3129
	tell proxy accept "$(listener proxy)"
	TAKEN=${R[0]} WHAT="TCP over $FAMILY, reconnected straight"
	asks client peer "$FD" "$TARGET 3129"
	no_original
	tell client reconnect "$FD" "$ORIGIN" 80
	counts connect_redirect_enforced
	tell proxy accept "$(listener proxy)"
	TAKEN=${R[0]} WHAT="TCP over $FAMILY, reconnected"
	tell proxy led "$TAKEN"
	same "who was led there, $WHAT" "${R[*]:3}" "${ACTOR_PID[client]} 1234 client"
	[[ ${R[2]} != "$ID" ]] || fail "the flow is that of the first connect(), $WHAT"
	flow_is "${R[2]}" 3129
	tell client close "$FD"
}

# A socket that is bound to a device has another key.
tcp_bound() {
	WHAT="TCP over $FAMILY, bound to lo"
	new client tcp
	tell client option "$FD" device 1
	tell client call "$FD" "$ORIGIN" 80
	counts connect_redirect_enforced
	tell proxy accept "$(listener proxy)"
	TAKEN=${R[0]}
	original
	tell client close "$FD"
}

tcp_straight() { # ACTOR: as if there were no rule
	WHAT="TCP of $1 over $FAMILY"
	new "$1" tcp
	tell "$1" call "$FD" "$ORIGIN" 80
	tell origin accept "$(listener origin)"
	asks "$1" peer "$FD" "$ORIGIN 80"
	tell "$1" close "$FD"
	tell wire seen 80
	matches "packets of port 80, $WHAT" "${R[*]}" '>syn'
}

# --- UDP ---

answered() { # PORT: by the proxy, and seen as if by the origin; the client's socket is FD
	local from
	tell proxy from "$(listener proxy udp)"
	from=("${R[@]:1}")
	tell proxy sendto "$(listener proxy udp)" "${from[@]}"
	asks client from "$FD" "1 $ORIGIN $1"
	silent "$1"
}

udp_sent() {
	WHAT="UDP over $FAMILY"
	new client udp
	tell client sendto "$FD" "$ORIGIN" 53
	counts connect_redirect_enforced
	answered 53
	WHAT="UDP over $FAMILY, to another port"
	tell client sendto "$FD" "$ORIGIN" 54
	counts connect_redirect_enforced
	answered 54
	# straight to the target: what comes is not of anybody else
	WHAT="UDP over $FAMILY, straight"
	tell client sendto "$FD" "$TARGET" 5353
	tell proxy from "$(listener proxy udp)"
	tell proxy sendto "$(listener proxy udp)" "${R[@]:1}"
	asks client from "$FD" "1 $TARGET 5353"
	tell client close "$FD"
}

udp_connected() {
	WHAT="connected UDP over $FAMILY"
	new client udp
	tell client call "$FD" "$ORIGIN" 53
	counts connect_redirect_enforced
	asks client peer "$FD" "$ORIGIN 53"
	tell client send "$FD"
	answered 53
	flow_is "$ID" 5353
	tell client close "$FD"
}

udp_straight() { # ACTOR
	WHAT="UDP of $1 over $FAMILY"
	new "$1" udp
	tell "$1" sendto "$FD" "$ORIGIN" 53
	tell origin recv "$(listener origin udp)"
	tell "$1" close "$FD"
	tell wire seen 53
	matches "packets of port 53, $WHAT" "${R[*]}" '>udp'
}

# --- bind ---

bound() {
	WHAT="bind() over $FAMILY"
	new client tcp
	tell client bind "$FD" "$ORIGIN" 7000
	counts bind_redirect_enforced
	asks client name "$FD" "$TARGET 7001"
	tell client begin "$FD"
	new origin tcp
	try origin call "$FD" "$ORIGIN" 7000
	same "connect() to where it is not, $WHAT" "${R[*]}" 'error Connection refused'
	tell origin connect tcp "$TARGET" 7001
	tell client drop
}

# To a port that the kernel is to choose: by address before, by the port too late.
bound_chosen() {
	SOCKETS=4 WHAT='bind() to port 0'
	new client tcp
	tell client bind "$FD" 127.0.0.8 0
	counts bind_redirect_enforced
	tell client name "$FD"
	matches "address of $WHAT" "${R[*]}" '^127\.0\.0\.1 [1-9]'
	same "attempts not judged before" "$(stat_of verdict_failed)" 0
	new client tcp
	try client bind "$FD" 127.0.0.7 0
	matches "$WHAT, too late" "${R[*]}" '^error (Permission denied|Operation not permitted)'
	same "attempts not judged" "$(stat_of verdict_failed)" 1
	tell client drop
}

# --- all of it ---

each_family() { # FUNCTION [ARGUMENTS...]
	while read -r FAMILY ORIGIN TARGET SOCKETS; do
		[[ -z $FAMILY ]] || "$@"
	done <<<"$FAMILIES"
}

# A rule with an address of IPv4 is for IPv4.
other_family() {
	SOCKETS=6 WHAT='TCP to the other family'
	tell origin listen tcp fd00::9 81
	new client tcp
	tell client call "$FD" fd00::9 81
	asks client peer "$FD" 'fd00::9 81'
	tell client close "$FD"
}

# Two rules are for the same.
first_wins() {
	same 'hits of the second rule' "$(flowner policy show -j |
		jq '.rules[] | select(.name == "second").hits')" 0
}

watched() { (($(flowner stats -j | jq .streams.open) > 0)); }

told() { # lines of rule, enforced, where to, where from, who
	jq -r 'select(.flowner.hook == "connect" and .flowner.verdict == "redirect") |
		"\(.rule.name) \(.flowner.enforced) \(.flowner.redirected_to.ip) \(
		.flowner.redirected_to.port) \(.flowner.remote.ip) \(.flowner.remote.port) \(
		.process.pid)"' "$T/events" | sort -u
}

told_in_all() { [[ $(told) == "$1" ]]; }

wanted() { # ENFORCED
	local pid=${ACTOR_PID[client]}
	printf '%s\n' "tcp4 $1 127.0.0.1 3129 127.0.0.9 80 $pid" \
		"tcp6 $1 ::1 3129 fd00::9 80 $pid" \
		"udp4 $1 127.0.0.1 5353 127.0.0.9 53 $pid" \
		"udp6 $1 ::1 5353 fd00::9 53 $pid"
	[[ $1 == false ]] || printf '%s\n' "udp4 $1 127.0.0.1 5353 127.0.0.9 54 $pid" \
		"udp6 $1 ::1 5353 fd00::9 54 $pid"
}

watch() {
	FLOWNER_SOCKET=$SOCK "$BUILD/flowner" watch -j >"$T/events" 2>"$T/watch.err" &
	WATCH=$!
	eventually 10 watched
}

check_told() { # ENFORCED
	soon 20 told_in_all "$(wanted "$1" | sort)" ||
		fail "wanted (<), told (>): $(diff <(wanted "$1" | sort) <(told))"
	terminate "$WATCH"
}

load() { # MODE
	policy "$1" >"$T/policy.yaml"
	exits 0 flowner policy load "$T/policy.yaml"
	watch
}

audited() {
	load audit
	each_family tcp_straight client
	each_family udp_straight client
	check_told false
	same 'programs that tell of redirects, in audit' "$(guides)" ''
}

guides() {
	cgroup_programs
	grep -o 'cgroup_getsockopt' "$T/programs" || true
}

# The process that listens there, one that it has started, and UDP.
of_the_proxy() {
	each_family tcp_straight proxy
	each_family udp_straight proxy
	tell proxy fork
	FAMILY=v4 ORIGIN=127.0.0.9 SOCKETS=4
	tcp_straight proxy
}

all_counted() {
	local name
	for name in "${!COUNTED[@]}"; do
		same "$name" "$(flowner stats -j | jq ".verdicts.$name")" "${COUNTED[$name]}"
	done
	nothing_lost
}

enforced() {
	load enforce
	same 'programs that tell of redirects' "$(guides)" cgroup_getsockopt
	each_family tcp
	each_family tcp_lives
	each_family tcp_again
	each_family tcp_bound
	each_family udp_sent
	each_family udp_connected
	other_family
	first_wins
	each_family bound
	bound_chosen
	check_told true
}

# Of a daemon that is killed the programs stay, and the next one goes on with them.
survives() {
	FAMILY=v4 ORIGIN=127.0.0.9 TARGET=127.0.0.1 SOCKETS=4
	connection
	kill_daemon
	original
	start_daemon
	original
	asks client peer "$FD" "$ORIGIN 80"
	tell client close "$FD"
	connection
	original
	tell client close "$FD"
}

main() {
	start_daemon
	own_netns
	in_netns ip addr add fd00::9/128 dev lo
	actor proxy
	actor origin
	actor client
	tell client comm client
	tell client uid 1234
	start_told wire "$BUILD/tests/wire"
	each_family serve
	audited
	enforced
	of_the_proxy
	all_counted
	survives
	exits 0 flowner policy clear
	same 'programs that tell of redirects' "$(guides)" ''
	tcp_straight client
}
main
