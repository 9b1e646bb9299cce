# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# Sourced after lib.sh: tools of others beside flownerd, one at a time. Their tracepoints need
# tracefs: it is mounted for the tool alone when the host has none. The output is in $T/tool.out.
TOOL='' # its pid

attached_or_dead() { # its tracepoints are perf events
	find "/proc/$TOOL/fd" -lname '*perf_event*' 2>/dev/null | grep -q . || gone "$TOOL"
}

start_tool() { # PROGRAM...
	: >"$T/tool.out"
	: >"$T/why"
	command -v "$1" >/dev/null || { echo "not installed" >"$T/why"; return 1; }
	# shellcheck disable=SC2016 # for the inner shell
	unshare --mount bash -c 'mountpoint -q /sys/kernel/tracing ||
		mount -t tracefs tracefs /sys/kernel/tracing; exec "$@"' - "$@" \
		>"$T/tool.out" 2>"$T/why" &
	TOOL=$!
	eventually 60 attached_or_dead
	! gone "$TOOL" || { TOOL=''; return 1; }
}

stop_tool() {
	[[ -z $TOOL ]] || { kill "$TOOL" && wait "$TOOL"; } 2>/dev/null || true
	TOOL=''
}
