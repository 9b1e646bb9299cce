#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Daemons start while sockets are being opened and closed. A program of the test makes two moments
# long: a socket has been told ended and the kernel still shows it as open; it shows one that has
# not been told of yet. The walk of the open sockets is held until it falls into them. It must
# neither find again what has ended, nor keep what ends while it is put in, nor stand for who opens.
# timeout: 300
. "$(dirname "$0")/lib.sh"

ROUNDS=${ROUNDS:-4}
SOCKETS=100
OPENINGS=20 # of connections, and as many of listeners

start_held() { # a daemon, as far as the walk
	rm -f "$T/go" "$T/go.held"
	REFUSE_WAIT=$T/go LD_PRELOAD=$BUILD/tests/refuse.so \
		ASAN_OPTIONS="${ASAN_OPTIONS:-}:verify_asan_link_order=0" \
		"$BUILD/flownerd" --socket "$SOCK" \
		--pin-dir "$PINS" --cgroup "$CGROUP" --config "$T/config" \
		--policy-dir "$T/policy.d" 2>>"$T/flownerd.log" &
	DAEMON=$!
	DAEMONS+=("$DAEMON")
	eventually 60 test -e "$T/go.held"
}

slow() { # closing PORT, or opening CGROUP, MICROSECONDS
	local answer
	nsenter -t "$NETNS" -n "$BUILD/tests/slow_tcp" "$@" \
		<"$T/slow.to" >"$T/slow.from" 2>"$T/slow.err" &
	exec {slow_to}>"$T/slow.to" {slow_from}<"$T/slow.from"
	read -r answer <&"$slow_from" || skip "$(tail -n 1 "$T/slow.err")"
	same "slow_tcp" "$answer" ok
}

quick() {
	local number
	echo >&"$slow_to"
	read -r -t $((60 * TEST_SLOW)) number <&"$slow_from" || fail "slow_tcp does not end"
	exec {slow_to}>&- {slow_from}<&-
	waited=$((waited + number))
}

ask() { echo "${*:2}" >&"${ACTOR_TO[$1]}"; } # ACTOR COMMAND...: it does so meanwhile

done_by() { # ACTOR
	local answer
	read -r -t $((60 * TEST_SLOW)) -a answer <&"${ACTOR_FROM[$1]}" || fail "$1 does not end"
	[[ ${answer[0]} == ok ]] || fail "$1: ${answer[*]}"
}

# Sockets with a port of their own choice keep it until they are closed.
connections() {
	ask server take "$SOCKETS" "$listener"
	tell client many "$SOCKETS" tcp 127.0.0.1 8080 20000
	done_by server
}

walk_among_resets() {
	start_held
	slow closing 8080 2000 # after the daemon's own program there
	ask server resets "$((listener + 1))" "$SOCKETS"
	touch "$T/go"
	eventually 60 answers_or_dead
	done_by server
	quick
	tell client drop
}

# Connections and listeners of the client, one after the other.
walk_among_openings() {
	local i
	slow opening "$CGROUP" 20000 # before the program that the daemon attaches now
	start_held
	ask server take "$OPENINGS" "$listener"
	for ((i = 0; i < OPENINGS; i++)); do
		ask client listen tcp 127.0.0.1 0
		ask client connect tcp 127.0.0.1 8080
	done
	touch "$T/go"
	eventually 60 answers_or_dead
	for ((i = 0; i < 2 * OPENINGS; i++)); do done_by client; done
	done_by server
	quick
}

nothing_but_the_listener() {
	same "entries of socket_to_process" "$(ids)" "$(cookies)"
	same "entries of l7_connections" "$(map l7_connections | jq length)" 1
	same "opened - ended" "$(($(stat_of opened) - $(stat_of ended)))" 1
}

waited=0
printf 'reconcile: 1h\n' >"$T/config"
mkfifo "$T/slow.to" "$T/slow.from"
own_netns
actor server
actor client
start_daemon --config "$T/config"
tell server listen tcp 127.0.0.1 8080
listener=${R[0]}

# --- known to the agent since they were opened: nothing is found open ---
for ((i = 0; i < ROUNDS; i++)); do
	connections
	kill_daemon
	walk_among_resets
done
same "found open" "$(stat_of seeded)" 0
nothing_but_the_listener
flowner list -a -j >"$T/all"
same "who opened them, and how often" "$(jq -r '"\(.flowner.role) \(.process.pid)"' "$T/all" |
	sort | uniq -c | awk '{ print $1, $2, $3 }')" \
	"$(printf '%s\n' "$((ROUNDS * SOCKETS)) acceptor ${ACTOR_PID[server]}" \
		"1 listener ${ACTOR_PID[server]}" \
		"$((ROUNDS * SOCKETS)) opener ${ACTOR_PID[client]}")"
same "told twice" "$(jq -r .flowner.flow_id "$T/all" | sort | uniq -d)" ''

# --- opening: who opened is told by the hook, whatever the walk has found ---
for ((i = 0; i < ROUNDS; i++)); do
	kill_daemon
	walk_among_openings
	same "roles and owners of what is open" "$(flowner list -j |
		jq -r '"\(.flowner.role) \(.process.pid) \(.event.start != null)"' |
		sort | uniq -c | awk '{ print $1, $2, $3, $4 }')" \
		"$(printf '%s true\n' "$OPENINGS acceptor ${ACTOR_PID[server]}" \
			"$OPENINGS listener ${ACTOR_PID[client]}" \
			"1 listener ${ACTOR_PID[server]}" \
			"$OPENINGS opener ${ACTOR_PID[client]}" | sort -k 2)"
	same "found open" "$(stat_of seeded)" 0
	same "opened - ended" "$(($(stat_of opened) - $(stat_of ended)))" \
		$((3 * OPENINGS + 1))
	tell server resets "$((listener + 1))" "$OPENINGS"
	tell client drop
done
nothing_but_the_listener

# --- older than the agent: found, and ended by whoever comes last ---
found=0
for ((i = 0; i < ROUNDS; i++)); do
	stop_daemon
	connections
	walk_among_resets
	nothing_but_the_listener
	found=$((found + $(stat_of seeded)))
done
((found > ROUNDS)) || fail "only $found sockets were found open: nothing is proved"
echo "$waited slow moments; $found sockets were found open"
