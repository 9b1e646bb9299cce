#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Sockets older than the agent, in two network namespaces: listeners, connections, some of them in
# the queue of accept() or in a process asleep in it, and UDP. Right from the first answer on, and
# right when they are used and closed afterwards.
# what it sees is the kernel's doing
. "$(dirname "$0")/lib.sh"

mkfifo "$T/hold.to" "$T/hold.from"
start_piped hold "$BUILD/truth/truth" --hold "$T/truth"
holder=$PID
exec {to}>"$T/hold.to" {from}<"$T/hold.from"
while read -r -t 60 line <&"$from" && [[ $line != READY ]]; do echo "$line"; done >"$T/live"
[[ $line == READY ]] || fail "the sockets are not there"
older=$(grep -c '"owner"' "$T/live")

start_daemon --accept syscall
flowner list -j >"$T/report"
grep -q "$older sockets found open" "$T/flownerd.log" || fail "not all $older were found"
"$BUILD/truth/score" "$T/live" "$T/report" --live --strict --accept-syscall >"$T/score" ||
	fail "open: $(<"$T/score")"
tail -n 3 "$T/score"
same "none of them has a time" "$(jq -c 'select(.event.start or .event.duration)' "$T/report")" ''
same "all say they are older" "$older" \
	"$(jq -c 'select(.flowner.opened_before)' "$T/report" | wc -l)"

FLOWNER_SOCKET=$SOCK "$BUILD/flowner" watch -j >"$T/events" 2>"$T/events.err" &
watcher=$!
watching() { [[ $(flowner stats -j | jq .streams.open) == 1 ]]; }
eventually 10 watching
echo go >&"$to"
wait "$holder" || fail "truth --hold ended with $?"
drained() { [[ -z $(ids) && $(map l7_connections | jq length) == 0 ]]; }
eventually 40 drained # what close() leaves may wait for an ACK yet
flowner list -a -j >"$T/report"
"$BUILD/truth/score" "$T/truth" "$T/report" --strict --accept-syscall >"$T/score" ||
	fail "closed: $(<"$T/score")"
tail -n 3 "$T/score"
ends() { jq -r 'select(.event.action | IN("close", "unlisten")).flowner.flow_id'; }
all_told() {
	[[ $(ends <"$T/events" | sort) == "$(flowner list -a -j | jq -r .flowner.flow_id | sort)" ]]
}
eventually 10 all_told
terminate "$watcher"
