#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A datagram that is dropped on its way into the queue is received by nobody: who asks for the
# address of the next one serves the sender of that, and the first sender stays with who bound.
. "$(dirname "$0")/lib.sh"

own_netns
start_daemon

owner() { # PORT: of the server's session with it
	flowner list -j -u --rport "$1" --lport "$port" | jq -r '"\(.process.pid) \(.flowner.role)"'
}

for ip in 127.0.0.1 ::1; do
	actor server
	actor client
	parent=${ACTOR_PID[server]}
	tell server listen udp "$ip" 0
	fd=${R[0]} port=${R[1]}
	tell client connect udp "$ip" "$port"
	lost_fd=${R[0]} lost=${R[1]}
	tell client connect udp "$ip" "$port"
	heard_fd=${R[0]} heard=${R[1]}
	tell server ignore "$fd" "$lost"
	tell server fork
	child=${R[0]}
	tell client send "$lost_fd"
	tell client send "$heard_fd"
	tell server recv "$fd"
	same "who serves the one that was heard, $ip" "$(owner "$heard")" "$child acceptor"
	same "who serves the one that was lost, $ip" "$(owner "$lost")" "$parent acceptor"
	dismiss server
	dismiss client
done
