#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# `make bench`: who names the right process for both ends of short sessions: flowner, and what else
# is used for it. Each tool sees sessions of its own; the truth is what the processes wrote down
# themselves: see tests/example/sessions.c, where in a quarter of them the server closes first and
# in another the tuple is used again.
# usage: compare.sh BUILD_DIR
#
#	right     ends of sessions that the tool tells of with the process that had them
#	wrong     with another one
#	missing   those it does not tell of
#
# `ss -tnp` is asked ten times a second.
set -euo pipefail

BUILD=$(realpath "${1:?BUILD_DIR}")
# shellcheck source=tests/integration/lib.sh
. "$(dirname "$0")/../integration/lib.sh"
# shellcheck source=tests/bench/tools.sh
. "$(dirname "$0")/tools.sh"

SESSIONS=500
PORT=8080 # of the server
TOOLS=(flowner tcplife tcplife-bpfcc ss)
mkdir -p "$CGROUP"

run_sessions() { in_cgroup "$BUILD/tests/sessions" "$SESSIONS" "$PORT" >"$T/truth"; }

# --- what each tool says, a line an end: LOCAL_PORT REMOTE_PORT PID; a reason in $T/why if not ---

told_flowner() {
	start_daemon
	run_sessions
	flowner list -a -j ":$PORT" |
		jq -r 'select(.flowner.remote) |
			"\(.flowner.local.port) \(.flowner.remote.port) \(.process.pid)"'
	stop_daemon
}

# A name may have blanks; the last columns are LADDR LPORT RADDR RPORT TX_KB RX_KB MS. It writes
# when its buffer is full, and the rest when it is interrupted.
tcplife_tells() { # PROGRAM
	start_tool "$1" || return 1
	run_sessions
	kill -INT "$TOOL"
	wait "$TOOL" || true
	TOOL=''
	awk '$1 ~ /^[0-9]+$/ { print $(NF - 5), $(NF - 3), $1 }' "$T/tool.out"
}
told_tcplife() { tcplife_tells tcplife; }
told_tcplife-bpfcc() { tcplife_tells tcplife-bpfcc; }

poll() {
	while :; do
		ss -Htnp "sport = $PORT or dport = $PORT"
		sleep 0.1 # lint: poll
	done
}

told_ss() {
	poll >"$T/tool.out" &
	TOOL=$!
	run_sessions
	stop_tool
	sed -nE 's/^.*:([0-9]+) +[^ ]*:([0-9]+) +users:.*pid=([0-9]+).*/\1 \2 \3/p' \
		"$T/tool.out" | sort -u
}

# --- against the truth ---

# Both are counted by end, LOCAL REMOTE, and there by process: a tuple may have been several's.
judge() { # TRUTH TOLD -> RIGHT WRONG MISSING
	awk -v port="$PORT" '
		function had(end, pid) { ends[end]++; truth[end " " pid]++ }
		FNR == NR && $1 == "session" { had($4 " " port, $5); had(port " " $4, $6) }
		FNR == NR { next }
		{ end = $1 " " $2 }
		!(end in ends) { next }
		truth[end " " $3] > 0 { truth[end " " $3]--; right++; ends[end]--; next }
		{ other[end]++ }
		END {
			for (end in ends) {
				n = other[end] < ends[end] ? other[end] : ends[end]
				wrong += n
				missing += ends[end] - n
			}
			print right + 0, wrong + 0, missing + 0
		}' "$1" "$2"
}

main() {
	local tool right wrong missing
	printf '\n%-14s %8s %8s %8s   (%s sessions, two ends each)\n' \
		names right wrong missing "$SESSIONS"
	for tool in "${TOOLS[@]}"; do
		if ! "told_$tool" >"$T/told"; then
			printf '%-14s not run: %s\n' "$tool" \
				"$(cat "$T/tool.out" "$T/why" | grep -m1 . | cut -c 1-80)"
			continue
		fi
		read -r right wrong missing < <(judge "$T/truth" "$T/told")
		printf '%-14s %8s %8s %8s\n' "$tool" "$right" "$wrong" "$missing"
	done
}
main
