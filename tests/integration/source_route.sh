#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# By a source route (IP_OPTIONS, IPV6_RTHDR: anybody may set one) packets go elsewhere than to the
# address that CONNECT is asked about. Two network namespaces: what the application gets, what left,
# and what came to the peer that a rule rejects, both seen by a capture.
. "$(dirname "$0")/lib.sh"

# who is asked for, whom nobody has, and by way of whom
WAYS='
   10.7.0.9        10.7.0.2
   ::ffff:10.7.0.9 10.7.0.2
   fd07::9         fd07::2
'
PORT=7300

join() { # NETNS INTERFACE HOST
	nsenter -t "$1" -n ip addr add "10.7.0.$3/24" dev "$2"
	nsenter -t "$1" -n ip addr add "fd07::$3/64" dev "$2" nodad
	nsenter -t "$1" -n ip link set "$2" up
}

machine() {
	local here there
	own_netns
	here=$NETNS
	NETNS=''
	actor there unshare -n
	there=${ACTOR_PID[there]}
	ip link add out netns "$here" type veth peer name in netns "$there"
	join "$here" out 1
	join "$there" in 2
	NETNS=$there
	start_told peer "$BUILD/tests/wire" arrives
	NETNS=$here
	start_told wire "$BUILD/tests/wire"
	actor client
}

load() { # MODE HOOK
	cat <<-END >"$T/policy.yaml"
		mode: $1
		rules:
		  - name: peer
		    hooks: [$2]
		    remote: {addr: [10.7.0.2, "fd07::2"]}
		    verdict: reject
	END
	exits 0 flowner policy load "$T/policy.yaml"
}

new() { # PROTO ADDRESS: FD, and a PORT of its own
	local family=4
	[[ $2 != *:* ]] || family=6
	PORT=$((PORT + 1))
	tell client socket "$1" "$family"
	FD=${R[0]}
	[[ $1 == udp ]] || tell client option "$FD" patience 1 # nobody will answer
}

attempt() { # PROTO call|sendto ADDRESS VIA: IT
	new "$1" "$3"
	tell client route "$FD" "$4"
	try client "$2" "$FD" "$3" "$PORT"
	[[ "$1 $2 ${R[0]}" != 'udp call ok' ]] || try client send "$FD"
	IT="${R[*]}"
	tell client close "$FD"
}

came() {
	tell peer seen "$PORT"
	[[ ${R[*]} ]]
}

passes() { # PROTO WAY ADDRESS VIA
	attempt "$@"
	case $1 in
	tcp) same "$*, $MODE" "$IT" 'error Connection timed out' ;;
	udp) same "$*, $MODE" "$IT" ok ;;
	esac
	eventually 10 came
}

is_denied() { # WHAT ANSWER
	matches "$1" "$2" '^error (Permission denied|Operation not permitted)$'
	tell wire seen "$PORT"
	same "$1: what left" "${R[*]}" ''
}

denied() { # PROTO WAY ADDRESS VIA
	attempt "$@"
	is_denied "$*, $MODE" "$IT"
	tell peer seen "$PORT"
	same "$*, $MODE: what came" "${R[*]}" ''
}

# Of a v4-mapped peer it is asked at connect() and again at the datagram.
all() { # FUNCTION FAILED: how many could not be judged
	local before to via
	before=$(stat_of verdict_failed)
	while read -r to via; do
		[[ $to ]] || continue
		"$1" tcp call "$to" "$via"
		"$1" udp call "$to" "$via"
		"$1" udp sendto "$to" "$via"
	done <<<"$WAYS"
	same "what could not be judged, $MODE" "$(($(stat_of verdict_failed) - before))" "$2"
}

other_options() {
	new udp 10.7.0.9
	tell client route "$FD" none
	tell client sendto "$FD" 10.7.0.9 "$PORT"
}

# Of a socket that is connected already only the header tells, which the other hook reads.
afterwards() { # ADDRESS VIA
	new udp "$1"
	load enforce connect
	tell client call "$FD" "$1" "$PORT"
	tell client route "$FD" "$2"
	tell client send "$FD"
	eventually 10 came
	load enforce connect_authorization
	tell wire seen "$PORT"
	try client send "$FD"
	is_denied "by the header to $2" "${R[*]}"
	attempt tcp call "$1" "$2"
	same "by the header of a SYN to $2" "$IT" 'error Connection timed out'
	tell wire seen "$PORT"
	same "by the header of a SYN to $2: what left" "${R[*]}" ''
}

start_daemon
machine
MODE='without a policy'
all passes 0
MODE=audit
load audit connect
all passes 10
MODE=enforce
load enforce connect
all denied 9
other_options
afterwards 10.7.0.9 10.7.0.2
afterwards fd07::9 fd07::2
nothing_lost
