#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# `flowner abort`: what both ends get, for each state a socket can be in, in the daemon's network
# namespace and in another; what is refused, and that then nobody notices.
# timeout: 240
((EUID)) || [[ ${ABORT_NETNS:-} ]] || exec env ABORT_NETNS=1 unshare -n bash "$0"
. "$(dirname "$0")/lib.sh"

ABORTED='error Software caused connection abort'
RESET='error Connection reset by peer'

answer() { # NAME COMMAND...: as `try`, in one line
	try "$@"
	echo "${R[*]}"
}

begin() { # NAME COMMAND...: one that blocks; its answer is for `ended`
	echo "${*:2}" >&"${ACTOR_TO[$1]}"
}

ended() { # NAME
	read -r -t 30 -a R <&"${ACTOR_FROM[$1]}" || fail "$1 does not come back"
	echo "${R[*]}"
}

aborts() { # ID: and nothing is said
	exits 0 flowner abort "$1"
	same "what 'abort $1' says" "$(cat "$T/out" "$T/err")" ''
}

reason_of() { flowner show -j "$1" | jq -r '.event.reason // "open"'; } # ID

told() { eventually 10 has_event "$1" "$2 aborted"; } # ID ACTION: of its end

has_event() { # ID "ACTION REASON"
	jq -r --arg id "$1" 'select(.flowner.flow_id == $id).event |
		"\(.action) \(.reason)"' "$T/events" | grep -qx "$2"
}

here() { if [[ $NETNS ]]; then in_netns "$@"; else "$@"; fi; } # COMMAND...: where actors are

# Behind it nobody answers, and no neighbour is asked for.
blackhole() {
	here ip link add hole type veth peer name gone
	here ip addr add 192.0.2.1/24 dev hole
	here ip -6 addr add 2001:db8::1/64 dev hole nodad
	here ip link set hole arp off up
	here ip link set gone arp off up
}

session() { # ADDR PORT: client_fd opener server_fd acceptor, of a listener there is
	tell client connect tcp "$1" "$2"
	client_fd=${R[0]} opener=${R[2]}
	tell server accept "$listener_fd"
	server_fd=${R[0]} acceptor=${R[2]}
}

established() { # ADDR
	tell server listen tcp "$1" 8080
	listener_fd=${R[0]} listener=${R[2]}
	session "$1" 8080
	aborts "$opener"
	same "the opener's recv" "$(answer client recv "$client_fd")" "$ABORTED"
	same "the opener's send" "$(answer client send "$client_fd")" 'error Broken pipe'
	same "the acceptor's recv" "$(answer server recv "$server_fd")" "$RESET"
	same "why it ended" "$(reason_of "$opener")" aborted
	told "$opener" close
	refuses 1 "flow $opener has already ended" flowner abort "$opener"

	session "$1" 8080
	aborts "sk:$(short "$acceptor")"
	same "the acceptor's recv" "$(answer server recv "$server_fd")" "$ABORTED"
	same "the opener's recv" "$(answer client recv "$client_fd")" "$RESET"
	session "$1" 8080
	begin client recv "$client_fd"
	aborts "=$((16#$opener))"
	same "a blocked recv" "$(ended client)" "$ABORTED"
}

listening() { # ADDR, after `established`
	session "$1" 8080
	begin server accept "$listener_fd"
	aborts "0x$listener"
	same "a blocked accept" "$(ended server)" 'error Invalid argument'
	same "a new client" "$(answer client connect tcp "$1" 8080)" 'error Connection refused'
	told "$listener" unlisten
	same "a session it made: open" "$(reason_of "$opener")" open
	same "the same: sends" "$(answer client send "$client_fd")" ok
	same "the same: receives" "$(answer server recv "$server_fd")" 'ok 1'
}

connecting() { # ADDR of nobody
	local id
	begin client connect tcp "$1" 9
	eventually 10 flowner list -H --state syn_sent "$1" >"$T/syn"
	id=$(awk '{ print $NF }' "$T/syn")
	aborts "$id"
	same "a blocked connect" "$(ended client)" "$ABORTED"
	told "$id" close
}

cases() { # v4|v6
	local a=127.0.0.1 nobody=192.0.2.9
	[[ $1 == v4 ]] || a=::1 nobody=2001:db8::9
	established "$a"
	listening "$a"
	connecting "$nobody"
	udp "$a"
}

