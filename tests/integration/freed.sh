#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# An end that every other hook missed is seen when the kernel frees the socket, not by the sweep.
# what it sees is the kernel's doing
. "$(dirname "$0")/lib.sh"

printf 'reconcile: 1h\n' >"$T/config"
own_netns
start_daemon --config "$T/config"
[[ $(flowner doctor -j | jq '[.hooks[] | select(.moment == "socket freed" and .status == "on")] |
	length') == 1 ]] || skip "nothing sees a socket being freed on this kernel"

actor client
tell client listen udp 127.0.0.1 0
fd4=${R[0]}
tell client listen udp ::1 0
fd6=${R[0]}
same "sockets" "$(ids)" "$(cookies)"
bpftool link detach pinned "$PINS/links/udp_release"
tell client close "$fd4"
tell client close "$fd6"
none() { [[ -z $(ids) ]]; }
eventually 10 none
same "counted" "$(stat_of end_repaired)" 2
same "both are told as closed" "$(flowner list -j --closed -u | wc -l)" 2
