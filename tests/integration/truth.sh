#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Every scenario of tests/truth, judged by the tier this kernel gives: 0 wrong, 0 missing, no flow
# nobody made. Then by --accept syscall: sockets accepted and handed over untouched are exact, too.
# usage: truth.sh [OPTIONS OF flownerd]     such as --without lsm: once, with these; see tests/vm
# REPEAT=N has each scenario run N times (default 2); TRUTH_ONLY picks some, as truth --only.
# RESULTS=FILE gets a line of JSON: kernel, tier, sessions, and the hooks as doctor has them.
# TWICE=1: see turns.sh
# timeout: 240
. "$(dirname "$0")/lib.sh"

settled() { # nothing moved since it was asked last
	local before=${moved:-}
	moved=$(flowner stats -j | jq -c '[.counters.opened, .counters.ended]')
	[[ $moved == "$before" ]]
}

# What the hooks that are on cannot see, for score. Without one for the first use of a socket, which
# the lowest tier of kernels before 6.3 lacks, a UDP peer served without asking for its address
# stays with a process that has the socket, and is not `accepted`: 6 sessions of all scenarios.
rules() {
	jq -r '"--tier", if .tier == "lowest" then "lowest" else "full" end,
		if any(.hooks[]; .moment == "first use" and .status == "on") then empty
		else "--no-first-use" end' "$T/doctor"
}

again() { # attach|detach: each program of the cgroup, beside its link
	local program type
	cgroup_programs
	[[ -s $T/programs ]] || fail "no program is attached to '$CGROUP'"
	while read -r program type; do
		bpftool cgroup "$1" "$CGROUP" "$type" id "$program" ${2:+"$2"}
	done <"$T/programs"
}

result() { # -> JSON, from doctor and the score's line "total"
	jq -c --argjson n "$(awk '$1 == "total" { print "[" $2 "," $3 "," $4 "," $5 "," $6 "]" }' \
		"$T/score")" '{kernel, tier, sessions: $n[0], right: $n[1], holder: $n[2],
		wrong: $n[3], missing: $n[4], hooks}' "$T/doctor"
}

run() { # OPTIONS OF flownerd
	local status=0 rules
	rm -f "$T/truth" # it appends
	start_daemon "$@"
	[[ -z ${TWICE:-} ]] || again attach multi
	flowner doctor -j >"$T/doctor"
	mapfile -t rules < <(rules)
	[[ " $* " != *" --accept syscall "* ]] || rules+=(--accept-syscall)
	in_cgroup "$BUILD/truth/truth" --self-check -n "${REPEAT:-2}" -o "$T/truth" \
		${TRUTH_ONLY:+--only "$TRUTH_ONLY"}
	eventually 20 settled
	flowner list -a -j >"$T/report"
	same "ids that two flows have" "$(jq -r .flowner.flow_id "$T/report" | sort | uniq -d)" ""
	"$BUILD/truth/score" "$T/truth" "$T/report" --strict "${rules[@]}" >"$T/score" || status=1
	grep -vE '( +0){4}$' "$T/score" || true # what is not simply right
	[[ -z ${RESULTS:-} || " $* " == *" syscall "* ]] || result >>"$RESULTS"
	if ((status)); then
		flowner stats -j | jq -c '.counters | with_entries(select(.value != 0))'
		fail "flownerd $*: the score of tier '$(jq -r .tier "$T/doctor")'"
	fi
	nothing_lost
	[[ -z ${TWICE:-} ]] || again detach
	stop_daemon
}

if (($#)); then
	run "$@"
else
	run
	run --accept syscall
fi
