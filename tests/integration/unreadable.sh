#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Who wants in behind more IPv6 extension headers than the verdict program follows (6): nobody knows
# which rule that would be. Counted; rejected where a rule of that hook is enforced, let in where
# none is, whatever the mode of the policy is.
. "$(dirname "$0")/lib.sh"

FOLLOWED=6
MOST=10 # newer kernels take no more than twelve

policy() { # MODE MODE-OF-THE-RULE: has nothing against what is tried here
	cat <<-END >"$T/policy.yaml"
		mode: $1
		rules:
		  - name: another-port
		    hooks: [recv_accept]
		    local: {port: 7999}
		    mode: $2
		    verdict: reject
		  - name: another-hook
		    hooks: [connect]
		    remote: {port: 7999}
		    verdict: reject
	END
}

failed() { stat_of verdict_failed; }
has_failed() { (($(failed) == $1)); } # TIMES

shows() { # REGEX: of what went over the wire to and from PORT so far
	tell wire seen "$PORT"
	SEEN+="${SEEN:+ }${R[*]}"
	[[ $SEEN =~ $1 ]]
}

queued() { in_netns ss -Hnua "sport = :$PORT" | awk 'NR == 1 { print $2 }'; }
has_queued() { [[ $(queued) != 0 ]]; }

# A SYN behind so many, and then one that can be read: the second is answered, the first, if let in,
# before it.
syn() { # HEADERS
	local before answers=0 wanted=1
	before=$(failed) SEEN=''
	tell wire syn6 "$1" "$PORT"
	if (($1 > FOLLOWED)); then
		eventually 10 has_failed $((before + 1))
	fi
	tell wire syn6 0 "$PORT"
	eventually 10 shows '<syn-ack( [<>]rst)*$'
	[[ $MODE == enforce ]] && (($1 > FOLLOWED)) || wanted=2
	((wanted == 1)) || eventually 10 shows '<syn-ack.*<syn-ack'
	for word in $SEEN; do [[ $word != '<syn-ack' ]] || answers=$((answers + 1)); done
	same "$MODE, $1 headers: SYNs answered" "$answers" "$wanted"
	(($1 > FOLLOWED)) || same "$MODE, $1 headers: not judged" "$(failed)" "$before"
}

datagram() { # HEADERS
	local before
	before=$(failed)
	tell wire udp6 "$1" "$PORT"
	if (($1 > FOLLOWED)); then
		eventually 10 has_failed $((before + 1))
	fi
	if [[ $MODE == enforce ]] && (($1 > FOLLOWED)); then
		tell wire udp6 0 "$PORT"
		tell server recv "$UDP"
		same "$MODE, $1 headers: datagrams that came" "$(queued)" 0
	else
		tell server recv "$UDP"
		(($1 > FOLLOWED)) || same "$MODE, $1 headers: not judged" "$(failed)" "$before"
	fi
}

start_daemon
own_netns
start_told wire "$BUILD/tests/wire"
actor server
PORT=7000
for modes in 'enforce enforce' 'audit audit' 'audit enforce' 'enforce audit'; do
	MODE=${modes#* }
	# shellcheck disable=SC2086 # two words
	policy $modes
	exits 0 flowner policy load "$T/policy.yaml"
	for headers in 0 1 "$FOLLOWED" $((FOLLOWED + 1)) "$MOST"; do
		PORT=$((PORT + 1)) # what another one left does not show
		tell server listen tcp ::1 "$PORT"
		tell server listen udp ::1 "$PORT"
		UDP=${R[0]}
		syn "$headers"
		datagram "$headers"
	done
done
same "what could not be judged" "$(failed)" 16
matches "what /metrics says of it" "$(api /metrics)" 'flowner_verdicts_failed_total 16'
matches "what doctor says of it" "$(flowner doctor)" 'verdict_failed is 16: '
