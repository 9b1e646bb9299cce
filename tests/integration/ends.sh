#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# One UDP socket has many local addresses, and its datagrams any of them: what was said of one is
# not the answer for another, neither of who wants in nor of what is to leave.
. "$(dirname "$0")/lib.sh"

SHUT=127.0.0.2 OPEN=127.0.0.1
IN=7000 OUT=7001

policy() {
	cat <<-END >"$T/policy.yaml"
		mode: enforce
		rules:
		  - name: in
		    hooks: [recv_accept]
		    local: {addr: $SHUT, port: $IN}
		    verdict: reject
		  - name: out
		    hooks: [connect_authorization]
		    proto: udp
		    local: {addr: $SHUT}
		    remote: {port: $OUT}
		    verdict: reject
	END
}

hits() { flowner policy show -j | jq --arg name "$1" '.rules[] | select(.name == $name).hits'; }
has_hits() { (($(hits "$1") == $2)); } # RULE TIMES

start_daemon
own_netns
actor server
tell server listen udp 0.0.0.0 "$IN"
INTO=${R[0]}
tell server listen udp 0.0.0.0 "$OUT"
OUTSIDE=${R[0]}
actor client
tell client socket udp 4
FD=${R[0]}
tell client bind "$FD" "$OPEN" 9000
policy
exits 0 flowner policy load "$T/policy.yaml"

for address in "$OPEN" "$SHUT" "$OPEN"; do
	tell client sendto "$FD" "$address" "$IN"
	[[ $address == "$SHUT" ]] || tell server recv "$INTO"
done
eventually 10 has_hits in 1
same "bytes that came to where nobody may" \
	"$(in_netns ss -Hnua "sport = :$IN" | awk 'NR == 1 { print $2 }')" 0

tell client socket udp 4
FD=${R[0]}
tell client beside "$FD" "$OPEN" "$OPEN" "$OUT"
tell server recv "$OUTSIDE"
try client beside "$FD" "$SHUT" "$OPEN" "$OUT"
same "a datagram from where none may leave" "${R[*]}" 'error Operation not permitted'
same "hits of out" "$(hits out)" 1
tell client beside "$FD" "$OPEN" "$OPEN" "$OUT"
tell server recv "$OUTSIDE"
