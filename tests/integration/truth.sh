#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Every scenario of tests/truth, in this test's cgroup: 0 wrong and 0 missing, on this kernel's tier
# and by --accept syscall, where sockets accepted and handed over untouched are exact, too.
# timeout: 240
. "$(dirname "$0")/lib.sh"

score() { # NAME OPTIONS...
	local name=$1
	shift
	flowner list -a -j >"$T/report-$name"
	"$BUILD/truth/score" "$T/truth-$name" "$T/report-$name" "$@" >"$T/score" ||
		fail "$name: $(head -c 4000 "$T/score"; tail -n 80 "$T/score")"
	tail -n 3 "$T/score"
	same "$name: ring_full" "$(stat_of ring_full)" 0
}

start_daemon
in_cgroup "$BUILD/truth/truth" -n 2 -o "$T/truth-auto"
tier=$(flowner doctor -j | jq -r .tier)
[[ $tier == lowest ]] || tier=full
score auto --tier "$tier"
stop_daemon

start_daemon --accept syscall
in_cgroup "$BUILD/truth/truth" -n 2 -o "$T/truth-syscall"
score syscall --tier full --accept-syscall
