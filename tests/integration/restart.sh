#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The daemon is killed: tracking goes on without it, and the next one continues where it was. A
# daemon that is told to stop, or `flownerd --detach`, leaves nothing in the kernel.
. "$(dirname "$0")/lib.sh"

ends_told() { # FILE: ids of flows whose end a watcher was told
	jq -r 'select(.event.action | IN("close", "unlisten")).flowner.flow_id' "$1" | sort
}

printf 'limits: {ring: 1MiB}\n' >"$T/config"
own_netns
start_daemon --config "$T/config"
actor server
actor client
tell server listen tcp 127.0.0.1 8080
listener=${R[2]}
tell client connect tcp 127.0.0.1 8080
stays=${R[2]}
tell server accept 3
tell client connect tcp 127.0.0.1 8080
leaves=${R[2]} leaves_fd=${R[0]}
tell server accept 3
leaves_peer=${R[2]} leaves_peer_fd=${R[0]}
tell server listen udp 127.0.0.1 5353
udp=${R[2]}
flowner list -j >"$T/before"
same "flows" "$(wc -l <"$T/before")" 6

# A hook that is on outlives the daemon, or doctor says that it does not: kprobes before 5.15.
flowner doctor -j | jq -r '.hooks[] |
	select(.status == "on" and (.attach | startswith("iter/") | not)) |
	"\(.program) \(.lost)"' >"$T/on"
(($(wc -l <"$T/on") > 10)) || fail "doctor says that only these are on: $(<"$T/on")"
while read -r program lost; do
	[[ -e $PINS/links/$program || $lost == *"a killed daemon loses this hook"* ]] ||
		fail "'$program' is on and neither pinned nor told of: $lost"
done <"$T/on"

# --- dead ---
seen=$(flowner stats -j | jq .sequence)
kill_daemon
[[ -e $PINS/l7_connections && -e $PINS/links/track_sockops ]] ||
	fail "the pins went with the daemon"
exits 3 flowner list
tell client connect tcp 127.0.0.1 8080
comes=${R[2]}
tell server accept 3
comes_peer=${R[2]}
tell client close "$leaves_fd"
tell server close "$leaves_peer_fd"
tell client connect tcp 127.0.0.1 8080 # lives and dies while nobody looks
passing=${R[2]}
tell client reset "${R[0]}"
tell server accept 3
passing_peer=${R[2]}
tell server close "${R[0]}"
same "ids in socket_to_process" "$(ids)" "$(cookies)"
same "entries of l7_connections" "$(map l7_connections | jq length)" 6
for gone in "$leaves" "$leaves_peer" "$passing" "$passing_peer"; do
	! ids | grep -qx "$(short "$gone")" || fail "$gone is still in the map"
done
for there in "$listener" "$stays" "$udp" "$comes" "$comes_peer"; do
	ids | grep -qx "$(short "$there")" || fail "$there is not in the map"
done

# --- the next one ---
start_daemon --config "$T/config"
flowner list -j >"$T/after"
# the start to the millisecond or so: each daemon reads the offset of the clocks for itself
same "the same flows" "$(jq -s --slurpfile old "$T/before" '
	def ms: (.[:19] + "Z" | fromdate) * 1000 + (.[20:23] | tonumber);
	[.[] as $n | $old[] | select(.flowner.flow_id == $n.flowner.flow_id and
		(.process | del(.start)) == ($n.process | del(.start))
		and ((.event.start | ms) - ($n.event.start | ms) | fabs) <= 2)] | length
	' "$T/after")" 4
same "all flows" "$(flowner list -j | jq -r .flowner.flow_id | sed 's/^0*//' | sort)" "$(cookies)"
same "those that ended meanwhile" \
	"$(flowner list -j --closed | jq -r .flowner.flow_id | sort)" \
	"$(printf '%s\n' "$leaves" "$leaves_peer" "$passing" "$passing_peer" | sort)"
same "each has an end and an owner" "$(flowner list -j --closed |
	jq -c 'select(.event.end == null or .process.pid == null)')" ''
