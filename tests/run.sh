#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The runner behind `make test`: every unit test, then every integration test, as root.
# usage: run.sh BUILD_DIR [NAME...]     NAME picks integration tests by file name without .sh
#
# A test passes with status 0, is skipped with 77, fails with anything else, after its time-out
# (120 s, or what a line `# timeout: SECONDS` in it says), or when it leaves something behind: pins,
# programs, maps and links, a cgroup, a process, a network namespace with a name, its directory.
# Cases of a unit test that are skipped are told, too. skips.txt has what may be skipped where.
#
#	TEST_SLOW=N   every time limit is N times as long
#	CI=1          a skip that is not in skips.txt fails
#	STORM=N       tests of very many sessions make about N
#	QUICK=1       only integration tests that say `# what it sees is the kernel's doing`; of a
#	              sanitized build all others, and the unit tests
set -euo pipefail

TREE=$(cd "$(dirname "$0")/.." && pwd)
BUILD=$(realpath "$1")
export BUILD
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=0}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
passed=0 failed=0 skipped=()
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
CGROUPS=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts)

sanitized() { [[ $BUILD == */san ]]; }

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

# --- what is skipped ---

# Where this is, in the words of skips.txt.
places() {
	echo any "linux-$(uname -r)" "$(uname -m)"
	if [[ ${TRUTH_ALONE:-} ]]; then echo vm; else echo here; fi
	! sanitized || echo san
	[[ $(stat -c %u "$TREE") == 0 ]] || echo owner
	[[ ${CI:-} ]] || echo by-hand
}

may_skip() { # NAME
	local name where place
	while read -r name where _; do
		[[ $name == "$1" ]] || continue
		# shellcheck disable=SC2053 # it is a pattern
		for place in $PLACES; do [[ $place != $where ]] || return 0; done
	done <"$TREE/tests/skips.txt"
	return 1
}

skip() { # NAME REASON: whether that will do
	if may_skip "$1"; then
		skipped+=("$1")
		echo "ok $1 # SKIP: $2"
	elif [[ ${CI:-} ]]; then
		failed=$((failed + 1))
		echo "not ok $1 # SKIP: $2: tests/skips.txt does not have it for $PLACES"
	else
		skipped+=("$1")
		echo "ok $1 # SKIP: $2 (not in tests/skips.txt)"
	fi
}

report() { # NAME STATUS LOG SINCE: in SECONDS
	local took="$((SECONDS - $4)) s"
	case $2 in
	0)
		passed=$((passed + 1))
		echo "ok $1 ($took)"
		;;
	77) skip "$1" "$(sed -n 's/^SKIP: //p' "$3" | tail -n 1)" ;;
	*)
		failed=$((failed + 1))
		echo "not ok $1 (status $2, $took)"
		tail -n 30 "$3" | sed 's/^/    /'
		;;
	esac
}

unit() { # SOURCE
	local name=${1##*/} status=0 since=$SECONDS one
	name=unit/${name%.c}
	as_owner timeout -k 5 "$((60 * ${TEST_SLOW:-1}))" "$BUILD/$name" \
		>"$logs/log" 2>&1 </dev/null || status=$?
	if ((!status)) && ! grep -q '\[  PASSED  \] [1-9][0-9]* test(s)' "$logs/log"; then
		echo "it does not say that its tests passed" >>"$logs/log"
		status=1
	fi
	report "$name" "$status" "$logs/log" "$since"
	# standard output and error share lines
	sed -n 's/.*\[  SKIPPED \] \([a-z_][A-Za-z0-9_]*\)$/\1/p' "$logs/log" |
		sort -u >"$logs/cases"
	while read -r one; do skip "$name:$one" "a case"; done <"$logs/cases"
}

# --- what is left behind ---

# By kind, id and, as far as the kernel keeps it, name. One that goes meanwhile is an error.
kernel_objects() {
	local kind
	for kind in prog map link; do
		bpftool "$kind" list | awk -v kind="$kind" '/^[0-9]+: / {
			for (i = 2; i < NF && $i != "name"; i++);
			print kind, $1 + 0, i < NF ? $(i + 1) : "-" }' || return
	done | sort
}

