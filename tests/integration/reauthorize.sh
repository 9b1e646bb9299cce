#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# CONNECT_AUTHORIZATION again, of live sessions: another policy, another route, another interface,
# address or rule of routing. Many sessions, idle and busy, TCP and UDP, IPv4 and IPv6, to several
# networks of one other namespace. Of each it is known what the rules say: those not allowed any
# more are cut within a second, as both ends hear from the kernel, and all others carry data after.
# timeout: 300
# modules: dummy vxlan wireguard ip_gre
. "$(dirname "$0")/lib.sh"

SESSIONS=4 # of a group
GROUPS_OF=(tcp4idle tcp4busy tcp6idle tcp6busy udp4idle udp4busy udp6idle udp6busy)
WITHIN_US=$((1000000 * TEST_SLOW))
CUT=0 # by all that was done so far
declare -A RESETS=([0]=0 [1]=0 [2]=0 [3]=0)

# --- the machine: networks 10.9.0.0/24 to 10.9.3.0/24 there; `out0` and `out1` lead there ---

both() { # HERE|THERE COMMAND...
	nsenter -t "${!1}" -n "${@:2}"
}

link() { # N
	ip link add "out$1" netns "$HERE" type veth peer name "in$1" netns "$THERE"
	both HERE ip addr add "10.0.2$1.1/24" dev "out$1"
	both HERE ip addr add "fd00:2$1::1/64" dev "out$1" nodad
	both HERE ip link set "out$1" up
	both THERE ip addr add "10.0.2$1.2/24" dev "in$1"
	both THERE ip addr add "fd00:2$1::2/64" dev "in$1" nodad
	both THERE ip link set "in$1" up
}

machine() {
	local place d
	own_netns
	HERE=$NETNS
	NETNS=''
	actor there unshare -n
	THERE=${ACTOR_PID[there]}
	both THERE ip link set lo up
	for place in HERE THERE; do
		both "$place" sysctl -qw net.ipv4.conf.all.rp_filter=0 \
			net.ipv4.conf.default.rp_filter=0
	done
	link 0
	link 1
	both HERE ip addr add 10.9.100.1/32 dev lo
	both HERE ip addr add fd09:100::1/128 dev lo nodad
	both THERE ip route add 10.9.100.1/32 via 10.0.21.1
	both THERE ip route add fd09:100::1/128 via fd00:21::1
	NETNS=$THERE
	start_told server "$BUILD/tests/herd"
	for d in 0 1 2 3; do
		both THERE ip addr add "10.9.$d.1/32" dev lo
		both THERE ip addr add "fd09:$d::1/128" dev lo nodad
		for place in tcp udp; do
			tell server serve "$place" "10.9.$d.1" $((7000 + d))
			tell server serve "$place" "fd09:$d::1" $((7000 + d))
		done
	done
	NETNS=$HERE
	start_told client "$BUILD/tests/herd"
	INODE=$(stat -L -c %i "/proc/$HERE/ns/net")
}

# The way to network D; SINCE is when that began.
way() { # D DEV [GATEWAY_OF_IPV4 GATEWAY_OF_IPV6]
	SINCE=$(now_us)
	both HERE ip -batch - <<-END
		route replace 10.9.$1.0/24 ${3:+via $3} dev $2 src 10.9.100.1
		route replace fd09:$1::/64 ${4:+via $4} dev $2 src fd09:100::1
	END
}

by_out() { way "$1" "out$2" "10.0.2$2.2" "fd00:2$2::2"; } # D N

# --- sessions ---

now_us() { echo "${EPOCHREALTIME/[.,]/}"; }

group() { echo $(($1 * 10 + $2)); } # D NUMBER

open() { # D...: sessions of every kind to each of these networks
	local d n kind to
	for d in "$@"; do
		for n in "${!GROUPS_OF[@]}"; do
			kind=${GROUPS_OF[n]}
			to=10.9.$d.1
			[[ $kind != ???6* ]] || to=fd09:$d::1
			tell client open "$(group "$d" "$n")" "${kind:0:3}" "$to" $((7000 + d)) \
				"$SESSIONS" "${kind:4}"
		done
	done
}

