#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Events of choice in systemd's journal, here a socket of the test in its place: each once, with its
# fields; a journal that takes nothing stops nobody. The daemon's own lines have their level there.
[[ ${ALONE:-} ]] || ALONE=1 exec unshare -m --propagation private bash "$0" "$@"
. "$(dirname "$0")/lib.sh"

mount -t tmpfs none /run
mkdir -p /run/systemd/journal
config() { printf 'journal:\n  events: %s\n' "$1" >"$T/config"; }

take_entries() { # from now on they are in $T/entries
	rm -f /run/systemd/journal/socket
	"$BUILD/tests/notices" /run/systemd/journal/socket >>"$T/entries" &
	JOURNAL=$!
	eventually 10 test -S /run/systemd/journal/socket
}

# A line for each entry that has these fields with these values.
entries() { # NAME=VALUE...
	awk -v wanted="$*" '
		BEGIN { n = split(wanted, fields, " "); RS = ""; FS = "\n" }
		{
			delete has
			for (i = 1; i <= NF; i++) has[$i]
			for (i = 1; i <= n && fields[i] in has; i++);
			if (i > n) print NR
		}' "$T/entries"
}
there() { [[ $(entries "${@:2}" | wc -l) == "$1" ]]; } # COUNT NAME=VALUE...
field() { sed -n "s/^$1=//p" "$T/entries"; } # NAME: its values

# --- not asked for; asked for in vain ---

own_netns
actor server
actor client
tell client comm eve
tell server listen tcp 127.0.0.1 8080
listener=${R[0]}
take_entries
for events in '[nothing]' '[close, clos]' 'close open'; do
	config "$events"
	refuses 2 "config:2:[0-9]+: journal.events: '[^']*' is not listen or .* or lost" \
		"$BUILD/flownerd" --config "$T/config"
done
start_daemon
tell client connect tcp 127.0.0.1 8080
tell client close "${R[0]}"
stop_daemon
same "entries when nobody asks" "$(grep -c FLOWNER "$T/entries")" 0

# --- events with their fields ---

config '[open, close, verdict, lost]'
start_daemon --config "$T/config"
tell server accept "$listener"
tell client connect tcp 127.0.0.1 8080
id=${R[2]} fd=${R[0]} port=${R[1]}
eventually 10 there 1 FLOWNER_EVENT=open "FLOWNER_FLOW_ID=$id"
tell client close "$fd"
eventually 10 there 1 FLOWNER_EVENT=close "FLOWNER_FLOW_ID=$id" \
	"FLOWNER_PID=${ACTOR_PID[client]}" FLOWNER_COMM=eve FLOWNER_UID=0 \
	FLOWNER_PROTO=tcp FLOWNER_DIRECTION=egress \
	"FLOWNER_LOCAL=127.0.0.1:$port" FLOWNER_REMOTE=127.0.0.1:8080 FLOWNER_ROLE=opener \
	"FLOWNER_EXE=$(realpath "$BUILD/tests/actor")" PRIORITY=6 SYSLOG_IDENTIFIER=flownerd
same "its message" "$(field MESSAGE | grep '^close.*eve')" \
	"close tcp 127.0.0.1:$port -> 127.0.0.1:8080 eve[${ACTOR_PID[client]}]"
same "events nobody asked for" "$(field FLOWNER_EVENT | grep -vcE '^(open|close)$')" 0
printf '%s\n' 'rules:' '- name: no-eve' '  hooks: [connect]' '  remote: {port: 8080}' \
	'  verdict: reject' >"$T/audit.yaml"
flowner policy load "$T/audit.yaml" >/dev/null
tell client connect tcp 127.0.0.1 8080
eventually 15 there 1 FLOWNER_EVENT=verdict FLOWNER_VERDICT=reject FLOWNER_HOOK=connect \
	FLOWNER_RULE=no-eve FLOWNER_ENFORCED=0 "FLOWNER_PID=${ACTOR_PID[client]}"
flowner policy clear >/dev/null

# --- a daemon that follows a killed one says nothing twice ---

kill_daemon
start_daemon --config "$T/config"
tell client connect tcp 127.0.0.1 8080
last=${R[2]}
tell client close "${R[0]}"
eventually 10 there 1 FLOWNER_EVENT=close "FLOWNER_FLOW_ID=$last"
same "ends told twice" "$(awk 'BEGIN { RS = ""; FS = "\n" } /FLOWNER_EVENT=close/ {
	for (i = 1; i <= NF; i++) if ($i ~ /^FLOWNER_FLOW_ID/) print $i }' "$T/entries" |
	sort | uniq -d)" ''

# --- a journal that does not read, and none at all ---

untold() { api /metrics | sed -n 's/^flowner_events_lost_total{reason="journal"} //p'; }
same "lost until now" "$(untold)" 0
kill -STOP "$JOURNAL"
lost() { (($(untold) > 0)); }
more() {
	for _ in {1..50}; do
		tell client connect tcp 127.0.0.1 8080
		tell client close "${R[0]}"
	done
	lost
}
eventually 20 more
said() { grep -q "journal: $1" "$T/flownerd.log"; }
eventually 5 said 'events are lost: cannot send to .*: Resource temporarily unavailable'
kill -CONT "$JOURNAL"
again() {
	tell client connect tcp 127.0.0.1 8080
	tell client close "${R[0]}"
	said 'it takes events again, [0-9]* were lost'
}
eventually 10 again
kill "$JOURNAL"
none() {
	tell client connect tcp 127.0.0.1 8080
	tell client close "${R[0]}"
	said 'events are lost: cannot send to .*: Connection refused'
}
eventually 10 none
stop_daemon

# --- the daemon's own lines ---

same "without a journal" "$(grep -vc '^flownerd: ' "$T/flownerd.log")" 0
: >"$T/flownerd.log"
stream=$(stat -c %d:%i "$T/flownerd.log")
JOURNAL_STREAM=$stream start_daemon
stop_daemon
matches "with one" "$(grep '>tier .*answering' "$T/flownerd.log")" '^<6>tier '
refuses 2 '^cannot read|^flownerd: cannot read' env JOURNAL_STREAM="$stream" \
	"$BUILD/flownerd" --config "$T/none"
