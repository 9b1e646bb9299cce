#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# On the kernel it runs on: breaks the programs rows.txt has for MACHINE, one at a time, and runs
# the test that must fail then. Each test must pass before, with nothing broken.
# usage: broken.sh MACHINE [PROGRAM...]
# Prints a row of Markdown for each; fails when a test passes in spite of what is broken.
set -euo pipefail
shopt -s inherit_errexit

cd "$(dirname "$0")/../.."
MACHINE=$1
shift
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
export DAEMON_PRELOAD=$PWD/build/tests/break.so DAEMON_OPTIONS BREAK_LOG=$WORK/broken
export TRUTH_ONLY='' REPEAT=1 # of truth.sh
[[ $MACHINE == here ]] || export TEST_SLOW=${TEST_SLOW:-6} # emulated
PASSED=' '           # tests that do, with nothing broken

rows() { # [PROGRAM...] -> lines of tests/vm/rows.txt
	awk -v machine="$MACHINE" -v chosen=" $* " '
		!/^#/ && $2 == machine && (chosen == "  " || index(chosen, " " $1 " "))' \
		tests/vm/rows.txt
}

run() { # TEST: its output in $WORK/said
	local command=("tests/integration/$1.sh")
	case $1 in
	ways) command=(tests/vm/ways.sh "$MACHINE") ;;
	truth) command+=(--accept auto) ;;
	truth-syscall) command=(tests/integration/truth.sh --accept syscall) ;;
	esac
	: >"$BREAK_LOG"
	timeout -k 30 300 bash "${command[@]}" >"$WORK/said" 2>&1 </dev/null
}

first_line() { # of what the test said was wrong
	{ grep -aE -m 1 '^(FAIL|wrong|missing)' "$WORK/said" || tail -n 1 "$WORK/said"; } |
		sed 's/^FAIL: //; s/|/\\|/g' | cut -c 1-160
}

passes_unbroken() { # TEST
	local key="$DAEMON_OPTIONS:$1:$TRUTH_ONLY" status=0
	[[ $PASSED != *" $key "* ]] || return 0
	run "$1" || status=$?
	if ((status)); then
		echo "broken: '$1' fails on $MACHINE with nothing broken ($status):" >&2
		tail -n 20 "$WORK/said" >&2
		return 1
	fi
	PASSED+="$key "
}

break_row() { # PROGRAM TIER BREAK TEST
	local result status=0 fires=()
	[[ $3 == silent ]] || fires=(BREAK_FIRES=1)
	run_broken() { export BREAK_PROGRAM=$1 "${fires[@]}"; run "$2"; }
	(run_broken "$1" "$4") || status=$?
	case $status in
	0) result='**nothing**' ;;
	77) result="**nothing**: skipped" ;;
	*) result=$(first_line) ;;
	esac
	if ! grep -qx "$1" "$BREAK_LOG"; then
		result='**it was not loaded**' status=0
	elif [[ $result == 'flownerd ended: '* ]]; then
		status=0 # so nothing was tried
	fi
	echo "| \`$1\` | $MACHINE $2 | $3 | $4${TRUTH_ONLY:+ ($TRUTH_ONLY)} | $result |"
	((status != 0 && status != 77))
}

failed=0 tried=0
while read -r program _ tier how name only; do
	tried=$((tried + 1))
	DAEMON_OPTIONS=$(tests/vm/without.sh "$tier") TRUTH_ONLY=${only:-}
	if ! passes_unbroken "$name" || ! break_row "$program" "$tier" "$how" "$name"; then
		failed=1
	fi
done < <(rows "$@")
((tried)) || { echo "broken: rows.txt has nothing of $MACHINE: $*" >&2; exit 1; }
exit "$failed"
