#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The log of flows that ended: each once, whole and final, whatever happens to daemon, disk and file
# meanwhile; and `list --since` over it, for everybody what he may see, however large it is.
# timeout: 300
[[ ${ALONE:-} ]] || ALONE=1 exec unshare -m --propagation private bash "$0" "$@" # a disk of its own
. "$(dirname "$0")/lib.sh"

LOG=$T/log/flows.jsonl
chmod 711 "$T"
mkdir "$T/log"
install -m 755 "$BUILD/flowner" "$T/flowner"
config() { # RECENT FILE
	printf '%s\n' "recent: {flows: $1}" "history: {file: $2}" 'group: nogroup' >"$T/config"
}

# Sessions of the client, opened and closed: their ids at both ends are added to $T/ids.
sessions() { # COUNT
	local i
	for ((i = 0; i < $1; i++)); do
		tell client connect tcp 127.0.0.1 "$port"
		echo "${R[2]}" >>"$T/ids"
		local fd=${R[0]}
		tell server accept "$listener"
		echo "${R[2]}" >>"$T/ids"
		tell server close "${R[0]}"
		tell client close "$fd"
	done
}

logged() { # of all files, sorted
	cat "$LOG"* | jq -R -r 'fromjson? | .flowner.flow_id' | sort
}
all_logged() { [[ $(logged) == "$(sort "$T/ids")" ]]; }
wait_logged() { # WHEN
	soon 10 all_logged || same "flows in the file $1" \
		"$(diff <(sort "$T/ids") <(logged))" ''
}

listed() { # FILTER...: ids
	flowner list -j "$@" | jq -r .flowner.flow_id | sort
}

# --- not asked for, asked for in vain ---

own_netns
actor server
actor client
tell client uid 65534
tell server listen tcp 127.0.0.1 0
listener=${R[0]} port=${R[1]} listening=${R[2]}
daemon=("$BUILD/flownerd" --config "$T/config" --cgroup "$CGROUP" --socket "$SOCK"
	--pin-dir "$PINS")
in_vain() { # PATH WHY
	config 100 "$1"
	refuses 1 "cannot open the history '$1': $2" "${daemon[@]}"
	[[ ! -e $PINS ]] || fail "it left pins"
}
ln -s "$T/elsewhere" "$T/log/link"
mkfifo "$T/log/fifo"
in_vain "$T/none/flows.jsonl" 'No such file or directory'
in_vain "$T/log/link" 'Too many levels of symbolic links'
in_vain "$T/log/fifo" 'not a regular file'
in_vain "$T/log" 'Is a directory'
rm "$T/log/link" "$T/log/fifo"

# --- each flow, as list has it, and where it is from ---

config 100000 "$LOG"
start_daemon --config "$T/config"
same "whose it is, and for whom" "$(stat -c '%U:%G %a' "$LOG")" 'root:nogroup 640'
: >"$T/ids"
sessions 3
wait_logged "at first"
same "its records" "$(jq -c 'del(.host.boot)' "$LOG" | sort)" "$(flowner list --closed -j |
	jq -c . | sort)"
same "boot" "$(jq -r .host.boot.id "$LOG" | sort -u)" "$(</proc/sys/kernel/random/boot_id)"

# --- rotated: what was is in .1, what comes in the new one ---

mv "$LOG" "$LOG.1"
same "list in this moment" "$(listed --closed --since 1h)" "$(sort "$T/ids")"
install -g nogroup -m 0640 /dev/null "$LOG" # as logrotate does, which tells nobody
sessions 2
wait_logged "after it was rotated"
same "lines of the old one and the new one" "$(wc -l <"$LOG.1") $(wc -l <"$LOG")" '6 4'
cat "$LOG.1" "$LOG" >"$T/both"
mv "$T/both" "$LOG.1"
rm "$LOG"
kill -HUP "$DAEMON"
opened() { [[ -e $LOG ]]; }
eventually 10 opened
same "lines of the old ones" "$(wc -l <"$LOG.1")" 10
same "list" "$(listed --closed --since 1h)" "$(sort "$T/ids")"

# --- killed: what the next daemon takes again is not written again ---

kill_daemon
sessions 2
start_daemon --config "$T/config"
sessions 1
wait_logged "after it was killed"
same "list" "$(listed --closed --since 1h)" "$(sort "$T/ids")"
# killed with a line half written
kill_daemon
printf '{"half a line' >>"$LOG"
lines=$(wc -l <"$LOG")
start_daemon --config "$T/config"
sessions 1
wait_logged "after half a line"
same "lines" "$(wc -l <"$LOG")" $((lines + 3))
same "lines that are none" "$(jq -R -r 'fromjson? // "none"' "$LOG" | grep -c none)" 1

# --- stopped: at once all that has ended; forgotten, but for the file ---

