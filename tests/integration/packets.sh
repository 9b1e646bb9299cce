#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# timeout: 300
# Every packet of STORM sessions (default 20000) of short-lived processes has its owners named, late
# as libpcap hands it over, tuples used again included; and what is printed for packets that are
# nobody's.
. "$(dirname "$0")/lib.sh"

SESSIONS=${STORM:-20000}

own_netns
start_daemon
nsenter -t "$NETNS" -n "$BUILD/tests/packets" -p "$PINS" -s "$SOCK" lo \
	>"$T/packets" 2>"$T/packets.err" &
printer=$!
ready() { grep -q ready "$T/packets.err" || gone "$printer"; }
eventually 20 ready

in_cgroup nsenter -t "$NETNS" -n "$BUILD/tests/sessions" "$SESSIONS" 8080 >"$T/truth"

# --- nobody's: a closed port, and a datagram to one, which ICMP answers ---
actor client
try client connect tcp 127.0.0.1 9
tell client connect udp 127.0.0.1 9
fd=${R[0]}
tell client send "$fd"
try client send "$fd" # refused: the ICMP message has come back

printed() { grep -q ' 1 127.0.0.1 > 127.0.0.1 ' "$T/packets"; } # the last of all
eventually 120 printed
kill "$printer"
wait "$printer" || fail "packets: $(<"$T/packets.err")"
cat "$T/packets.err"

"$BUILD/tests/judge" "$T/truth" 8080 <"$T/packets" || fail "not every packet's owners are right"

pid=${ACTOR_PID[client]}
owned="$pid/actor/[0-9a-f]{16}"
closed=$(grep -E "127.0.0.1:9 " "$T/packets")
matches "SYN to a closed port" "$closed" "tcp [0-9.:]+ > 127.0.0.1:9 S $owned -"
matches "its reset" "$(grep '127.0.0.1:9 > ' "$T/packets")" \
	" tcp 127.0.0.1:9 > [0-9.:]+ RA - $owned"
matches "a datagram to a closed port" "$closed" "udp [0-9.:]+ > 127.0.0.1:9 \. $owned -"
matches "ICMP" "$(grep ' 1 127' "$T/packets")" '> 127.0.0.1 \. - -$'
same "dropped by the kernel" "$(grep -o '[0-9]* dropped' "$T/packets.err")" '0 dropped'