leave() { # D...
	local d n
	for d in "$@"; do
		for n in "${!GROUPS_OF[@]}"; do tell client leave "$(group "$d" "$n")"; done
	done
}

# All to network D are cut, not later than a second after SINCE.
are_cut() { # WHAT D [FAMILY]
	local n kind late
	for n in "${!GROUPS_OF[@]}"; do
		kind=${GROUPS_OF[n]}
		[[ ${kind:3:1} == "${3:-?}" || ! ${3:-} ]] || continue
		tell client cut "$(group "$2" "$n")" "$SESSIONS" $((WITHIN_US / 1000 + 1000))
		same "$1: $kind to network $2 that are cut" "${R[0]}" "$SESSIONS"
		same "$1: what $kind hears" "${R[*]:2}" ECONNABORTED
		late=$((R[1] - SINCE))
		((late <= WITHIN_US)) || fail "$1: $kind to network $2 was cut after $late us"
		((late <= SLOWEST)) || SLOWEST=$late
		CUT=$((CUT + SESSIONS))
		[[ $kind != tcp* ]] || RESETS[$2]=$((RESETS[$2] + SESSIONS))
	done
}

has_reset() { # D
	tell server reset $((7000 + $1))
	((R[0] >= RESETS[$1]))
}

peers_hear() { # D: of all that were cut so far, which could be told
	soon 5 has_reset "$1" || true
	tell server reset $((7000 + $1))
	same "resets at network $1" "${R[0]}" "${RESETS[$1]}"
}

# All to network D still carry data.
live_on() { # WHAT D
	local n
	for n in "${!GROUPS_OF[@]}"; do
		tell client alive "$(group "$2" "$n")"
		same "$1: ${GROUPS_OF[n]} to network $2 that carry data" "${R[0]}" "$SESSIONS"
	done
}

# --- policies ---

rule() { # NAME D TERMS
	echo "  - {name: $1, hooks: [connect_authorization], verdict: reject, $3${3:+, }" \
		"remote: {addr: [10.9.$2.0/24, 'fd09:$2::/64']}}"
}

policy() { # MODE RULE...
	echo "mode: $1"
	echo 'rules:'
	printf '%s\n' "${@:2}"
}

load() { # MODE RULE...
	policy "$@" >"$T/policy.yaml"
	exits 0 flowner policy load "$T/policy.yaml"
}

# All of them. A policy that is gone takes its programs along: to have them verified again is long.
let_in() { load enforce "$(rule to-nobody 99 '')"; }

# --- a namespace that comes after the policy; a link that comes after the session ---

newborn() {
	load enforce "$(rule by-type 2 'interface_type: tunnel')"
	machine
	by_out 0 0
	by_out 2 0
	open 0 2
	new_link vxlan type vxlan id 6 dstport 4789 local 10.0.21.1 remote 10.0.21.2
	way 3 moved 10.0.22.2 fd00:22::2
	open 3 # by it, so that nothing but the change is news
	way 2 moved 10.0.22.2 fd00:22::2
	are_cut 'in a new namespace' 2
	live_on 'in a new namespace' 0
	live_on 'in a new namespace' 3
	peers_hear 2
	tell server forget 7003 # whom one leaves with an answer unread, one resets
	leave 2 3
	no_link
}

# --- another policy ---