# Names of all that the build has: a machine that is not ours has programs of others, too.
our_names() {
	readelf -sW "$BUILD"/*.bpf.o "$BUILD"/bpf/*.bpf.o 2>/dev/null |
		awk '$4 == "FUNC" || $4 == "OBJECT" { print substr($8, 1, 15) }' | sort -u
}

# Network namespaces, and pins that are no test's.
places_with_names() {
	{
		find /run/netns -mindepth 1 2>/dev/null || true
		find /sys/fs/bpf -mindepth 1 -maxdepth 1 ! -name 'flowner-test-*' 2>/dev/null
	} | sort
}

# Nobody else runs tests, or a flownerd.
alone() {
	[[ ${TRUTH_ALONE:-} ]] ||
		! { pgrep -x flownerd || compgen -G '/sys/fs/bpf/flowner*'; } >"$logs/others"
}

new_objects() {
	kernel_objects | comm -13 "$logs/objects" - >"$logs/new" ||
		echo 'nobody knows what, as bpftool does not list it'
	if [[ ${TRUTH_ALONE:-} ]]; then
		cat "$logs/new"
	else
		awk 'NR == FNR { ours[$1]; next } substr($3, 1, 15) in ours' \
			"$logs/names" "$logs/new"
	fi
}

processes_of() { # DIRECTORY: a test has its own in T
	grep -lsz "^T=$1\$" /proc/[0-9]*/environ | cut -d / -f 3
}

left_behind() { # DIRECTORY of the test
	local name=${1##*/}
	[[ ! -e $1 ]] || echo "its directory: $1"
	find "/sys/fs/bpf/$name"* "$CGROUPS/$name"* -maxdepth 0 2>/dev/null
	places_with_names | comm -13 "$logs/places" -
	processes_of "$1" | xargs -r ps -o pid=,args= -p
	! alone || new_objects
}

# What ends by itself has a moment for it.
nothing_left() { # DIRECTORY
	local tries=$((50 * ${TEST_SLOW:-1}))
	while left_behind "$1" >"$logs/left"; [[ -s $logs/left ]]; do
		((tries--)) || return 1
		sleep 0.1 # lint: poll
	done
}

clear_away() { # DIRECTORY
	local name=${1##*/}
	processes_of "$1" | xargs -r kill -KILL || true
	rm -rf "/sys/fs/bpf/$name"* "$1"
	find "$CGROUPS/$name"* -depth -type d -exec rmdir '{}' + 2>/dev/null || true
}

remember() { # what there is before a test
	local tries=20
	places_with_names >"$logs/places"
	until kernel_objects >"$logs/objects" 2>"$logs/why"; do
		((tries--)) || { cat "$logs/why" >&2; exit 1; }
		sleep 0.1 # lint: poll
	done
}

# --- integration tests ---

time_limit() { # FILE
	local seconds
	seconds=$(sed -n 's/^# timeout: \([0-9]*\)$/\1/p' "$1")
	echo "$((${seconds:-120} * ${TEST_SLOW:-1}))"
}

integration() { # FILE
	local name=${1##*/} status=0 since=$SECONDS t
	t=$(mktemp -d -t flowner-test-XXXXXX)
	remember
	T=$t timeout -k 30 "$(time_limit "$1")" bash "$1" >"$logs/log" 2>&1 </dev/null || status=$?
	((status != 124)) || echo "timed out" >>"$logs/log"
	if ! nothing_left "$t"; then
		{ echo "it leaves behind:"; cat "$logs/left"; } >>"$logs/log"
		((status && status != 77)) || status=1
		clear_away "$t"
	fi
	report "${name%.sh}" "$status" "$logs/log" "$since"
}

left_out() { # FILE
	local marked=false
	[[ $1 != */lib.sh ]] || return 0
	[[ ${QUICK:-} ]] || return 1
	if grep -q "^# what it sees is the kernel's doing$" "$1"; then marked=true; fi
	if sanitized; then "$marked"; else [[ $marked == false ]]; fi
}

units() {
	local file
	[[ ! ${QUICK:-} ]] || sanitized || return 0
	for file in tests/unit/test_*.c; do unit "$file"; done
}

main() {
	local file summary
	((EUID == 0)) || { echo "run.sh: needs root: sudo make test" >&2; exit 1; }
	shift
	cd "$TREE"
	PLACES=$(places | xargs)
	[[ ${TRUTH_ALONE:-} ]] || our_names >"$logs/names"
	[[ ${TRUTH_ALONE:-} || -s $logs/names ]] || { echo "run.sh: nothing is built" >&2; exit 1; }
	if (($#)); then
		for file; do integration "tests/integration/$file.sh"; done
	else
		units
		for file in tests/integration/*.sh; do
			left_out "$file" || integration "$file"
		done
	fi
	summary="$passed passed, $failed failed"
	((!${#skipped[@]})) || summary+=", ${#skipped[@]} skipped: ${skipped[*]}"
	echo "$summary"
	((failed == 0 && passed > 0))
}

main "$@"
