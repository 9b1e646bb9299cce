#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A socket that has listened and listens again, for another process: who wants in there is judged by
# who listens now.
. "$(dirname "$0")/lib.sh"

PORT=7000 HEIR=12345

start_daemon
own_netns
in_netns sysctl -qw net.ipv4.tcp_syn_retries=1
cat <<-END >"$T/policy.yaml"
	mode: enforce
	default: {recv_accept: reject}
	rules:
	  - {name: heir, hooks: [recv_accept], uid: $HEIR, verdict: proceed_soft}
END
exits 0 flowner policy load "$T/policy.yaml"
actor first
actor heir
actor client
tell first listen tcp 127.0.0.1 "$PORT"
FD=${R[0]}
try client connect tcp 127.0.0.1 "$PORT"
same "to the first" "${R[*]}" 'error Connection timed out'

tell heir inbox "$T/inbox"
INBOX=${R[0]}
tell first give "$FD" "$T/inbox"
tell heir get "$INBOX"
FD=${R[0]}
tell heir uid "$HEIR"
tell heir relisten "$FD"
tell client connect tcp 127.0.0.1 "$PORT"
tell heir accept "$FD"
same "hits" "$(flowner policy show -j | jq '.rules[0].hits')" 1
