#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Who sends a whole packet behind a fragment's header writes into its reserved byte what he likes.
# As a length it would lead to other ports than those the kernel delivers to: to one where everybody
# may in. What is judged, and known as a session, is what the kernel makes of it.
. "$(dirname "$0")/lib.sh"

CLOSED=7000 OPEN=7001

policy() {
	cat <<-END >"$T/policy.yaml"
		mode: enforce
		rules:
		  - {name: closed, hooks: [recv_accept], local: {port: $CLOSED}, verdict: reject}
	END
}

shows() { # PORT REGEX: of what went over the wire to and from PORT so far
	tell wire seen "$1"
	SEEN+="${SEEN:+ }${R[*]}"
	[[ $SEEN =~ $2 ]]
}

hits() { flowner policy show -j | jq '.rules[0].hits'; }
has_hits() { (($(hits) == $1)); } # TIMES

sessions() { flowner list -j -u ":$1" | jq -r '.source.port, .destination.port' | xargs; } # PORT

start_daemon
own_netns
start_told wire "$BUILD/tests/wire"
actor server
for port in "$CLOSED" "$OPEN"; do
	tell server listen tcp ::1 "$port"
	tell server listen udp ::1 "$port"
	UDP=${R[0]}
done
policy
exits 0 flowner policy load "$T/policy.yaml"

SEEN=''
tell wire syn6whole "$OPEN" "$CLOSED"
eventually 10 shows "$OPEN" '<syn-ack'
tell wire udp6whole "$OPEN" "$CLOSED"
tell server recv "$UDP"
same "bytes of the datagram" "${R[0]}" 8
matches "the session" "$(sessions "$OPEN")" "9 $OPEN"
same "who was rejected of those who may in" "$(hits)" 0

SEEN=''
tell wire syn6whole "$CLOSED" "$OPEN"
eventually 10 has_hits 1
tell wire udp6whole "$CLOSED" "$OPEN"
eventually 10 has_hits 2
same "datagrams that came to who may not be reached" \
	"$(in_netns ss -Hnua "sport = :$CLOSED" | awk 'NR == 1 { print $2 }')" 0
tell wire seen "$CLOSED"
same "what answered" "${R[*]}" ''