timeout $((10 * TEST_SLOW)) env "FLOWNER_SOCKET=$SOCK" "$BUILD/flowner" watch -j --replay 0 \
	>"$T/replay" 2>"$T/replay.err" &
watcher=$!
told() { [[ $(ends_told "$T/replay" | wc -l) == 4 ]]; }
eventually 9 told
terminate "$watcher"
timeout $((10 * TEST_SLOW)) env "FLOWNER_SOCKET=$SOCK" "$BUILD/flowner" watch -j --replay "$seen" \
	>"$T/later" 2>"$T/later.err" &
watcher=$!
told_later() { [[ $(ends_told "$T/later" | wc -l) == 4 ]]; }
eventually 9 told_later
terminate "$watcher"
matches "to who had seen all of the life before" \
	"$(jq -r 'select(.event.action == "lost").message' "$T/later")" 'earlier life'
(($(flowner stats -j | jq .sequence) > seen)) || fail "sequences begin again"
same "resync" "$(jq -r 'select(.event.action == "resync") | .message' "$T/replay")" continued
same "opened - ended" "$(($(stat_of opened) - $(stat_of ended) - $(stat_of end_reconciled)))" 6
same "nothing was counted twice" "$(stat_of opened)" 10

# --- told to stop: nothing is left ---
second_life() { # of a listener, by the id of its flow
	tell server listen tcp 127.0.0.1 0
	again=${R[0]}
	tell server relisten "$again"
	NUMBERED=$(flowner list -j -l --lport "${R[1]}" | jq -r .flowner.flow_id)
	[[ $NUMBERED == 8* ]] || fail "a second life has the id $NUMBERED"
	tell server close "$again"
}
second_life
given=$NUMBERED
mine=$(objects_of_pins)
[[ $(grep -c link <<<"$mine") -ge 12 && $(grep -c map <<<"$mine") -ge 12 ]] ||
	fail "only these were pinned: $mine"
stop_daemon
[[ ! -e $PINS ]] || fail "pins are left: $(ls -R "$PINS")"
eventually 10 freed "$mine"
exits 3 flowner list
[[ ! -e $SOCK ]] || fail "the socket file is left"

# --- killed, then detached: nothing is left ---
start_daemon --config "$T/config"
second_life
[[ $NUMBERED > $given ]] || fail "after $given came $NUMBERED"
mine=$(objects_of_pins)
kill_daemon
exits 0 "$BUILD/flownerd" --detach --pin-dir "$PINS"
same "what --detach says" "$(cat "$T/out" "$T/err")" ''
[[ ! -e $PINS ]] || fail "pins are left: $(ls -R "$PINS")"
eventually 10 freed "$mine"
exits 0 "$BUILD/flownerd" --detach --pin-dir "$PINS" # nothing to remove is no failure

# --- on_stop: keep leaves the pins on purpose ---
printf 'on_stop: keep\n' >"$T/keep"
start_daemon --config "$T/keep"
stop_daemon
[[ -e $PINS/links/track_sockops ]] || fail "on_stop: keep kept nothing"
tell client connect tcp 127.0.0.1 8080
kept=${R[2]}
start_daemon
flowner show "$kept" >/dev/null || fail "a flow opened between two daemons is not known"
same "and all of the old" "$(ids)" "$(cookies)"

# --- replaced: SIGUSR1 leaves them, too, also when it is told to stop right after it ---
echo 'on_stop: detach' >"$T/detach"
stop_daemon
start_daemon --config "$T/detach"
kill -STOP "$DAEMON"
kill -TERM "$DAEMON"
kill -USR1 "$DAEMON"
kill -CONT "$DAEMON"
eventually 20 gone "$DAEMON"
exits 0 wait "$DAEMON"
forget_daemon
tell client connect tcp 127.0.0.1 8080
kept=${R[2]}
start_daemon --config "$T/detach"
flowner show "$kept" >/dev/null || fail "a flow opened while it was replaced is not known"
stop_daemon
[[ ! -e $PINS ]] || fail "pins are left"