policies() {
	local to_2
	to_2=$(rule to-2 2 "netns: $INODE, interface: out0")
	by_out 2 0
	open 2
	load audit "$to_2"
	eventually 10 told_in_audit to-2
	live_on 'in audit' 2
	SINCE=$(now_us)
	load enforce "$to_2"
	are_cut 'a load' 2
	peers_hear 2
	live_on 'a load' 0
	leave 2
	let_in
	open 2
	load enforce "$(rule to-3 3 '')"
	SINCE=$(now_us)
	policy enforce "$to_2" | exits 0 flowner policy add -
	are_cut 'an added rule' 2
	peers_hear 2
	leave 2
	let_in
	open 2
	policy enforce "$to_2" >"$T/policy.yaml"
	exits 0 flowner policy load "$T/policy.yaml" --try 60s
	by_out 3 1 # news, while the policy is on trial
	live_on 'on trial' 0
	same "cut on trial" "$(cut_so_far)" "$CUT"
	SINCE=$(now_us)
	exits 0 flowner policy confirm
	are_cut 'a policy that is confirmed' 2
	peers_hear 2
	leave 2
}

# --- another way ---

# kind       interface_type tunnel_type  what `ip link add` needs
ENDS='local 10.0.21.1 remote 10.0.21.2'
KINDS="
   veth      -              -            -
   dummy     -              -            type dummy
   vxlan     tunnel         udp          type vxlan id 5 dstport 4789 $ENDS
   wireguard tunnel         udp          type wireguard
   gre       tunnel         gre          type gre $ENDS
"

no_link() {
	both HERE ip link del moved
	both THERE ip link del moved 2>/dev/null || true
}

# Its module, if there is one, may need a CPU that this is not.
is_in_this_kernel() { # KIND
	local module=$1
	[[ $module != gre ]] || module=ip_gre
	modprobe -q "$module"
}

# A link `moved` HERE, with an end THERE where it takes two. Not 0: this kernel has no such kind.
new_link() { # KIND ARGUMENTS...
	local kind=$1 there=("${@:2}") said
	if [[ $kind == veth ]]; then
		ip link add moved netns "$HERE" type veth peer name moved netns "$THERE"
	elif ! said=$(both HERE ip link add moved "${@:2}" 2>&1); then
		[[ $said == *'not supported'* || $said == *'Unknown device type'* ]] ||
			fail "a link of the kind $kind: $said"
		! is_in_this_kernel "$kind" || fail "it has a module for $kind: $said"
		echo "this kernel has no links of the kind $kind"
		return 1
	fi
	if [[ $kind == vxlan ]]; then
		there=("${there[@]/10.0.21.1/LOCAL}")
		there=("${there[@]/10.0.21.2/10.0.21.1}")
		both THERE ip link add moved "${there[@]/LOCAL/10.0.21.2}"
	fi
	both HERE ip addr add 10.0.22.1/24 dev moved
	both HERE ip addr add fd00:22::1/64 dev moved nodad
	both HERE ip link set moved up
	[[ $kind == veth || $kind == vxlan ]] || return 0
	other_end moved
}

# No reset waits for a neighbour to be found: a new link finds none for seconds.
other_end() { # DEV: of it, THERE
	local mac
	both THERE ip addr replace 10.0.22.2/24 dev moved
	both THERE ip addr replace fd00:22::2/64 dev moved nodad
	both THERE ip link set moved up
	mac=$(both THERE ip -br link show moved | awk '{ print $3 }')
	both HERE ip neigh replace 10.0.22.2 lladdr "$mac" dev "$1"
	both HERE ip neigh replace fd00:22::2 lladdr "$mac" dev "$1"
}

to_moved() { # KIND D
	if [[ $1 == veth || $1 == vxlan ]]; then
		way "$2" moved 10.0.22.2 fd00:22::2
	else
		way "$2" moved
	fi
}

