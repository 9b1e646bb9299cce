#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Every command against a live daemon: what it prints, every filter both ways, every exit status,
# JSON lines; `watch` as it happens, counted, replayed and twice; `who` now and in the past.
. "$(dirname "$0")/lib.sh"

found() { # OPTIONS...: list finds something with them
	exits 0 flowner list -H "$@"
	[[ -s $T/out ]] || fail "list $*: status 0 and no line"
}

none() { # OPTIONS...: list finds nothing with them
	exits 1 flowner list -H "$@"
	same "list $*" "$(<"$T/out")" ''
}

json_lines() { # COMMAND...: every line is one JSON object
	exits 0 "$@" -j
	[[ -s $T/out ]] || fail "'$* -j' prints nothing"
	same "lines of '$* -j' that are objects" \
		"$(jq -Rr 'fromjson | type' "$T/out" | sort | uniq -c | tr -s ' ')" \
		" $(wc -l <"$T/out") object"
}

ids_of() { # OPTIONS...: flow ids that list finds
	flowner list -j "$@" | jq -r .flowner.flow_id | sort
}

exits 3 flowner list
matches "without a daemon" "$(<"$T/err")" "no daemon at '$SOCK': start it with"

own_netns
start_daemon
actor server
actor client
tell client uid 65534
tell server comm cmd-server
tell client comm cmd-client
tell server listen tcp 127.0.0.1 8080
listener=${R[2]}
tell server listen tcp ::1 8081
listener6=${R[2]}
tell server listen udp 127.0.0.1 5353
tell client connect tcp 127.0.0.1 8080 127.0.0.2 41000
client_fd=${R[0]} opener=${R[2]}
tell server accept 3
server_fd=${R[0]} acceptor=${R[2]}
server_pid=${ACTOR_PID[server]} client_pid=${ACTOR_PID[client]}
inode=$(in_netns stat -L -c %i /proc/self/ns/net)

# --- list: each filter, once finding and once not ---

found --addr 127.0.0.2
none --addr 127.0.0.3
found --local 127.0.0.2:41000
none --local 127.0.0.2:8080
found --remote 127.0.0.0/8:8080
none --remote 10.0.0.0/8
found --lport 80,8000-8100
none --lport 8000-8079,8082
found --rport 41000
none --rport 41001
found --pid "$client_pid"
none --pid 1
same "--pid" "$(ids_of --pid "$client_pid")" "$opener"
found --user 65534
found --user root
none --user daemon
same "--user" "$(ids_of --user 65534)" "$opener"
found --comm cmd-client
none --comm cmd
found --exe "$(realpath "$BUILD/tests/actor")"
found --exe actor
found --exe 'act*'
none --exe bash
none --unit ssh
none --container 0123456789ab
found --netns "$inode"
found --netns "$server_pid"
none --netns "$$"
found --proto udp
exits 2 flowner list --proto sctp
found --state established
found --state LISTEN
none --state syn-sent
found --direction egress
same "--direction" "$(ids_of --direction ingress)" "$acceptor"
found --since 1m
found --until 0s
none --until 1h
found -l
same "-l" "$(ids_of -l -t)" "$(printf '%s\n' "$listener" "$listener6" | sort)"
same "-t" "$(ids_of -t | wc -l)" 4
same "-u" "$(ids_of -u | wc -l)" 1
same "-6" "$(ids_of -6)" "$listener6"
same "-4" "$(ids_of -4 | wc -l)" 4
none -6 -u
none --closed
same "-a" "$(ids_of -a)" "$(ids_of)"
same "all must hold" "$(ids_of -t --lport 8080 --remote 127.0.0.2)" "$acceptor"
same "either may, of one given twice" "$(ids_of --lport 41000 --lport 8081)" \
	"$(printf '%s\n' "$opener" "$listener6" | sort)"
same "addresses" "$(ids_of ::1 127.0.0.2:41000 | wc -l)" 3

json_lines flowner list
json_lines flowner list -a

# --- show: every way to write an id ---

short=$(printf '%x' "$((16#$opener))")
for form in "$opener" "$short" "0x$short" "sk:$short" "=$((16#$opener))" "${short^^}"; do
	exits 0 flowner show "$form" -j
	same "show $form" "$(jq -r .flowner.flow_id "$T/out")" "$opener"
