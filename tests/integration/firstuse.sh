#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A connection that a child accepts without asking for the address: from its first send or receive
# on the child is the owner, not the parent, who listens. While it is open, not only at its end.
# what it sees is the kernel's doing
. "$(dirname "$0")/lib.sh"

way() { # MOMENT: attach points that are on
	flowner doctor -j | jq -r --arg moment "$1" \
		'.hooks[] | select(.moment == $moment and .status == "on").attach'
}

own_netns
start_daemon
[[ $(way accept) != cgroup/* || $(way 'first use') == *sock_send_length* ]] ||
	skip "nothing sees accept() nor the first use of TCP on this kernel"

owner() { flowner show -j "$1" | jq -r '"\(.process.pid) \(.flowner.role)"'; } # FLOW_ID

for ip in 127.0.0.1 ::1; do
	actor server
	actor client
	tell server listen tcp "$ip" 0
	listener=${R[0]} port=${R[1]}
	tell server fork
	child=${R[0]}

	tell client connect tcp "$ip" "$port"
	tell server accept "$listener" null
	fd=${R[0]} id=${R[2]}
	tell server send "$fd"
	same "who sends, $ip" "$(owner "$id")" "$child acceptor"

	tell client connect tcp "$ip" "$port"
	client_fd=${R[0]}
	tell server accept "$listener" null
	fd=${R[0]} id=${R[2]}
	tell client send "$client_fd"
	tell server recv "$fd" null
	same "who receives, $ip" "$(owner "$id")" "$child acceptor"
	dismiss server
	dismiss client
done