kind() { # KIND INTERFACE_TYPE TUNNEL_TYPE
	local d networks=(0 1) rules
	rules=("$(rule by-name 1 "netns: $INODE, interface: moved")")
	if [[ $2 != - ]]; then
		networks+=(2 3)
		rules+=("$(rule by-type 2 "interface_type: $2")"
			"$(rule by-tunnel 3 "tunnel_type: $3")")
	fi
	load enforce "${rules[@]}"
	for d in "${networks[@]}"; do by_out "$d" 0; done
	leave 0
	open "${networks[@]}"
	for d in "${networks[@]:1}"; do
		to_moved "$1" "$d"
		are_cut "$1" "$d"
	done
	live_on "$1" 0
	if [[ $1 == veth || $1 == vxlan ]]; then # what may go by it does
		to_moved "$1" 0
		live_on "$1, by it" 0
		for d in "${networks[@]:1}"; do peers_hear "$d"; done
	else # it leads nowhere: a peer may hear when there is another way again, if it sends then
		for d in "${networks[@]:1}"; do
			tell server forget $((7000 + d))
			RESETS[$d]=${R[0]}
		done
	fi
	by_out 0 0
	live_on "$1, and back" 0
	leave "${networks[@]:1}"
}

kinds() {
	local name interface tunnel how seen=()
	while read -r name interface tunnel how; do
		[[ $name ]] || continue
		# shellcheck disable=SC2086 # words
		new_link "$name" $how || continue
		kind "$name" "$interface" "$tunnel"
		no_link
		seen+=("$name")
	done <<<"$KINDS"
	echo "moved to: ${seen[*]}"
}

# --- an interface, an address, a rule of routing, a name ---

by_out1() { # WHAT COMMAND...: it leads sessions to network 1 by out1, where they may not go
	local what=$1
	shift
	load enforce "$(rule by-out1 1 "netns: $INODE, interface: [out1, later]")"
	by_out 1 0
	open 1
	"before_${1}"
	live_on "before $what" 1
	SINCE=$(now_us)
	"$@"
	are_cut "$what" 1
	live_on "$what" 0
	leave 1
	"after_${1}"
}

before_link_down() {
	both HERE ip route add 10.9.1.0/24 via 10.0.21.2 metric 1000 src 10.9.100.1
	both HERE ip route add fd09:1::/64 via fd00:21::2 metric 2000 src fd09:100::1
	by_out 0 1
}
link_down() { both HERE ip link set out0 down; }
after_link_down() {
	both HERE ip route flush root 10.9.1.0/24
	both HERE ip -6 route flush root fd09:1::/64
	both HERE ip link set out0 up
	both HERE ip addr replace fd00:20::1/64 dev out0 nodad
	by_out 0 0
	by_out 1 0
}

before_address() { :; }
address() {
	both HERE ip addr add 10.9.1.77/25 dev out1
	both HERE ip addr add fd09:1::77/80 dev out1 nodad
}
after_address() {
	both HERE ip addr del 10.9.1.77/25 dev out1
	both HERE ip addr del fd09:1::77/80 dev out1
}

before_routing_rule() {
	both HERE ip route add default via 10.0.21.2 table 100
	both HERE ip -6 route add default via fd00:21::2 table 100
}
routing_rule() {
	both HERE ip rule add to 10.9.1.0/24 ipproto tcp lookup 100
	both HERE ip rule add to 10.9.1.0/24 ipproto udp lookup 100
	# each family's is news of its own
	tell client cut "$(group 1 0)" "$SESSIONS" $((WITHIN_US / 1000 + 1000))
	both HERE ip -6 rule add to fd09:1::/64 dport 7001 lookup 100
}
after_routing_rule() {
	both HERE ip rule del to 10.9.1.0/24 ipproto tcp lookup 100
	both HERE ip rule del to 10.9.1.0/24 ipproto udp lookup 100
	both HERE ip -6 rule del to fd09:1::/64 dport 7001 lookup 100
}

# It was `first` when they were let in.
before_name() {
	ip link add first netns "$HERE" type veth peer name moved netns "$THERE"
	named first
	live_on 'before its name' 1
}
named() { # NAME
	both HERE ip addr replace 10.0.22.1/24 dev "$1"
	both HERE ip addr replace fd00:22::1/64 dev "$1" nodad
	both HERE ip link set "$1" up
	other_end "$1"
	way 1 "$1" 10.0.22.2 fd00:22::2
}
name() {
	both HERE ip link set first down
	both HERE ip link set first name later
	named later
}
after_name() { both HERE ip link del later; }