done
exits 0 flowner show "$opener"
for word in "$opener" cmd-client "$client_pid" 127.0.0.2 41000 8080 "$acceptor"; do
	grep -qw -- "$word" "$T/out" || fail "show says nothing of '$word': $(<"$T/out")"
done
same "the other end" "$(flowner show -j "$opener" | jq -r .flowner.peer_flow_id)" "$acceptor"
same "its parent" "$(flowner show -j "$listener" | jq -c '.process.parent | [.pid, .name]')" \
	"[$$,\"bash\"]"
same "its ancestors" "$(flowner show -j "$listener" | jq -c '.flowner.ancestors[:2] |
	map(.pid, .name)')" "[$$,\"bash\",$PPID,\"$(<"/proc/$PPID/comm")\"]"
refuses 1 'no flow has the id 0000000000000001' flowner show 1
for form in 0 xyz '' 11112222333344445 sk: 0x =; do
	refuses 2 'is not a flow id' flowner show "$form"
done

# --- who: both ends, listeners, tcp and udp ---

who() { # ARGUMENTS...: pid and role of the answers
	flowner who -j --netns "$inode" "$@" | jq -r '"\(.process.pid) \(.flowner.role)"' | sort
}
same "who, one end" "$(who tcp 127.0.0.2:41000 127.0.0.1:8080)" "$client_pid opener"
same "who, the other" "$(who tcp 127.0.0.1:8080 127.0.0.2:41000)" "$server_pid acceptor"
same "who, a listener" "$(who tcp '[::1]:8081')" "$server_pid listener"
same "who, udp" "$(who udp 127.0.0.1:5353)" "$server_pid user"
same "who, any protocol" "$(who 127.0.0.1:5353)" "$server_pid user"
same "who, any address" "$(who :5353)" "$server_pid user"
exits 0 flowner who tcp 127.0.0.2:41000 127.0.0.1:8080 # of another namespace than ours: unambiguous
grep -qw cmd-client "$T/out" || fail "who: $(<"$T/out")"
refuses 1 'nobody owns such a connection' flowner who udp 127.0.0.2:41000
json_lines flowner who 127.0.0.1:5353

# --- doctor, stats, metrics ---

json_lines flowner doctor
same "doctor's hooks" \
	"$(jq '[.hooks[] | select(.moment and .attach and .status)] | length > 20' "$T/out")" true
exits 0 flowner doctor
grep -q '^tier: ' "$T/out" || fail "doctor says no tier"
grep -q '^tcp  *sockops  *on' "$T/out" || fail "doctor says nothing of sockops"
json_lines flowner stats
same "stats" "$(jq -c '[.counters.opened, .maps.l7_connections.entries]' "$T/out")" '[5,5]'
exits 0 flowner stats
same "stats in words" "$(awk '$1 == "opened" || $1 == "l7_connections" { print $2 }' "$T/out" |
	tr '\n' ' ')" '5 5 '
exits 0 flowner metrics
same "the end of the metrics" "$(tail -n 1 "$T/out")" '# EOF'
same "metrics" "$(grep -E '^flowner_flows_(total|active) ' "$T/out")" \
	$'flowner_flows_active 5\nflowner_flows_total 5'
same "metrics over HTTP" "$(api /metrics -o /dev/null -w '%{http_code} %{content_type}')" \
	'200 application/openmetrics-text; version=1.0.0; charset=utf-8'
for command in list who show watch doctor stats metrics; do
	exits 0 flowner help "$command"
	exits 0 flowner "$command" --help
	refuses 2 "try 'flowner $command --help'" flowner "$command" --no-such-option
done

# --- watch ---

watching() { [[ $(flowner stats -j | jq .streams.open) == "$1" ]]; }

watch() { # FILE OPTIONS...: in the background; its pid is in PID
	local file=$1
	shift
	FLOWNER_SOCKET=$SOCK "$BUILD/flowner" watch "$@" >"$file" 2>"$file.err" &
	PID=$!
}