sessions 1
stop_daemon
same "flows in the file after it stopped" "$(logged)" "$(sort "$T/ids")"
config 4 "$LOG"
start_daemon --config "$T/config"
same "list without the file" "$(listed --closed)" ''
sessions 4
wait_logged "with an index of four"
same "list without a time" "$(listed --closed | wc -l)" 4
same "list" "$(listed --closed --since 1h)" "$(sort "$T/ids")"
same "list of what lives, too" "$(listed --since 1h)" \
	"$(printf '%s\n' "$listening" "$(<"$T/ids")" | sort)"
same "list until then" "$(listed --closed --until 1h)" ''
same "list by another filter" "$(listed --closed --since 1h --direction ingress | wc -l)" \
	$(($(wc -l <"$T/ids") / 2))
same "list by executable" "$(listed --closed --since 1h --exe actor)" "$(sort "$T/ids")"
same "list by port" "$(listed --since 1h --rport "$port" | wc -l)" $(($(wc -l <"$T/ids") / 2))
flowner list --closed --since 1h -H >"$T/table"
same "list as a table" "$(wc -l <"$T/table")" "$(wc -l <"$T/ids")"
same "another user's list" "$(FLOWNER_SOCKET=$SOCK setpriv --reuid=65534 --clear-groups \
	"$T/flowner" list -j --closed --since 1h | jq -r .process.pid | sort | uniq -c)" \
	"$(printf '%7d %d' $(($(wc -l <"$T/ids") / 2)) "${ACTOR_PID[client]}")"

# --- a full disk: kept, told once, tried again, and nothing by halves ---

stop_daemon
mkdir "$T/small"
mount -t tmpfs -o size=256k,mode=755 none "$T/small"
LOG=$T/small/flows.jsonl
config 100000 "$LOG"
start_daemon --config "$T/config"
: >"$T/ids"
sessions 5
wait_logged "on the small disk"
dd if=/dev/zero of="$T/small/filler" bs=1k count=256 2>/dev/null || true
sessions 30
metric() { api /metrics | sed -n "s/^flowner_history_$1 //p"; }
trouble() { (($(metric 'write_errors_total{reason="no_space"}') > 1)); }
eventually 10 trouble
# each attempt may be half there for a moment
whole() { [[ $(tail -c 1 "$LOG" | od -An -c) == '  \n' ]]; }
eventually 10 whole
rm "$T/small/filler"
wait_logged "after there was room"
again() { grep -q 'is written to again: 0 flows were lost' "$T/flownerd.log"; }
eventually 10 again
same "lines about it" "$(grep -c 'No space left on device' "$T/flownerd.log")" 1
same "counted as lost" "$(metric 'lost_total{reason="buffer_full"}')" 0
same "counted as written" "$(metric records_total)" 70
mkdir "$T/small/away" && mv "$LOG" "$T/small/away/"
mkdir "$LOG" # what comes instead cannot be opened
kill -HUP "$DAEMON"
kept() { grep -q "the old file goes on: cannot open '$LOG': Is a directory" "$T/flownerd.log"; }
eventually 10 kept
stop_daemon
umount "$T/small"

# --- large: 100 MB, of which the end is asked for, then all in vain; less where all is slow ---

LINES=$((70000 / TEST_SLOW))

LOG=$T/log/flows.jsonl
rm "$LOG.1"
line=$(tail -n 1 "$LOG" | jq -c '.flowner.flow_id = "|" | .event.end = "|" | .event.start = "|" |
	.host.boot.id = "another" | .process.args = ["'"$(printf '%0600d' 0)"'"]')
IFS='|' read -r -a part <<<"$line"
same "places of the template" "${#part[@]}" 4
now=$EPOCHSECONDS
for ((i = LINES; i > 0; i--)); do
	TZ=UTC printf -v at '%(%Y-%m-%dT%H:%M:%S)T.000000000Z' $((now - i))
	printf -v id '%016x' "$i"
	echo "${part[0]}$at${part[1]}$at${part[2]}$id${part[3]}"
done >"$LOG"
size=$(stat -c %s "$LOG")
((size > LINES * 1300)) || fail "the file is small: $size"
config 100 "$LOG"
start_daemon --config "$T/config"
before=$(awk '/VmRSS/ { print $2 }' "/proc/$DAEMON/status")
ask_end() { flowner list -j --closed --since "@$((now - 60))" --until "@$((now - 31))" | wc -l; }
bytes_read() { awk '$1 == "rchar:" { print $2 }' "/proc/$DAEMON/io"; }
bytes=$(bytes_read)
same "half a minute of hours" "$(ask_end)" 30
bytes=$(($(bytes_read) - bytes))
((bytes < 10000000)) || fail "it read $bytes bytes for that"
same "all of it" "$(flowner list -j --closed --since 2d | wc -l)" "$LINES"
flowner list -j --closed --since 2d --pid 1 >"$T/out" &
asker=$!
until gone "$asker"; do
	answers || fail "nobody else gets an answer"
done
status=0
wait "$asker" || status=$?
same "what nobody did" "$status $(wc -c <"$T/out")" '1 0'
after=$(awk '/VmRSS/ { print $2 }' "/proc/$DAEMON/status")
grep -q asan "/proc/$DAEMON/maps" || ((after - before < 15000)) ||
	fail "it took $((after - before)) KB"
