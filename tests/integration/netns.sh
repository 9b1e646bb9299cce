#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Network namespaces one after the other with one inode: a session of the first, over by now, does
# not answer for the second, where nobody ever had it. Of a namespace that is no more it does.
# what it sees is the kernel's doing
. "$(dirname "$0")/lib.sh"

inode() { stat -L -c %i "/proc/$NETNS/ns/net"; }
who() { flowner who --netns "$1" tcp "${ends[@]}"; }

enter() { # a namespace of its own
	NETNS=''
	own_netns
}

leave() {
	dismiss_all
	NETNS=''
}

start_daemon
enter
first=$(inode)
actor server
actor client
tell server listen tcp 127.0.0.1 0
listener=${R[0]} port=${R[1]}
tell client connect tcp 127.0.0.1 "$port"
ends=("127.0.0.1:${R[1]}" "127.0.0.1:$port")
tell server accept "$listener"
exits 0 who "$first"
leave

exits 0 who "$first" # nobody else has the inode yet

for ((i = 0; i < 50; i++)); do
	enter
	[[ $(inode) != "$first" ]] || break
	leave
done
[[ $NETNS ]] || skip "no inode came again in 50 namespaces"
exits 1 who "$first"
