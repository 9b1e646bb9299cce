#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# In a test machine: every scenario of tests/truth against flownerd, scored by the tier it reports.
# usage: truth.sh [OPTIONS OF flownerd...]     such as: --without lsm,fentry,fexit
# The last line is the result in JSON: kernel, tier, sessions, and the hooks as doctor has them.
set -euo pipefail

T=$(mktemp -d)
DAEMON=''
export TRUTH_SLOW=${TRUTH_SLOW:-6} FLOWNER_SOCKET=$T/sock

die() { echo "truth: $*" >&2; exit 1; }
ask() { curl -sf --max-time 5 --unix-socket "$T/sock" "http://flowner$1"; }

start() { # OPTIONS...
	local i
	build/flownerd --socket "$T/sock" --pin-dir /sys/fs/bpf/truth "$@" &
	DAEMON=$!
	for ((i = 0; i < 600; i++)); do
		! ask /v1/stats >/dev/null || return 0
		kill -0 "$DAEMON" 2>/dev/null || break
		sleep 0.2 # lint: poll
	done
	wait "$DAEMON" || true
	die "flownerd does not answer"
}

settled() { # until nothing moves any more
	local i before='' now
	for ((i = 0; i < 50; i++)); do
		now=$(ask /v1/stats | jq -c '[.counters.opened, .counters.ended]')
		[[ $now != "$before" ]] || return 0
		before=$now
		sleep 0.5 # lint: poll
	done
}

result() { # from doctor and the score's line "total"
	local total
	total=$(awk '$1 == "total" { print "[" $2 "," $3 "," $4 "," $5 "," $6 "]" }' "$T/score")
	jq -c --argjson n "${total:-[]}" '{kernel, tier, sessions: $n[0], right: $n[1],
		holder: $n[2], wrong: $n[3], missing: $n[4], hooks}' "$T/doctor"
}

main() {
	local status=0 rules
	start "$@"
	build/flowner doctor -j >"$T/doctor"
	read -ra rules < <(jq -r '"--tier", if .tier == "lowest" then "lowest" else "full" end,
		if any(.hooks[]; .moment == "first use" and .status == "on") then empty
		else "--no-first-use" end' "$T/doctor" | paste -sd ' ')
	build/truth/truth -n 1 -o "$T/truth" || status=$?
	settled
	build/flowner list -a -j >"$T/report"
	build/truth/score "$T/truth" "$T/report" --strict "${rules[@]}" >"$T/score" ||
		status=$?
	grep -vE '( +0){4}$' "$T/score" || true # what is not simply right
	ask /v1/stats | jq -Mc '.counters | with_entries(select(.value != 0))'
	kill "$DAEMON"
	wait "$DAEMON" || status=1
	result
	rm -rf "$T"
	exit "$status"
}

main "$@"
