#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# `make bench`: what a loopback session costs with nothing attached, with flownerd, with tcplife.
# usage: bench.sh [--rounds N] [--sessions N] [--max RATIO] BUILD_DIR
#
# How it is measured: rounds.sh. --max: status 1 when flownerd's median for a connection is above
# RATIO.
#
# `uncounted` and `counted` are flownerd with `counts: off` and `counts: all`; else it counts TCP.
# `watched` is flownerd with one client reading its event stream.
set -euo pipefail

rounds=7 sessions=20000 max=''
while (($# > 1)); do
	case $1 in
	--rounds) rounds=$2 ;;
	--sessions) sessions=$2 ;;
	--max) max=$2 ;;
	*) echo "bench.sh: unknown option '$1'" >&2; exit 2 ;;
	esac
	shift 2
done
BUILD=$(realpath "${1:?BUILD_DIR}")
# shellcheck source=tests/integration/lib.sh
. "$(dirname "$0")/../integration/lib.sh"
# shellcheck source=tests/bench/rounds.sh
. "$(dirname "$0")/rounds.sh"
# shellcheck source=tests/bench/tools.sh
. "$(dirname "$0")/tools.sh"

MODES=(tcp tcp-null udp)
VARIANTS=(bare control flownerd uncounted counted watched tcplife tcplife-bpfcc)
mkdir -p "$CGROUP"

# --- what is attached while churn runs: start_X fails with a reason in $T/why ---

start_bare() { :; }
start_control() { :; }
start_flownerd() { start_daemon; }
start_uncounted() { echo 'counts: off' >"$T/yaml"; start_daemon --config "$T/yaml"; }
start_counted() { echo 'counts: all' >"$T/yaml"; start_daemon --config "$T/yaml"; }
start_watched() {
	start_daemon
	curl -sN --unix-socket "$SOCK" http://flowner/v1/events >/dev/null &
	TOOL=$!
}
start_tcplife() { start_tool tcplife -T; }
start_tcplife-bpfcc() { start_tool tcplife-bpfcc; }

stop_variant() {
	stop_tool
	[[ ! $1 =~ ^(flownerd|uncounted|counted|watched)$ ]] || stop_daemon
}

first_line() { # FILE...: the first that is not empty; what went wrong is said there
	cat "$@" 2>/dev/null | grep -m1 . | cut -c 1-80 || echo "no reason given"
}

# --- measuring ---

measure() { # VARIANT
	local mode count
	[[ ! -e $T/$1.why ]] || return 0
	if ! "start_$1"; then
		first_line "$T/tool.out" "$T/why" >"$T/$1.why"
		return
	fi
	for mode in "${MODES[@]}"; do
		[[ $mode != udp || $1 != tcplife* ]] || continue # it knows no UDP
		count=$sessions
		[[ $mode != udp ]] || count=$((sessions * 10)) # a tenth of the time each
		in_cgroup "$BUILD/tests/churn" "$mode" $((count / 10)) >/dev/null # warm up
		in_cgroup "$BUILD/tests/churn" "$mode" "$count" >>"$T/$mode.$1"
	done
	stop_variant "$1"
}

too_dear() { # MODE
	local ratio
	read -r _ ratio _ < <(median_row "$1" flownerd) || ratio=''
	[[ $ratio ]] || fail "'$1' was not measured"
	awk -v ratio="$ratio" -v max="$max" 'BEGIN { exit !(ratio > max) }'
}

main() {
	local mode
	rounds measure
	tables
	for mode in "${MODES[@]}"; do
		[[ -z $max || $mode == udp ]] || ! too_dear "$mode" ||
			fail "a connection costs more than $max times bare with flownerd"
	done
}

main
