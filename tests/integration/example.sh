#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The programs of others: tests/example/flowid.bpf.c finds flow id and owner in sock_ops, cgroup, tc
# and XDP programs by include/flowner/flowner.bpf.h, for both ends; against what SO_COOKIE told.
# modules: sch_ingress cls_bpf
# what it sees is the kernel's doing
. "$(dirname "$0")/lib.sh"

own_netns
start_daemon
actor server
actor client
: >"$T/wanted"

nsenter -t "$NETNS" -n "$BUILD/tests/flowid" "$BUILD/tests/flowid.bpf.o" "$PINS" "$CGROUP" \
	lo >"$T/seen" 2>"$T/why" &
example=$!
ready_or_dead() {
	! grep -sq 'qdisc kind is unknown' "$T/why" || skip "no clsact in this kernel"
	grep -sq ready "$T/seen" || { gone "$example" && fail "the example: $(<"$T/why")"; }
}
eventually 20 ready_or_dead

wants() { # PLACE PORT ID NAME
	echo "$1 $2 $3 ${ACTOR_PID[$4]}" >>"$T/wanted"
}

tcp() { # HOST
	local fd port from opener acceptor client server place
	tell server listen tcp "$1" 0
	fd=${R[0]} port=${R[1]}
	tell client connect tcp "$1" "$port"
	client=${R[0]} from=${R[1]} opener=${R[2]}
	tell server accept "$fd"
	server=${R[0]} acceptor=${R[2]}
	tell client send "$client" 10
	tell server drain "$server" 10
	tell server send "$server" 10
	tell client drain "$client" 10
	for place in sock_ops cgroup tc xdp; do
		wants "$place" "$from" "$opener" client
		wants "$place" "$port" "$acceptor" server
	done
}

udp() { # HOST
	local fd port client from opener peer place
	tell server listen udp "$1" 0
	fd=${R[0]} port=${R[1]}
	tell client connect udp "$1" "$port"
	client=${R[0]} from=${R[1]} opener=${R[2]}
	tell client send "$client"
	tell server recv "$fd"
	tell client send "$client"
	tell server recv "$fd"
	peer=$(flowner show "$opener" -j | jq -r .flowner.peer_flow_id)
	for place in tc xdp; do
		wants "$place" "$from" "$opener" client
		wants "$place" "$port" "$peer" server
	done
}

later_life() { # the cookie is spent: the id is a number
	local port fd from
	tell server listen tcp 127.0.0.1 0
	port=${R[1]} fd=${R[0]}
	tell client connect tcp 127.0.0.1 "$port"
	tell client reconnect "${R[0]}" 127.0.0.1 "$port"
	from=${R[1]}
	wants sock_ops "$from" "$(flowner list -j --state established ":$from" |
		jq -r 'select(.flowner.role == "opener") | .flowner.flow_id')" client
	tell server close "$fd"
}

for host in 127.0.0.1 ::1; do
	tcp "$host"
	udp "$host"
done
later_life

kill "$example"
wait "$example" || fail "the example ended with $?: $(<"$T/why")"
missing=$(sort "$T/wanted" | comm -23 - <(sort "$T/seen"))
[[ -z $missing ]] || fail "seen:
$(sort "$T/seen")
not found:
$missing"
