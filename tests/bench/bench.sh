#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# `make bench`: what a loopback session costs with nothing attached, with flownerd, with tcplife.
# usage: bench.sh [--rounds N] [--sessions N] [--max RATIO] BUILD_DIR
#
# How it is measured: rounds.sh. --max: status 1 when flownerd's median for a connection is above
# RATIO.
#
# `uncounted` and `counted` are flownerd with `counts: off` and `counts: all`; else it counts TCP.
# `watched` is flownerd with one client reading its event stream. tcplife's tracepoint needs
# tracefs: it is mounted for tcplife alone when the host has none. Its output goes to a file.
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
	tool=$!
}
start_tcplife() { start_tool tcplife -T; }
start_tcplife-bpfcc() { start_tool tcplife-bpfcc; }

stop_tool() {
	[[ -z $tool ]] || { kill "$tool" && wait "$tool"; } 2>/dev/null || true
	tool=''
}

stop_variant() {
	stop_tool
	[[ ! $1 =~ ^(flownerd|uncounted|counted|watched)$ ]] || stop_daemon
}

attached_or_dead() { # its tracepoints are perf events
	find "/proc/$tool/fd" -lname '*perf_event*' 2>/dev/null | grep -q . || gone "$tool"
}

start_tool() { # PROGRAM...
	rm -f "$T/tool.out" "$T/why"
	command -v "$1" >/dev/null || { echo "not installed" >"$T/why"; return 1; }
	# shellcheck disable=SC2016 # for the inner shell
	unshare --mount bash -c 'mountpoint -q /sys/kernel/tracing ||
		mount -t tracefs tracefs /sys/kernel/tracing; exec "$@"' - "$@" \
		>"$T/tool.out" 2>"$T/why" &
	tool=$!
	eventually 60 attached_or_dead
	! gone "$tool" || { tool=''; return 1; }
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
	read -r _ ratio _ < <(median_row "$1" flownerd)
	awk -v ratio="$ratio" -v max="$max" 'BEGIN { exit !(ratio > max) }'
}

main() {
	local mode
	tool=''
	rounds measure
	tables
	for mode in "${MODES[@]}"; do
		[[ -z $max || $mode == udp ]] || ! too_dear "$mode" ||
			fail "a connection costs more than $max times bare with flownerd"
	done
}

main