# Milliseconds from the return of connect() to the line of its `open`, 20 times, sorted.
latencies() {
	local line from i
	mkfifo "$T/stream"
	watch "$T/stream" -j --comm cmd-client
	exec {from}<"$T/stream"
	eventually 10 watching 1
	for i in {1..20}; do
		tell client connect tcp ::1 8081
		while read -r -t 5 line <&"$from"; do
			[[ $line != *'"action":"open"'* ]] || break
		done
		[[ $line == *"${R[2]}"* ]] || fail "the event of connect $i does not come"
		echo "$(((${EPOCHREALTIME/./} * 1000 - R[4]) / 1000000))"
	done | sort -n
	terminate "$PID"
	exec {from}<&-
}

latencies >"$T/ms"
eventually 10 watching 0
echo "milliseconds to the event: $(tr '\n' ' ' <"$T/ms")"
(($(sed -n 11p "$T/ms") < 150 * TEST_SLOW)) || fail "median: $(sed -n 11p "$T/ms") ms"
(($(tail -n 1 "$T/ms") < 500 * TEST_SLOW)) || fail "slowest: $(tail -n 1 "$T/ms") ms"

before=$(flowner stats -j | jq .sequence)
watch "$T/first" -j --pid "$client_pid"
first=$PID
watch "$T/second" -c 6 --pid "$client_pid"
second=$PID
watch "$T/third" -jc 2 --pid "$client_pid" --state last-ack
eventually 10 watching 3
for i in 1 2; do
	tell client connect tcp 127.0.0.1 8080
	fds[i]=${R[0]} opened[i]=${R[2]}
	tell server accept 3
	tell server close "${R[0]}"
done
tell client close "${fds[2]}"
tell client close "${fds[1]}"
eventually 10 watching 1 # those with -c have ended by themselves
wait "$second" || fail "watch -c ended with $?"
terminate "$first"
actions() { jq -r '"\(.event.action) \(.flowner.flow_id)"' "$1"; }
wanted="open ${opened[1]}
established ${opened[1]}
open ${opened[2]}
established ${opened[2]}
close ${opened[2]}
close ${opened[1]}"
same "events" "$(actions "$T/first")" "$wanted"
same "events for another watcher" "$(tail -n +2 "$T/second" | awk '{ print $2, $NF }')" "$wanted"
same "its header" "$(head -n 1 "$T/second" | tr -s ' ')" \
	'TIME ACTION PROTO LOCAL REMOTE PID USER COMM FLOW_ID'
same "events that a filter leaves" "$(actions "$T/third")" "$(tail -n 2 <<<"$wanted")"
same "sequence rises" "$(jq .event.sequence "$T/first")" \
	"$(jq .event.sequence "$T/first" | sort -nu)"
timeout 10 env "FLOWNER_SOCKET=$SOCK" "$BUILD/flowner" watch -j -c 6 --replay "$before" \
	--pid "$client_pid" >"$T/replay" || fail "no replay after $before"
# the other end is looked up when a line is written, and may be there or gone by then
told() { jq -c 'del(.flowner.peer_flow_id)' "$1"; }
same "replay" "$(told "$T/replay")" "$(told "$T/first")"
refuses 2 'count' flowner watch -c 0
refuses 2 'replay' flowner watch --replay x
exits 2 flowner watch --closed

# --- who had it then: one pair of endpoints, two processes ---

stamp() { date -u +%Y-%m-%dT%H:%M:%S.%NZ; }
wait_for_end() { [[ $(flowner list --closed -j --lport 41000 | wc -l) == "$1" ]]; }
first_time=$(stamp)
tell client reset "$client_fd"
tell server close "$server_fd"
eventually 10 wait_for_end 1
between=$(stamp)
actor other
tell other comm cmd-other
tell other connect tcp 127.0.0.1 8080 127.0.0.2 41000
other_pid=${ACTOR_PID[other]}
second_time=$(stamp)
tell other reset "${R[0]}"
eventually 10 wait_for_end 2
ends=(tcp 127.0.0.2:41000 127.0.0.1:8080)
same "who then" "$(who "${ends[@]}" --at "$first_time")" "$client_pid opener"
same "who later" "$(who "${ends[@]}" --at "$second_time")" "$other_pid opener"
exits 1 flowner who "${ends[@]}" --netns "$inode" --at "$between"
exits 1 flowner who "${ends[@]}" --netns "$inode" --at 1h
refuses 2 'is not a time' flowner who "${ends[@]}" --at yesterday
stop_daemon
exits 3 flowner watch
