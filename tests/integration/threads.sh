#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# One handle of libflowner in many threads, under ThreadSanitizer, while the daemon stops, comes
# back, is killed and comes back: no data race, nobody else's flow, and right answers at the end.
. "$(dirname "$0")/lib.sh"

[[ -x $BUILD/tests/threads ]] || skip "built by another architecture's compiler, without it"
# without address space randomisation: gcc's runtime knows no kernel that has more of it
TSAN=(setarch -R env TSAN_OPTIONS=exitcode=66 "$BUILD/tests/threads")
"${TSAN[@]}" >"$T/out" 2>&1 || status=$?
((${status:-0} == 2)) || skip "ThreadSanitizer does not work here: $(head -n 1 "$T/out")"

start_daemon
start "${TSAN[@]}" "$PINS" "$SOCK" 8 >"$T/threads" 2>"$T/threads.err"
asking=$PID
ready() { grep -q READY "$T/threads" || gone "$asking"; }
eventually 20 ready
stop_daemon
start_daemon
kill_daemon
start_daemon
status=0
wait "$asking" || status=$?
((status == 0)) || fail "status $status: $(cat "$T/threads" "$T/threads.err")"
matches "its count" "$(tail -n 1 "$T/threads")" '^right [1-9][0-9]* wrong 0 '
tail -n 1 "$T/threads"
