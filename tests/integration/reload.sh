#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Policies that take turns while processes connect all the time: each attempt is judged by one of
# them as a whole. What both reject never gets through, what both allow is never denied. A policy is
# attached at the hooks it names and nowhere else, and leaves nothing. Rules that name a namespace
# are asked before those that do not, and only in it.
# timeout: 180
. "$(dirname "$0")/lib.sh"

NEVER=7001 ALWAYS=7002 EITHER=7003
LOADS=8

rule() { # NAME VERDICT TERMS
	printf '  - {name: %s, hooks: [connect], verdict: %s, %s}\n' "$1" "$2" "$3"
}

policy() { # FILE VERDICT: of EITHER
	{
		echo 'mode: enforce'
		echo 'rules:'
		rule always allow "remote: {port: $ALWAYS}"
		rule either "$2" "remote: {port: $EITHER}"
		rule never reject "remote: {port: $NEVER}"
	} >"$T/$1.yaml"
}

# Names of the verdict programs that are, as far as every kernel has them (15 letters), in a line.
attached() {
	cgroup_programs
	join -o 2.2 <(cut -d ' ' -f 1 "$T/programs" | sort) \
		<(bpftool prog list -j | jq -r '.[] | select(.name) | "\(.id) \(.name)"' | sort) |
		sed -n '/^verdict_/p' | cut -c -15 | sort -u | xargs
}

# --- atomic ---

begin() { # NAME PROTO ADDRESS PORT: tries until end()
	echo "tries $2 $3 $4" >&"${ACTOR_TO[$1]}"
}

end() { # NAME: PASSED and DENIED
	local what
	echo who >&"${ACTOR_TO[$1]}"
	read -r -t "$((20 * TEST_SLOW))" what PASSED DENIED <&"${ACTOR_FROM[$1]}" ||
		fail "$1 does not answer"
	same "$1: it had another error" "$what" ok
	read -r -t "$((20 * TEST_SLOW))" what _ <&"${ACTOR_FROM[$1]}"
}

under_load() {
	local proto address port name i passed=0 denied=0
	declare -A NAMES
	for proto in tcp udp; do
		for address in 127.0.0.1 ::1 ::ffff:127.0.0.1; do
			for port in $NEVER $ALWAYS $EITHER; do
				name=$proto-${address//:/}-$port
				actor "$name"
				begin "$name" "$proto" "$address" "$port"
				NAMES[$name]=$port
			done
		done
	done
	for ((i = 0; i < LOADS; i++)); do
		exits 0 flowner policy load "$T/$((i % 2 ? 1 : 2)).yaml"
	done
	for name in "${!NAMES[@]}"; do
		end "$name"
		dismiss "$name"
		case ${NAMES[$name]} in
		"$NEVER") same "$name: got through" "$PASSED" 0 ;;
		"$ALWAYS") same "$name: denied" "$DENIED" 0 ;;
		*) passed=$((passed + PASSED)) denied=$((denied + DENIED)) ;;
		esac
	done
	((passed && denied)) || fail "the policies did not take turns: $passed, $denied"
	echo "$LOADS loads; of the port they differ about $passed got through, $denied were denied"
}

# --- attached where it is named ---

named_hooks() {
	same "attached for connect" "$(attached)" \
		'verdict_connect verdict_sendmsg'
	sed -i 's/\[connect\]/[bind]/; s/remote/local/' "$T/1.yaml"
	exits 0 flowner policy load "$T/1.yaml"
	same "attached for bind" "$(attached)" \
		'verdict_bind4 verdict_bind6 verdict_post_bi verdict_unbind'
}

# --- namespaces ---

namespaces() {
	local first=$NETNS proto address inode
	actor native
	NETNS=''
	actor other_keeper unshare -n
	NETNS=${ACTOR_PID[other_keeper]}
	in_netns ip link set lo up
	actor stranger
	inode=$(stat -L -c %i "/proc/$first/ns/net")
	{
		echo 'mode: enforce'
		echo 'rules:'
		rule everywhere reject "remote: {port: $NEVER}"
		rule here allow "remote: {port: $NEVER}, netns: $inode"
	} >"$T/policy.yaml"
	exits 0 flowner policy load "$T/policy.yaml"
	for proto in tcp udp; do
		for address in 127.0.0.1 ::1 ::ffff:127.0.0.1; do
			begin native "$proto" "$address" "$NEVER"
			end native
			same "$proto to $address where a rule names the namespace" \
				"$((PASSED > 0)) $DENIED" '1 0'
			begin stranger "$proto" "$address" "$NEVER"
			end stranger
			same "$proto to $address elsewhere" "$PASSED $((DENIED > 0))" '0 1'
		done
	done
}

is_allowed() { # NAME
	begin "$1" tcp 127.0.0.1 "$ALWAYS"
	end "$1"
	((PASSED && !DENIED))
}

is_rejected() { # NAME
	begin "$1" tcp 127.0.0.1 "$ALWAYS"
	end "$1"
	((DENIED && !PASSED))
}

# Long before flownerd looks at all namespaces there are.
named_later() {
	{
		echo 'mode: enforce'
		echo 'rules:'
		rule named reject "remote: {port: $ALWAYS}, netns: $T/name"
	} >"$T/policy.yaml"
	exits 0 flowner policy load "$T/policy.yaml"
	is_allowed stranger || fail "rejected by the name of nothing"
	: >"$T/name"
	mount --bind "/proc/$NETNS/ns/net" "$T/name"
	eventually 5 is_rejected stranger
	is_allowed native || fail "rejected in another namespace"
	umount "$T/name"
	eventually 5 is_allowed stranger
}

main() {
	start_daemon
	own_netns
	policy 1 allow
	policy 2 reject
	exits 0 flowner policy load "$T/1.yaml"
	under_load
	named_hooks
	namespaces
	named_later
	exits 0 flowner policy clear
	same "attached without a policy" "$(attached)" ''
}
main
