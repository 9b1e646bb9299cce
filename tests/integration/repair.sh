#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The maps are compared with the kernel's sockets and put right: ends that no program saw, sockets
# that no program saw opening, entries somebody deleted, UDP peers that fell silent.
. "$(dirname "$0")/lib.sh"

equal() { [[ $(ids) == "$(cookies)" ]]; }

printf 'reconcile: 1s\nudp_idle: 3s\n' >"$T/config"
own_netns
start_daemon --config "$T/config"
actor server
actor client
tell server listen tcp 127.0.0.1 8080
tell client connect tcp 127.0.0.1 8080
first=${R[2]} first_fd=${R[0]}
tell server accept 3
accepted=${R[2]} accepted_fd=${R[0]}
tell client connect tcp 127.0.0.1 8080
stays=${R[2]}
tell server accept 3
tell client listen udp 127.0.0.1 6000
bound=${R[2]} bound_fd=${R[0]}
equal || fail "maps and sockets differ before anything happened"

# --- no program runs: killed, and its links taken away ---
mine=$(objects_of_pins | grep ^link)
kill_daemon
rm "$PINS"/links/*
eventually 10 freed "$mine"
tell client close "$first_fd"
tell server close "$accepted_fd"
tell client close "$bound_fd"
tell client connect tcp 127.0.0.1 8080
unseen=${R[2]}
tell server accept 3
same "entries that nobody took out" "$(ids | grep -cx -e "$(short "$first")" \
	-e "$(short "$accepted")" -e "$(short "$bound")")" 3
start_daemon --config "$T/config"
eventually 20 equal
same "counted" "$(stat_of end_reconciled)" 3
same "why they ended" \
	"$(flowner list -j --closed | jq -r '"\(.flowner.flow_id) \(.event.reason)"' | sort)" \
	"$(printf '%s lost\n' "$first" "$accepted" "$bound" | sort)"
same "what was open stays as it was" "$(flowner show -j "$stays" | jq -r .flowner.role)" opener
same "what came unseen" "$(flowner show -j "$unseen" |
	jq -r '"\(.process.pid) \(.flowner.role) \(.event.start)"')" \
	"${ACTOR_PID[client]} existing null"

# --- entries that somebody deleted ---
mapfile -t bytes < <(fold -w 2 <<<"$stays")
mapfile -t key < <(in_host_order "${bytes[@]}")
bpftool map delete pinned "$PINS/socket_to_process" key hex "${key[@]}"
eventually 20 equal
same "its owner" "$(flowner show -j "$stays" | jq .process.pid)" "${ACTOR_PID[client]}"

# --- peers of a UDP socket: ended when silent for udp_idle, not before, and the socket stays ---
tell server listen udp 127.0.0.1 5353
server_fd=${R[0]} port=${R[1]} server_id=${R[2]}
tell client connect udp 127.0.0.1 "$port"
client_fd=${R[0]} client_port=${R[1]}
# connected a second time: its session has a number too, and is as long as the socket
tell client connect udp 127.0.0.1 "$port"
again_fd=${R[0]}
tell client send "$again_fd"
tell client reconnect "$again_fd" 127.0.0.1 "$port"
again="127.0.0.1:${R[1]} 127.0.0.1:$port"
tell client send "$again_fd"
# shellcheck disable=SC2086 # two words
of_again() { flowner who -j udp $again | jq -r .flowner.flow_id; }
again_id=$(of_again)
[[ $again_id == 8* ]] || fail "the second session has no number: $again_id"
peers() {
	flowner list -j -u --local 127.0.0.1:5353 --rport "$client_port" | jq -r .flowner.flow_id
}
for _ in {1..8}; do # talks for longer than udp_idle
	tell client send "$client_fd"
	tell server recv "$server_fd"
	sleep 0.5 # lint: poll
done
peer=$(peers)
[[ $peer == 8* ]] || fail "the peer is not one flow, numbered: '$peer'"
no_peers() { [[ -z $(peers) ]]; }
eventually 20 no_peers
same "why it ended" "$(flowner show -j "$peer" | jq -r .event.reason)" idle
same "a session of a socket's own" "$(of_again)" "$again_id"
same "counted" "$(stat_of udp_idle)" 3 # the server's two of it, too
same "the socket" "$(flowner show -j "$server_id" | jq -r .flowner.role)" user
tell client close "$again_fd"

# --- a peer that fell silent does not hide those who came before it from the close ---
tell server listen udp 127.0.0.1 5454
server_fd=${R[0]}
fds=() ids=()
for i in 0 1 2; do
	tell client connect udp 127.0.0.1 5454
	fds[i]=${R[0]} client_port=${R[1]}
	tell client send "${fds[i]}"
	tell server recv "$server_fd"
	ids[i]=$(flowner list -j -u --local 127.0.0.1:5454 --rport "$client_port" |
		jq -r .flowner.flow_id)
done
all_but_the_second() {
	for i in 0 2; do
		tell client send "${fds[i]}"
		tell server recv "$server_fd"
	done
	[[ $(flowner show -j "${ids[1]}" | jq -r .event.reason) == idle ]]
}
eventually 20 all_but_the_second
tell server close "$server_fd"
ended() { [[ $(flowner show -j "$1" | jq -r .event.end) != null ]]; } # ID
for i in 0 2; do
	eventually 20 ended "${ids[i]}"
	same "why peer $i ended" "$(flowner show -j "${ids[i]}" | jq -r .event.reason)" null
done
for i in 0 1 2; do tell client close "${fds[i]}"; done

# --- connect() of UDP undone, and silence: no program sees it ---
tell server listen udp 127.0.0.1 5454
server_fd=${R[0]}
tell client listen udp 127.0.0.1 6001
fd=${R[0]} undone=${R[2]}
tell client call "$fd" 127.0.0.1 5454
tell client send "$fd"
same "connected" "$(flowner show -j "$undone" | jq -r .flowner.role)" opener
tell client undo "$fd"
eventually 20 ended "$undone"
same "why" "$(flowner show -j "$undone" | jq -r .event.reason)" null
tell client close "$fd"
tell server close "$server_fd"
equal || fail "maps and sockets differ in the end"
