#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The daemon is killed KILLS times in the middle of a storm, at any moment: while it
# reads, while it answers, while it starts. Whoever comes next knows every session: what opened and
# ended while nobody looked, and what earlier daemons had already read. Nothing is wrong, nothing is
# missing, and nothing is counted twice.
# timeout: 400
. "$(dirname "$0")/lib.sh"

KILLS=${KILLS:-10}
STORM=${STORM:-6000}

# A moment of 0 to 300 ms; a third of the daemons do not get to answering.
live_a_little() {
	((RANDOM % 3 == 0)) || eventually 30 answers_or_dead
	sleep "0.$((RANDOM % 4))$((RANDOM % 10))" # lint: poll
}

start_quickly() {
	"$BUILD/flownerd" --socket "$SOCK" --pin-dir "$PINS" --cgroup "$CGROUP" \
		--config "$T/config" 2>>"$T/flownerd.log" &
	DAEMON=$!
	DAEMONS+=("$DAEMON")
}

# A connection that stays, and is known to whoever comes next.
held=()
hold() {
	tell client connect tcp 127.0.0.1 "$port"
	held+=("${R[2]}")
	tell server accept 3
	held+=("${R[2]}")
}

storms() { # one after the other until $T/enough is there
	local n
	for ((n = 1; ; n++)); do
		nsenter -t "$NETNS" -n "$BUILD/truth/truth" --only 'storm*,churn' \
			--storm "$STORM" -o "$T/truth.$n" || return
		[[ ! -e $T/enough ]] || return 0
	done
}

storms_over() { gone "$storms"; }

# the ring remembers all of the storm: 176 bytes an end, 400 to 8000 an image and its arguments
printf '%s\n' 'recent: {flows: 1000000}' 'limits: {flows: 1000000, ring: 128MiB}' \
	'reconcile: 1h' >"$T/config"
own_netns
start_daemon --config "$T/config"
actor server
actor client
tell server listen tcp 127.0.0.1 0
port=${R[1]}
(echo "$BASHPID" >"$CGROUP/cgroup.procs" && storms) &
storms=$!

for ((i = 0; i < KILLS; i++)); do
	live_a_little
	hold
	kill_daemon
	hold
	start_quickly
done
touch "$T/enough"
kill_daemon
start_daemon --config "$T/config"
eventually 300 storms_over
wait "$storms" || fail "a storm ended with $?"
cat "$T"/truth.* >"$T/truth"

# every session that was open at a restart
flowner list -j >"$T/open"
for id in "${held[@]}"; do
	grep -q "\"flow_id\":\"$id\"" "$T/open" || fail "$id is open and not known"
done
flowner list -a -j >"$T/report"
"$BUILD/truth/score" "$T/truth" "$T/report" --tier lowest >"$T/score" || fail "$(<"$T/score")"
tail -n 5 "$T/score"
same "flows told twice" "$(jq -r .flowner.flow_id "$T/report" | sort | uniq -d)" ''
for name in ring_full connections_full sockets_full processes_full storage_full udp_parse \
	udp_unowned; do
	same "$name" "$(stat_of "$name")" 0
done
same "found open, though seen opening" "$(stat_of seeded)" 0
same "flows of daemons testing themselves" "$(jq -r .process.name "$T/report" |
	grep -c flownerd)" 0
# no end is missing: what is open is what is held, in both maps and by the count of both
settled() { [[ $(ids | wc -l) == $((${#held[@]} + 1)) ]]; }
eventually 30 settled
same "entries of socket_to_process" "$(ids)" "$(cookies)"
same "entries of l7_connections" "$(map l7_connections | jq length)" "$(ids | wc -l)"
same "opened - ended" "$(($(stat_of opened) - $(stat_of ended) - $(stat_of end_reconciled) \
	- $(stat_of udp_idle)))" "$(ids | wc -l)"
