#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Every hook x family x protocol x verdict, in a cgroup and a network namespace of its own: what the
# application gets, what the peer gets, that nothing was sent, what is told and counted.
# timeout: 240
. "$(dirname "$0")/lib.sh"

# The port says what the rules want: 71, the hook, the verdict.
BIND=711 LISTEN=712 CONNECT=713 ARRIVE=714
REJECT=0 SOFT=1 HARD=2
DENIED='' # the error a rejected call gives here: EACCES, or EPERM before 5.18

rules() { # HOOK END PREFIX
	local i=0 verdict
	for verdict in reject proceed_soft proceed_hard; do
		cat <<-END
			  - name: $1-$verdict
			    hooks: [$1]
			    $2: {port: $3$i}
			    verdict: $verdict
		END
		[[ $verdict != reject ]] || echo '    allow_async: true'
		i=$((i + 1))
	done
}

policy() { # MODE
	echo "mode: $1"
	echo "rules:"
	rules bind local "$BIND"
	rules listen local "$LISTEN"
	rules connect remote "$CONNECT"
	rules recv_accept local "$ARRIVE"
	cat <<-END
		  - name: bind-chosen
		    hooks: [bind]
		    local: {addr: [127.0.0.77, "fd00::77"]}
		    not: {local: {port: 7199}}
		    verdict: reject
	END
}

load() { # MODE
	policy "$1" >"$T/policy.yaml"
	flowner policy load "$T/policy.yaml" >"$T/loaded"
}

answer() { # NAME COMMAND...: as `try`, in one line
	try "$@"
	echo "${R[*]}"
}

succeeds() { # WHAT ANSWER
	matches "$1" "$2" '^ok '
}

denied() { # WHAT ANSWER
	matches "$1" "$2" '^error (Permission denied|Operation not permitted)$'
	DENIED=${DENIED:-$2}
	same "$1" "$2" "$DENIED"
}

# --- what was told ---