# What can go nowhere for a while is not cut for that.
no_way() {
	load enforce "$(rule by-out1 1 "netns: $INODE, interface: out1")" \
		"$(rule by-out1-too 2 "netns: $INODE, interface: out1")"
	by_out 1 0
	by_out 2 0
	open 1 2
	both HERE ip addr del 10.9.100.1/32 dev lo # its routes go, too
	both HERE ip route del fd09:1::/64
	SINCE=$(now_us)
	both HERE ip route replace fd09:2::/64 via fd00:21::2 dev out1 src fd09:100::1
	are_cut 'others without a way' 2 6
	SINCE=$(now_us)
	both HERE ip addr add 10.9.100.1/32 dev lo
	by_out 2 1
	are_cut 'after a while without a way' 2 4
	by_out 0 0
	by_out 1 0
	live_on 'after a while without a way' 1
	leave 1 2
}

# --- who loads it ---

# Whoever runs it is an ancestor of `flowner policy load`, and has a session of its own.
# shellcheck disable=SC2016 # expanded by that shell
LOADS='exec 3<>/dev/tcp/10.9.3.1/7003
	read -r -t 20 -n 1 <&3 & printf x >&3; wait $!
	"$FLOWNER" policy load "$POLICY" $OPTIONS >&2 || exit
	echo loaded
	read -r # until all others are cut
	trap "" PIPE
	printf x >&3 && read -r -t 20 -n 1 <&3 && echo lives || echo cut'

loads() { # WORD OPTIONS [COMMAND...]: what is done before all others are cut
	local to from
	open 3
	policy enforce "$(rule to-3 3 '')" >"$T/policy.yaml"
	mkfifo "$T/loader.to" "$T/loader.from"
	NETNS=$HERE start_piped loader env FLOWNER="$BUILD/flowner" FLOWNER_SOCKET="$SOCK" \
		POLICY="$T/policy.yaml" OPTIONS="$2" nsenter -t "$HERE" -n bash -c "$LOADS"
	exec {to}>"$T/loader.to" {from}<"$T/loader.from"
	read -r -t 60 -u "$from" said
	same "who loads" "$said" loaded
	SINCE=$(now_us)
	"${@:3}"
	are_cut "a load${2:+ with }$2" 3
	[[ $1 != cut ]] || CUT=$((CUT + 1))
	[[ $1 != cut ]] || RESETS[3]=$((RESETS[3] + 1))
	echo go >&"$to"
	read -r -t 60 -u "$from" said
	same "the session of who loads${2:+ with }$2${3:+, }${3:-}" "$said" "$1"
	exec {to}>&- {from}<&-
	wait "$PID"
	rm "$T/loader.to" "$T/loader.from"
	leave 3
	let_in
}

callers() {
	by_out 3 0
	loads lives ''
	same "left" "$(stat_of reauthorized_left)" 1
	loads cut --force
	same "left" "$(stat_of reauthorized_left)" 1
	loads lives '' reloaded
}

left() { (($(stat_of reauthorized_left) == $1)); } # HOW_MANY

# By nobody: who loaded it stays who did.
reloaded() {
	eventually 10 left 2
	mkdir -p "$T/policy.d"
	mv "$T/policy.yaml" "$T/policy.d"
	kill -HUP "$DAEMON"
	eventually 10 left 3
	rm -r "$T/policy.d"
}

# A flownerd that does not know of them but from its killed predecessor. What is on trial cuts
# nothing: so there is something left for it.
killed() {
	kill_daemon
	start_daemon
	same "cut on trial" "$(cut_so_far)" "$CUT"
	SINCE=$(now_us)
	exits 0 flowner policy confirm
}

# --- sessions that are older than flownerd ---

old_session() { # [LOCAL_ADDRESS LOCAL_PORT]: what it calls bind() with
	tell old connect tcp 10.9.3.1 7003 "$@"
	FD=${R[0]}
}