udp() { # ADDR
	local server_udp server fd port id peer
	tell server listen udp "$1" 5353
	server_udp=${R[0]} server=${R[2]}

	# connected
	tell client connect udp "$1" 5353
	fd=${R[0]} id=${R[2]}
	tell client send "$fd"
	aborts "$id"
	same "recv of a connected UDP socket" "$(answer client recv "$fd")" "$ABORTED"
	same "its send" "$(answer client send "$fd")" 'error Destination address required'
	same "why it ended" "$(reason_of "$id")" aborted
	told "$id" close
	tell server recv "$server_udp"

	# the same socket again: another flow
	tell client reconnect "$fd" "$1" 5353
	port=${R[1]}
	tell client send "$fd"
	tell server recv "$server_udp"
	id=$(flowner list -j -u --rport 5353 --lport "$port" | jq -r .flowner.flow_id)
	matches "the id of its next session" "$id" '^8'

	# the other end of it: one of the peers of a socket
	peer=$(flowner list -j -u --lport 5353 --rport "$port" | jq -r .flowner.flow_id)
	refuses 4 "flow $peer is one peer of the UDP socket $server, which it shares" \
		flowner abort "$peer"
	tell client send "$fd"
	same "a shared socket: receives" "$(answer server recv "$server_udp")" 'ok 1'
	same "its peer" "$(reason_of "$peer")" open

	# and now the session
	aborts "$id"
	same "recv of the next session" "$(answer client recv "$fd")" "$ABORTED"

	# bound: it is told, and stays
	exits 0 flowner abort "$server"
	matches "about a bound socket" "$(<"$T/err")" 'its UDP socket stays bound'
	same "recv of a bound socket" "$(answer server recv "$server_udp")" "$ABORTED"
	same "a bound socket" "$(reason_of "$server")" open
	tell client reconnect "$fd" "$1" 5353
	tell client send "$fd"
	same "a bound socket: receives" "$(answer server recv "$server_udp")" 'ok 1'

	# neither bound nor connected: its port is gone
	tell client socket udp "$([[ $1 == *:* ]] && echo 6 || echo 4)"
	id=${R[2]} fd=${R[0]}
	tell client sendto "$fd" "$1" 5353
	aborts "$id"
	same "recv of an unbound socket" "$(answer client recv "$fd")" "$ABORTED"
	same "why it ended" "$(reason_of "$id")" aborted
	tell server close "$server_udp"
}

# The cookie of a socket is the id of its first life only.
later_life() {
	local fd first second
	tell server listen tcp 127.0.0.1 8082
	listener_fd=${R[0]}
	session 127.0.0.1 8082
	fd=$client_fd first=$opener
	tell client reconnect "$fd" 127.0.0.1 8082
	tell server accept "$listener_fd"
	second=$(flowner list -j --rport 8082 | jq -r .flowner.flow_id)
	matches "the id of a later life" "$second" '^8'
	refuses 1 "flow $first has already ended" flowner abort "$first"
	same "the later life" "$(answer client send "$fd")" ok
	aborts "$second"
	same "recv of the later life" "$(answer client recv "$fd")" "$ABORTED"
}

# The same, at the same place: nothing but the id tells the lives apart.
later_life_at_its_place() {
	local fd first second
	tell client connect tcp 127.0.0.1 8082 127.0.0.1 42000
	fd=${R[0]} first=${R[2]}
	tell server accept "$listener_fd"
	tell client reconnect "$fd" 127.0.0.1 8082
	same "its port" "${R[1]}" 42000
	tell server accept "$listener_fd"
	second=$(flowner list -j --lport 42000 | jq -r .flowner.flow_id)
	refuses 1 "flow $first has already ended" flowner abort "$first"
	same "the later life" "$(answer client send "$fd")" ok
	aborts "$second"
	same "recv of the later life" "$(answer client recv "$fd")" "$ABORTED"
	tell client close "$fd"
}

time_wait() {
	session 127.0.0.1 8082
	tell client close "$client_fd"
	same "the end of the stream" "$(answer server recv "$server_fd")" 'ok 0'
	tell server close "$server_fd"
	refuses 1 "flow $opener has already ended: .*TIME-WAIT" flowner abort "$opener"
}

# Many at one place: only the one that is meant.
members() {
	local i ids=() fds=()
	for i in 1 2 3 4 5; do
		tell server listen tcp 127.0.0.1 8083 share
		fds+=("${R[0]}") ids+=("${R[2]}")
	done
	for i in 3 0 4; do aborts "${ids[i]}"; done
	same "members left" "$(here ss -Hltne 'sport = 8083' | grep -o 'sk:[0-9a-f]*' | sort)" \
		"$(for i in 1 2; do echo "sk:$(short "${ids[i]}")"; done | sort)"
	same "flows left" "$(flowner list -j -l --lport 8083 | jq -r .flowner.flow_id | sort)" \
		"$(printf '%s\n' "${ids[1]}" "${ids[2]}" | sort)"
}