told() { # RULE HOOK VERDICT ENFORCED TRANSPORT TYPE PID: once
	(($(jq -c --arg rule "$1" --arg hook "$2" --arg verdict "$3" --argjson enforced "$4" \
		--arg transport "$5" --arg type "$6" --argjson pid "$7" '
		select(.event.action == "verdict" and .rule.name == $rule and
			.flowner.hook == $hook and .flowner.verdict == $verdict and
			.flowner.enforced == $enforced and .network.transport == $transport and
			.network.type == $type and .process.pid == $pid and
			.event.outcome == (if $enforced and $verdict == "reject"
				then "failure" else "success" end))' "$T/events" | wc -l) == 1))
}

hits() { flowner policy show -j | jq --arg n "$1" '.rules[] | select(.name == $n).hits'; } # RULE

packets() { # that lo has seen
	in_netns ip -s -j link show lo | jq '.[0].stats64.rx.packets'
}

# --- the hooks: each attempt once, by a process of its own ---

# What must be told of the three attempts that end in REJECT, SOFT and HARD.
tells() { # HOOK TRANSPORT PID
	local enforced=true
	[[ $MODE == enforce ]] || enforced=false
	eventually 10 told "$1-reject" "$1" reject "$enforced" "$2" "$TYPE" "$3"
	eventually 10 told "$1-proceed_hard" "$1" proceed_hard "$enforced" "$2" "$TYPE" "$3"
	same "events about what may proceed" \
		"$(jq -r 'select(.rule.name == "'"$1"'-proceed_soft").event.action' "$T/events")" ''
}

rejected() { # WHAT ANSWER: where the call itself is denied
	if [[ $MODE == audit ]]; then succeeds "$@"; else denied "$@"; fi
}

binding() { # PROTO
	local what="bind of $1 at $ADDR, $MODE"
	actor binder
	rejected "$what: reject" "$(answer binder listen "$1" "$ADDR" "$BIND$REJECT")"
	succeeds "$what: soft" "$(answer binder listen "$1" "$ADDR" "$BIND$SOFT")"
	succeeds "$what: hard" "$(answer binder listen "$1" "$ADDR" "$BIND$HARD")"
	[[ $MODE == audit ]] ||
		same "who is at $BIND$REJECT" "$(ss_e -tuna "sport = :$BIND$REJECT")" ''
	tells bind "$1" "${ACTOR_PID[binder]}"
	dismiss binder
}

# Where the kernel has no synchronous way, listen() succeeds and accept() does not.
listening() {
	local what="listen at $ADDR, $MODE" fd
	actor server
	actor client
	if [[ $MODE == audit || $WAY == late ]]; then
		tell server listen tcp "$ADDR" "$LISTEN$REJECT"
		fd=${R[0]}
	else
		denied "$what: reject" "$(answer server listen tcp "$ADDR" "$LISTEN$REJECT")"
	fi
	if [[ $MODE == enforce ]]; then
		[[ $WAY != late ]] || same "$what: accept" "$(answer server accept "$fd")" \
			'error Invalid argument'
		same "$what: a client of it" \
			"$(answer client connect tcp "$ADDR" "$LISTEN$REJECT")" \
			'error Connection refused'
	fi
	for verdict in "$SOFT" "$HARD"; do
		tell server listen tcp "$ADDR" "$LISTEN$verdict"
		fd=${R[0]}
		succeeds "$what: $verdict: a client" \
			"$(answer client connect tcp "$ADDR" "$LISTEN$verdict")"
		succeeds "$what: $verdict: accept" "$(answer server accept "$fd")"
	done
	tells listen tcp "${ACTOR_PID[server]}"
	dismiss server
	dismiss client
}

connecting() { # PROTO
	local what="connect of $1 to $ADDR, $MODE" verdict before
	actor server
	actor client
	for verdict in "$REJECT" "$SOFT" "$HARD"; do
		tell server listen "$1" "$ADDR" "$CONNECT$verdict"
	done
	before=$(packets)
	rejected "$what: reject" "$(answer client connect "$1" "$ADDR" "$CONNECT$REJECT")"
	[[ $MODE == audit ]] || same "$what: packets sent" "$(packets)" "$before"
	succeeds "$what: soft" "$(answer client connect "$1" "$ADDR" "$CONNECT$SOFT")"
	succeeds "$what: hard" "$(answer client connect "$1" "$ADDR" "$CONNECT$HARD")"
	tells connect "$1" "${ACTOR_PID[client]}"
	dismiss client
	dismiss server
}

sending() { # without connect()
	local what="sendto to $ADDR, $MODE" family=4 fd before
	[[ $ADDR != *:* ]] || family=6
	actor client
	tell client socket udp "$family"
	fd=${R[0]}
	before=$(packets)
	if [[ $MODE == audit ]]; then
		same "$what: reject" "$(answer client sendto "$fd" "$ADDR" "$CONNECT$REJECT")" ok
	else
		denied "$what: reject" "$(answer client sendto "$fd" "$ADDR" "$CONNECT$REJECT")"
		same "$what: packets sent" "$(packets)" "$before"
	fi
	tell client socket udp "$family" # the other has an error waiting: nobody listens
	fd=${R[0]}
	same "$what: soft" "$(answer client sendto "$fd" "$ADDR" "$CONNECT$SOFT")" ok
	tell client socket udp "$family"
	fd=${R[0]}
	same "$what: hard" "$(answer client sendto "$fd" "$ADDR" "$CONNECT$HARD")" ok
	tells connect udp "${ACTOR_PID[client]}"
	dismiss client
}

# The peer of a listener hears nothing.
arriving_tcp() {
	local what="a SYN to $ADDR, $MODE" verdict fd
	actor server
	actor client
	for verdict in "$REJECT" "$SOFT" "$HARD"; do
		tell server listen tcp "$ADDR" "$ARRIVE$verdict"
		fd=${R[0]}
		if [[ $MODE == enforce && $verdict == "$REJECT" ]]; then
			same "$what: reject" \
				"$(answer client connect tcp "$ADDR" "$ARRIVE$verdict")" \
				'error Connection timed out'
			same "$what: in the queue" "$(queue -t "$ARRIVE$verdict")" 0
			continue
		fi
		succeeds "$what: $verdict" \
			"$(answer client connect tcp "$ADDR" "$ARRIVE$verdict")"
		succeeds "$what: $verdict: accept" "$(answer server accept "$fd")"
	done
	tells recv_accept tcp "${ACTOR_PID[server]}"
	dismiss client
	dismiss server
}

queue() { in_netns ss -Hna "$1" "sport = :$2" | awk 'NR == 1 { print $2 }'; } # -t|-u PORT

arriving_udp() {
	local what="a datagram to $ADDR, $MODE" verdict fd server_fd
	actor server
	actor client
	for verdict in "$REJECT" "$SOFT" "$HARD"; do
		tell server listen udp "$ADDR" "$ARRIVE$verdict"
		server_fd=${R[0]}
		tell client connect udp "$ADDR" "$ARRIVE$verdict"
		fd=${R[0]}
		same "$what: $verdict: send" "$(answer client send "$fd")" ok
		if [[ $MODE == enforce && $verdict == "$REJECT" ]]; then
			same "$what: in the queue" "$(queue -u "$ARRIVE$verdict")" 0
			continue
		fi
		same "$what: $verdict: recv" "$(answer server recv "$server_fd")" 'ok 1'
	done
	tells recv_accept udp "${ACTOR_PID[server]}"
	dismiss client
	dismiss server
}

# --- all of them ---

watch() {
	: >"$T/events"
	FLOWNER_SOCKET=$SOCK "$BUILD/flowner" watch -j >"$T/events" 2>"$T/watch.err" &
	WATCH=$!
	eventually 10 watched
}

watched() { (($(flowner stats -j | jq .streams.open) > 0)); }

unwatch() {
	kill "$WATCH"
	wait "$WATCH" || true
}

port_0() { # judged when the kernel has chosen
	actor binder
	rejected "bind to port 0, $MODE" "$(answer binder listen udp 127.0.0.77 0)"
	rejected "bind of TCP to port 0, $MODE" "$(answer binder listen tcp 127.0.0.77 0)"
	dismiss binder
}

families() {
	local proto
	for ADDR in 127.0.0.1 ::1 ::ffff:127.0.0.1; do
		TYPE=ipv4
		[[ $ADDR != ::1 ]] || TYPE=ipv6
		for proto in tcp udp; do
			binding "$proto"
			connecting "$proto"
		done
		listening
		sending
		arriving_tcp
		arriving_udp
	done
	port_0
}

main() {
	start_daemon
	own_netns
	in_netns sysctl -qw net.ipv4.tcp_syn_retries=1
	for MODE in enforce audit; do
		load "$MODE"
		WAY=$(flowner policy show -j |
			jq -r '.ways[] | select(.hook == "listen" and .status == "on") |
				if .late then "late" else "synchronous" end')
		watch
		families
		unwatch
		# 3 families, each by TCP and UDP, and sendto() in connect
		same "hits of bind-reject" "$(hits bind-reject)" 6
		same "hits of connect-reject" "$(hits connect-reject)" 9
		same "hits of connect-proceed_hard" "$(hits connect-proceed_hard)" 9
		same "hits of connect-proceed_soft" "$(hits connect-proceed_soft)" 9
		same "hits of listen-reject" "$(hits listen-reject)" 3
		same "hits of bind-chosen" "$(hits bind-chosen)" 2
	done
	exits 0 flowner policy clear
	refuses 1 'no policy is loaded' flowner policy clear
	nothing_lost
}
main
