#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# In a test machine: every scenario of tests/truth against flownerd, scored by the tier it reports.
# Prints what doctor says (one line of JSON), then the score.
# usage: truth.sh [OPTIONS OF truth...]      DAEMON_OPTIONS='...' of flownerd
set -euo pipefail

T=$(mktemp -d)
export TRUTH_SLOW=${TRUTH_SLOW:-6} FLOWNER_SOCKET=$T/sock
rounds=(-n 1)
(($# == 0)) || rounds=("$@")

ask() { curl -sf --max-time 5 --unix-socket "$T/sock" "http://flowner$1"; }

start() {
	local i
	# shellcheck disable=SC2086 # words
	build/flownerd --socket "$T/sock" --pin-dir /sys/fs/bpf/truth ${DAEMON_OPTIONS:-} &
	daemon=$!
	for ((i = 0; i < 600; i++)); do
		! ask /v1/stats >"$T/stats" || return 0
		kill -0 "$daemon" 2>/dev/null || break
		sleep 0.2 # lint: poll
	done
	wait "$daemon" || true
	echo "truth: flownerd does not answer" >&2
	exit 1
}

settled() { # the recent index has what the ring had
	local i before='' now
	for ((i = 0; i < 50; i++)); do
		now=$(ask /v1/stats | jq -Mc '[.counters.opened, .counters.ended]')
		[[ $now != "$before" ]] || return 0
		before=$now
		sleep 0.5 # lint: poll
	done
}

start
doctor=$(build/flowner doctor -j)
echo "$doctor"
tier=$(jq -r 'if .tier == "lowest" then "lowest" else "full" end' <<<"$doctor")
build/truth/truth "${rounds[@]}" -o "$T/truth" || echo "truth: ended with $?" >&2
settled
build/flowner list -a -j >"$T/report"
status=0
build/truth/score "$T/truth" "$T/report" --tier "$tier" || status=$?
ask /v1/stats | jq -Mc '.counters | with_entries(select(.value != 0))'
kill "$daemon"
wait "$daemon" || status=1
exit "$status"