# A kernel built without a JIT has the function and lets no program call it.
has_sock_destroy() {
	[[ -e /proc/sys/net/core/bpf_jit_enable ]] && grep -q ' bpf_sock_destroy$' /proc/kallsyms
}

# Two of one port out of turn: netlink can name only one of them.
unnameable() {
	local fds=() ids=() i
	for i in 1 2; do
		tell server listen udp 127.0.0.1 5354
		fds+=("${R[0]}") ids+=("${R[2]}")
	done
	for i in 0 1; do
		if may_fail flowner abort "${ids[i]}" 2>"$T/err"; then
			same "recv of it" "$(answer server recv "${fds[i]}")" "$ABORTED"
		else
			matches "why not" "$(<"$T/err")" \
				'shares its port with other sockets, and this kernel cannot tell'
			! has_sock_destroy || fail "this kernel can"
		fi
	done
}

refused() {
	refuses 2 "'xyz' is not a flow id" flowner abort "$listener" xyz
	refuses 1 'no flow has the id 7ffffffffffffff1' flowner abort 7ffffffffffffff1
	session 127.0.0.1 8082
	exits 4 env FLOWNER_SOCKET="$SOCK" setpriv --reuid=65534 --clear-groups "$T/flowner" \
		abort "$opener"
	matches "what a user hears" "$(<"$T/err")" 'only root may do this'
	same "still open" "$(answer client send "$client_fd")" ok
	exits 1 flowner abort -j 7ffffffffffffff1 "$opener"
	same "in JSON" "$(jq -c '[.flow_id, .aborted]' "$T/out" | tr -d '\n')" \
		"[\"7ffffffffffffff1\",false][\"$opener\",true]"
	same "the one that could be cut" "$(answer client recv "$client_fd")" "$ABORTED"
}

round() {
	actor server
	actor client
	blackhole
	cases v4
	cases v6
	later_life
	later_life_at_its_place
	time_wait
	members
	unnameable
	refused
	dismiss client
	dismiss server
}

chmod 711 "$T"
install -m 755 "$BUILD/flowner" "$T/flowner"
refuses 3 "no daemon at '$SOCK'" flowner abort 1
ip link set lo up
start_daemon
FLOWNER_SOCKET=$SOCK "$BUILD/flowner" watch -j >"$T/events" 2>"$T/events.err" &
watcher=$!
watching() { [[ $(flowner stats -j | jq .streams.open) == 1 ]]; }
eventually 10 watching
round
echo "ok in the daemon's namespace"
own_netns
round
echo "ok in another"
(($(stat_of aborted) > 30)) || fail "aborted: $(stat_of aborted)"
(($(stat_of abort_refused) > 4)) || fail "abort_refused: $(stat_of abort_refused)"
drained() { [[ -z $(ids) ]]; }
eventually 20 drained
terminate "$watcher"

# --- a kernel that has no way to it: one line, and nobody notices ---

start_incapable() {
	DAEMON_PRELOAD=$BUILD/tests/refuse.so REFUSE_DESTROY=1 \
		ASAN_OPTIONS="${ASAN_OPTIONS:-}:verify_asan_link_order=0" start_daemon
}

cannot() { # ID
	refuses 4 "^flowner: this kernel cannot cut flow $1: it has neither SOCK_DESTROY .* nor `
		`bpf_sock_destroy \(Linux 6\.5, BPF JIT\)$" flowner abort "$1"
}

incapable() { # ADDR
	tell server listen tcp "$1" 8084
	listener_fd=${R[0]} listener=${R[2]}
	session "$1" 8084
	cannot "$opener"
	cannot "$acceptor"
	same "still open" "$(answer client send "$client_fd")" ok
	same "still open, the other end" "$(answer server recv "$server_fd")" 'ok 1'
	cannot "$listener"
	session "$1" 8084 # it still listens
	tell server listen udp "$1" 5355
	cannot "${R[2]}"
	exits 4 flowner abort -j "$opener"
	same "in JSON" "$(jq -c '[.flow_id, .aborted]' "$T/out")" "[\"$opener\",false]"
	same "how it goes on" "$(reason_of "$opener")" open
}

incapable_round() {
	actor server
	actor client
	incapable 127.0.0.1
	incapable ::1
	dismiss client
	dismiss server
}

nothing_noted() { ! flowner doctor | grep '^note: abort: '; }
nothing_noted || fail "doctor of a kernel that can"
stop_daemon
start_incapable
matches "what doctor says of it" "$(flowner doctor)" 'note: abort: nothing .*INET_DIAG_DESTROY'
incapable_round
NETNS=''
incapable_round
same "what was counted" "$(stat_of aborted) $(stat_of abort_refused)" '0 20'