is_answered() { # FD
	tell old send "$1"
	tell old recv "$1"
	same "answered" "${R[0]}" 1
}

is_cut() { # FD
	try old recv "$1"
	same "who is older than flownerd and may not be" "${R[*]}" \
		'error Software caused connection abort'
}

passed_over() { (($(stat_of reauthorized_unjudged) >= $1)); } # HOW_MANY

older() {
	local cut=() unsure listener accepted from before by_port
	NETNS=$HERE actor old
	NETNS=$THERE actor far
	old_session
	cut+=("$FD")
	stop_daemon
	old_session
	cut+=("$FD")
	old_session 10.9.100.1 30001
	cut+=("$FD")
	old_session 10.9.100.1 0
	unsure=$FD
	tell old listen tcp 10.9.100.1 30002
	listener=${R[0]}
	tell far connect tcp 10.9.100.1 30002 10.9.3.1 30003
	from=${R[0]}
	tell old accept "$listener"
	accepted=${R[0]}
	start_daemon
	by_port=$(rule by-port 3 "netns: $INODE, interface: out0, local: {port: 30000-65535}")
	load enforce "$by_port" "$(rule by-whom 3 'exe: /bin/true')" # nobody knows who opened it
	eventually 10 passed_over $((${#cut[@]} + 1))
	for FD in "${cut[@]}"; do is_answered "$FD"; done
	same "cut for who has them" "$(cut_so_far)" 0
	before=$(stat_of reauthorized_unjudged)
	load enforce "$by_port"
	for FD in "${cut[@]}"; do is_cut "$FD"; done
	eventually 10 passed_over $((before + 1))
	load enforce "$by_port"
	eventually 10 passed_over $((before + 2))
	is_answered "$unsure"
	tell far send "$from"
	tell old recv "$accepted"
	same "bytes from who came in" "${R[0]}" 1
	same "older ones cut" "$(cut_so_far)" ${#cut[@]}
	live_on 'older than flownerd' 0
	dismiss old
	dismiss far
}

# --- what was told and counted ---

watched() { (($(flowner stats -j | jq .streams.open) > 0)); }

told() { # RULE ENFORCED: how many, of live sessions or of their datagrams
	jq -s --arg rule "$1" --argjson enforced "$2" '[.[] |
		select(.event.action == "verdict" and .rule.name == $rule and
			.flowner.enforced == $enforced and .flowner.verdict == "reject" and
			.flowner.hook == "connect_authorization") |
		.flowner.count // 1] | add // 0' "$T/events"
}

told_in_audit() { # RULE
	exits 0 flowner policy load "$T/policy.yaml" # tells what was joined
	(($(told "$1" false) >= ${#GROUPS_OF[@]} * SESSIONS))
}

cut_so_far() { stat_of reauthorized_cut; }

counted() {
	same "counted as cut" "$(cut_so_far)" "$CUT"
	same "counted as not judged" "$(stat_of reauthorized_unjudged)" 0
	jq -es 'any(.[]; .flowner.reauthorization and .flowner.verdict == "reject" and
		.flowner.enforced and .rule.name == "by-name")' "$T/events" >/dev/null ||
		fail "no event says that it was a reauthorization"
	jq -es 'any(.[]; .event.action == "close" and .event.reason == "aborted")' \
		"$T/events" >/dev/null || fail "no session is told to be aborted"
}

main() {
	SLOWEST=0
	start_daemon
	FLOWNER_SOCKET=$SOCK "$BUILD/flowner" watch -j >"$T/events" 2>"$T/watch.err" &
	WATCH=$!
	eventually 10 watched
	newborn
	policies
	kinds
	by_out1 'a link that is down' link_down
	by_out1 'a new address' address
	by_out1 'a rule of routing' routing_rule
	by_out1 'a new name' name
	no_way
	callers
	counted
	terminate "$WATCH"
	nothing_lost
	loads lives '--try 600s' killed
	older
	echo "$CUT sessions cut, the last of them $SLOWEST us after the change"
}
main
