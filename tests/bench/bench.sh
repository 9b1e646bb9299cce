#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# `make bench`: what a loopback session costs with nothing attached, with flownerd, with tcplife.
# usage: bench.sh [--rounds N] [--sessions N] [--max RATIO] BUILD_DIR
#
# Every round runs every variant once, so that a slow minute of the machine hits all of them; a
# ratio is a variant's time over that of the bare run of the same round, and the median of those is
# shown with the lowest and the highest. `control` is bare a second time: what it shows beside 1.00
# is noise. --max: status 1 when flownerd's median for a connection is above RATIO.
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

# --- the table ---

median_row() { # MODE VARIANT -> "median_ns median_ratio lowest highest"
	paste "$T/$1.bare" "$T/$1.$2" | awk '
		function sort(a, n,   i, j, v) {
			for (i = 2; i <= n; i++) {
				v = a[i]
				for (j = i - 1; j && a[j] > v; j--) a[j + 1] = a[j]
				a[j + 1] = v
			}
		}
		function median(a, n) {
			return (a[int((n + 1) / 2)] + a[int((n + 2) / 2)]) / 2
		}
		{ ns[NR] = $2; ratio[NR] = $2 / $1 }
		END {
			sort(ns, NR); sort(ratio, NR)
			printf "%.0f %.2f ", median(ns, NR), median(ratio, NR)
			printf "%.2f %.2f\n", ratio[1], ratio[NR]
		}'
}

table() { # MODE
	local variant ns ratio low high
	printf '\n%-14s %10s %8s %8s %8s   (%s rounds)\n' "$1" ns ratio lowest highest "$rounds"
	for variant in "${VARIANTS[@]}"; do
		[[ $1 != udp || $variant != tcplife* ]] || continue
		if [[ -e $T/$variant.why ]]; then
			printf '%-14s not run: %s\n' "$variant" "$(<"$T/$variant.why")"
		elif [[ -e $T/$1.$variant ]]; then
			read -r ns ratio low high < <(median_row "$1" "$variant")
			printf '%-14s %10s %8s %8s %8s\n' "$variant" "$ns" "$ratio" "$low" "$high"
			[[ $variant != flownerd || $1 == udp ]] || echo "$ratio" >>"$T/ratios"
			[[ $variant != control ]] || echo "$ratio" >>"$T/controls"
		fi
	done
}

main() {
	local round variant mode
	tool=''
	for ((round = 1; round <= rounds; round++)); do
		echo "round $round of $rounds" >&2
		for variant in "${VARIANTS[@]}"; do measure "$variant"; done
	done
	echo "$(uname -sr), $(nproc) CPUs, load $(cut -d' ' -f1 /proc/loadavg)"
	for mode in "${MODES[@]}"; do table "$mode"; done
	awk '$1 < 0.95 || $1 > 1.05 { noisy = 1 } END { exit !noisy }' "$T/controls" &&
		printf '\nA control is not near 1.00: this machine was too busy to measure on.\n'
	[[ -z $max ]] || ! awk -v max="$max" '$1 > max { bad = 1 } END { exit !bad }' "$T/ratios" ||
		fail "a connection costs more than $max times bare with flownerd"
}

main
