#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Somebody who is denied in a loop, while nobody reads: verdicts take half of the event ring, what
# more there is is counted, by the rule too, and sessions are told as if nothing had been. What can
# only be undone after a listen() is undone.
. "$(dirname "$0")/lib.sh"

TRIES=2000 # a record of each would fill the ring seven times
SESSIONS=8

printf 'limits: {ring: 64KiB}\n' >"$T/config"
cat >"$T/policy.yaml" <<-END
	mode: enforce
	rules:
	  - name: nobody
	    hooks: [connect]
	    remote: {port: 7001}
	    verdict: reject
	  - name: late
	    hooks: [listen]
	    local: {port: 7009}
	    verdict: reject
	    allow_async: true
END
start_daemon --config "$T/config"
own_netns
actor server
actor client
exits 0 flowner policy load "$T/policy.yaml"
tell server listen tcp 127.0.0.1 7002
FLOWNER_SOCKET=$SOCK "$BUILD/flowner" watch -j >"$T/events" 2>"$T/events.err" &
watching() { (($(flowner stats -j | jq .streams.open) > 0)); }
eventually 10 watching

kill -STOP "$DAEMON"
in_cgroup nsenter -t "$NETNS" -n "$BUILD/tests/hammer" 7001 "$TRIES" >"$T/hammer"
read -r tries through <"$T/hammer"
same "attempts, and who got through" "$tries $through" "$TRIES 0"
for i in $(seq "$SESSIONS"); do
	tell client connect tcp 127.0.0.1 7002
	ids[i]=${R[2]}
	tell client close "${R[0]}"
done
try server listen tcp 127.0.0.1 7009
late=("${R[@]}")
kill -CONT "$DAEMON"

untold() { stat_of verdict_untold; }
closed() { jq -c 'select(.event.action == "close")' "$T/events" | wc -l; }
lost() { jq -s '[.[] | select(.event.action == "lost").flowner.count] | add' "$T/events"; }
all_told() { (($(closed) == SESSIONS && $(lost) == $(untold))); }
eventually 20 all_told
if [[ ${late[0]} == ok ]]; then
	try server accept "${late[1]}"
	same "accept of who should not listen" "${R[*]}" 'error Invalid argument'
fi
same "hits" "$(flowner policy show -j | jq '.rules[0].hits')" "$TRIES"
same "records the ring refused" "$(stat_of ring_full)" 0
(($(untold) > TRIES / 2)) || fail "of $TRIES verdicts only $(untold) found the ring half full"
exits 0 flowner policy clear # what was joined is told
joined() {
	(($(jq -s '[.[] | select(.rule.name == "nobody") | .flowner.count // 1] | add' \
		"$T/events") == TRIES - $(untold)))
}
eventually 20 joined
for id in "${ids[@]}"; do
	same "who opened $id" "$(jq -r --arg id "$id" 'select(.event.action == "close" and
		.flowner.flow_id == $id).process.pid' "$T/events")" "${ACTOR_PID[client]}"
done
grep -q 'LOST .* more verdicts than' "$T/events.err" || fail "watch does not say what was lost"
same "metrics say so" "$(untold)" "$(flowner metrics |
	sed -n 's/^flowner_events_lost_total{reason="verdict_untold"} //p')"
