#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Full maps and a full ring: counted and told, the daemon lives, nothing wrong is reported, and when
# there is room again all is as if nothing had happened.
. "$(dirname "$0")/lib.sh"

owner_of() { # ID -> pid
	flowner show -j "$1" | jq .process.pid
}

# --- maps for 64 flows, and 200 sockets ---
printf 'limits: {flows: 64}\nreconcile: 2s\n' >"$T/config"
own_netns
start_daemon --config "$T/config"
actor server
actor client
tell server listen tcp 127.0.0.1 8080
tell client many 100 tcp 127.0.0.1 8080
tell server take 100 3
same "entries" "$(map socket_to_process | jq length)" 64
refusals() { echo $(($(stat_of sockets_full) + $(stat_of connections_full))); }
(($(refusals) >= 201 - 64)) || fail "only $(refusals) refusals were counted for 201 sockets"
metrics_count_them() { # each sweep adds to both
	[[ $(flowner metrics | awk '/^flowner_map_full_total/ { n += $2 } END { print n }') == \
		"$(refusals)" ]]
}
eventually 10 metrics_count_them
same "ids that are no socket of ours" "$(comm -23 <(ids) <(cookies))" ''
same "owners" "$(
	flowner list -j | jq -r '"\(.flowner.role) \(.process.pid)"' | sort -u | tr '\n' ','
)" "acceptor ${ACTOR_PID[server]},listener ${ACTOR_PID[server]},opener ${ACTOR_PID[client]},"
same "flows shown" "$(flowner list -j | wc -l)" 64
tell client drop
tell server drop
empty() { [[ $(map socket_to_process | jq length)$(map l7_connections | jq length) == 00 ]]; }
eventually 40 empty
tell server listen tcp 127.0.0.1 8080
tell client connect tcp 127.0.0.1 8080
opener=${R[2]}
same "there is room again" "$(owner_of "$opener")" "${ACTOR_PID[client]}"
same "nothing ended that had not been opened" \
	"$(($(stat_of opened) - $(stat_of ended) - $(stat_of end_reconciled)))" \
	"$(map socket_to_process | jq length)"
tell client drop
tell server drop
stop_daemon

# --- a socket without room for what programs keep with it ---
# Whether the walk over older sockets does that on this kernel is in what was loaded.
walk_keeps() {
	local id
	id=$(bpftool prog list -j | jq '[.[] | select(.name == "seed_files").id] | max')
	bpftool prog dump xlated id "$id" >"$T/walk"
	grep -q sk_storage_get "$T/walk"
}
tell server listen udp ::1 0
crowded=${R[0]} port=${R[1]} id=${R[2]}
tell server crowd "$crowded"
start_daemon --config "$T/config"
if walk_keeps; then walked=1; else walked=0; fi
same "what the walk could not keep" "$(stat_of storage_full)" "$walked"
same "its owner" "$(owner_of "$id")" "${ACTOR_PID[server]}"
tell server sendto "$crowded" ::1 "$port"
(($(stat_of storage_full) > walked)) || fail "a datagram that could not be noted is not counted"
tell server drop
eventually 40 empty
stop_daemon

# --- a ring of one page ---
printf 'limits: {ring: 4KiB}\nreconcile: 2s\npoll: 1s\nrecent: {flows: 1000}\n' >"$T/config"
start_daemon --config "$T/config"
FLOWNER_SOCKET=$SOCK "$BUILD/flowner" watch -j >"$T/events" 2>"$T/events.err" &
watcher=$!
watching() { [[ $(flowner stats -j | jq .streams.open) == 1 ]]; }
eventually 10 watching
tell server listen tcp 127.0.0.1 8080
tell client many 120 tcp 127.0.0.1 8080
tell server take 120 3
# half of them stay
for i in {3..62}; do tell client close "$i"; done
for i in {4..63}; do tell server close "$i"; done
lost=$(stat_of ring_full)
((lost > 0)) || fail "a ring of one page took everything"
told() { # all that was lost
	local count
	count=$(jq -s '[.[] | select(.event.action == "lost") | .flowner.count] | add' "$T/events")
	[[ $count == "$(stat_of ring_full)" ]]
}
eventually 10 told
grep -q 'LOST .* the event ring was full' "$T/events.err" || fail "watch does not say LOST"
terminate "$watcher"
same "metrics say so" "$(stat_of ring_full)" \
	"$(flowner metrics | sed -n 's/^flowner_events_lost_total{reason="ring_full"} //p')"
equal() { [[ $(ids) == "$(cookies)" ]]; }
eventually 20 equal
same "sockets" "$(ids | wc -l)" 121
same "owners of what is open" "$(flowner list -j --state established |
	jq -r '"\(.flowner.role) \(.process.pid)"' | sort | uniq -c | tr -s ' ' | tr '\n' ',')" \
	" 60 acceptor ${ACTOR_PID[server]}, 60 opener ${ACTOR_PID[client]},"
same "names of what is open" "$(flowner list -j | jq -r .process.executable | sort -u)" \
	"$(realpath "$BUILD/tests/actor")"
