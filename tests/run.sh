#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The runner behind `make test`: every unit test, then every integration test, as root.
# usage: run.sh BUILD_DIR [NAME...]     NAME picks integration tests by file name without .sh
#
# A test passes with status 0, is skipped with 77, fails with anything else, after its time-out
# (120 s, or what a line `# timeout: SECONDS` in it says), or when it leaves pins behind.
#
#	TEST_SLOW=N   every time limit is N times as long
#	STORM=N       tests of very many sessions make about N
#	QUICK=1       only integration tests that say `# what it sees is the kernel's doing`
set -euo pipefail

TREE=$(cd "$(dirname "$0")/.." && pwd)
BUILD=$(realpath "$1")
export BUILD
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=0}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
passed=0 failed=0 skipped=0
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

# what needs no root does not get it in somebody else's tree
as_owner() {
	local uid
	uid=$(stat -c %u "$TREE")
	if ((EUID == 0 && uid != 0)); then
		setpriv --reuid="$uid" --regid="$(stat -c %g "$TREE")" --clear-groups "$@"
	else
		"$@"
	fi
}

report() { # NAME STATUS LOG SINCE: in SECONDS
	local took="$((SECONDS - $4)) s"
	case $2 in
	0)
		passed=$((passed + 1))
		echo "ok $1 ($took)"
		;;
	77)
		skipped=$((skipped + 1))
		echo "ok $1 # $(grep -o 'SKIP: .*' "$3" | tail -n 1)"
		;;
	*)
		failed=$((failed + 1))
		echo "not ok $1 (status $2, $took)"
		tail -n 30 "$3" | sed 's/^/    /'
		;;
	esac
}

unit() { # SOURCE
	local name=${1##*/} status=0 since=$SECONDS
	name=unit/${name%.c}
	as_owner timeout -k 5 "$((60 * ${TEST_SLOW:-1}))" "$BUILD/$name" \
		>"$logs/log" 2>&1 </dev/null || status=$?
	report "$name" "$status" "$logs/log" "$since"
}

time_limit() { # FILE
	local seconds
	seconds=$(sed -n 's/^# timeout: \([0-9]*\)$/\1/p' "$1")
	echo "$((${seconds:-120} * ${TEST_SLOW:-1}))"
}

integration() { # FILE
	local name=${1##*/} status=0 since=$SECONDS t
	t=$(mktemp -d -t flowner-test-XXXXXX)
	T=$t timeout -k 30 "$(time_limit "$1")" bash "$1" >"$logs/log" 2>&1 </dev/null || status=$?
	((status != 124)) || echo "timed out" >>"$logs/log"
	if [[ -e /sys/fs/bpf/${t##*/} ]]; then
		echo "left its pins behind" >>"$logs/log"
		rm -rf "/sys/fs/bpf/${t##*/}"
		status=1
	fi
	rm -rf "$t"
	report "${name%.sh}" "$status" "$logs/log" "$since"
}

left_out() { # FILE
	[[ $1 == */lib.sh ]] && return
	[[ ${QUICK:-} ]] && ! grep -q "^# what it sees is the kernel's doing$" "$1"
}

main() {
	local file summary
	((EUID == 0)) || { echo "run.sh: needs root: sudo make test" >&2; exit 1; }
	shift
	cd "$TREE"
	if (($#)); then
		for file; do integration "tests/integration/$file.sh"; done
	else
		for file in tests/unit/test_*.c; do
			[[ ! -e $file || ${QUICK:-} ]] || unit "$file"
		done
		for file in tests/integration/*.sh; do
			[[ ! -e $file ]] || left_out "$file" || integration "$file"
		done
	fi
	summary="$passed passed, $failed failed"
	((skipped == 0)) || summary+=", $skipped skipped"
	echo "$summary"
	((failed == 0 && passed > 0))
}

main "$@"
