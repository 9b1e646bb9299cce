#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# libflowner against a live daemon: every question, through the maps and through the socket; as
# root, with CAP_BPF alone, as a member of the group, as nobody, and after a change of identity;
# over a stop of the daemon, another one, and one of another layout.
. "$(dirname "$0")/lib.sh"

GROUP=nogroup # the daemon's, in this test: one that every machine has
GID=$(awk -F: -v name="$GROUP" '$1 == name { print $3 }' /etc/group)
MEMBER=(setpriv --reuid=1234 --regid=1234 --groups="$GID")
NOBODY=(setpriv --reuid=1234 --regid=1234 --clear-groups)
CAPABLE=(setpriv --reuid=1234 --regid=1234 --groups="$GID" --inh-caps=+bpf --ambient-caps=+bpf)

chmod 711 "$T"
install -m 755 "$BUILD/tests/library" "$T/library"
printf 'group: %s\n' "$GROUP" >"$T/conf"
own_netns

# --- asking: from the actors' network namespace, which is then the one that is meant ---

ask() { in_netns "${AS[@]}" "$T/library" -p "$PINS" -s "$SOCK" "$@"; } # [-u UID] QUESTION...
by_socket() { in_netns "${AS[@]}" "$T/library" -p /sys/fs/bpf/none -s "$SOCK" "$@"; }
AS=()

word() { # LINE NAME: the word after NAME
	local words i
	read -ra words <<<"$1"
	for ((i = 0; i < ${#words[@]}; i++)); do
		[[ ${words[i]} != "$2" ]] || echo "${words[i + 1]}"
	done
}

is() { # WHAT LINE ID PID ROLE
	same "id of $1" "$(word "$2" "${2%% *}")" "$3"
	same "pid of $1" "$(word "$2" pid)" "$4"
	same "role of $1" "$(word "$2" role)" "$5"
}

finds_all() { # ask|by_socket
	local source=$1
	is "$source: a side" "$("$source" find tcp "127.0.0.1:$port" 127.0.0.1:8080)" \
		"$opener" "$client" opener
	is "$source: the other" "$("$source" find tcp 127.0.0.1:8080 "127.0.0.1:$port")" \
		"$acceptor" "$server" acceptor
	is "$source: the listener" "$("$source" find tcp 127.0.0.1:8080)" \
		"$listener" "$server" listener
	exits 1 "$source" find udp "127.0.0.1:$port" 127.0.0.1:8080
	is "$source: by id" "$("$source" id "$acceptor")" "$acceptor" "$server" acceptor
	exits 1 "$source" id dead
	matches "$source: image" "$("$source" image "$opener")" \
		"^exe .*/tests/actor args .*/tests/actor parent $$\$"
	same "$source: each" "$("$source" each | grep -cE " ($opener|$acceptor|$listener) ")" 3
}

finds_packets() { # ask|by_socket
	local source=$1
	"$source" packet - tcp "127.0.0.1:$port" 127.0.0.1:8080 >"$T/packet"
	is "$source: sender" "$(grep ^sender "$T/packet")" "$opener" "$client" opener
	is "$source: receiver" "$(grep ^receiver "$T/packet")" "$acceptor" "$server" acceptor
	is "$source: who takes a SYN" "$("$source" packet S tcp 127.0.0.1:9 127.0.0.1:8080)" \
		"$listener" "$server" listener
	is "$source: who takes a datagram" "$("$source" packet - udp 127.0.0.1:9 127.0.0.1:53)" \
		"$udp" "$server" user
	exits 1 "$source" packet - udp 192.0.2.1:9 192.0.2.2:53
	is "$source: one for this host" "$("$source" packet t udp 192.0.2.1:9 192.0.2.2:53)" \
		"$udp" "$server" user
	exits 1 "$source" packet - tcp 127.0.0.1:9 127.0.0.1:10
}

start_daemon --config "$T/conf"
actor server
actor client
tell client uid 1234
server=${ACTOR_PID[server]} client=${ACTOR_PID[client]}
tell server listen udp :: 53
udp=${R[2]}
tell server listen tcp 127.0.0.1 8080
listener=${R[2]} listener_fd=${R[0]}
tell client connect tcp 127.0.0.1 8080
opener=${R[2]} port=${R[1]} client_fd=${R[0]}
tell server accept "$listener_fd"
acceptor=${R[2]} server_fd=${R[0]}

matches "in C++, from the shared library" "$("$BUILD/tests/cplusplus" "$PINS" "$SOCK")" '^0\.1'

# --- root, and CAP_BPF alone with the right to open the pins ---
same "root reads" "$(ask source)" maps
same "without pins" "$(by_socket source)" socket
finds_all ask
finds_all by_socket
finds_packets ask
finds_packets by_socket
matches "own descriptor" \
	"$(in_cgroup nsenter -t "$NETNS" -n "$T/library" -p "$PINS" -s "$SOCK" \
		self 127.0.0.1:8080)" \
	"^flow [0-9a-f]* pid [0-9]* uid 0 comm library role opener "
tell server accept "$listener_fd"

# --- what is bound to an interface has the packets of that one only ---
tell client socket tcp 4
of_lo=${R[0]}
tell client option "$of_lo" device 1
tell client bind "$of_lo" 127.0.0.1 7000
tell client call "$of_lo" 127.0.0.1 8080
tell server accept "$listener_fd"
ends=(tcp 127.0.0.1:7000 127.0.0.1:8080)
for source in ask by_socket; do
	same "$source: over lo" "$("$source" packet 1 "${ends[@]}" | grep -c "pid $client ")" 1
	same "$source: over another" "$("$source" packet 2 "${ends[@]}" | grep -c "pid $client ")" 0
	same "$source: no matter" "$("$source" packet - "${ends[@]}" | grep -c "pid $client ")" 0
done
AS=("${CAPABLE[@]}")
same "CAP_BPF reads" "$(ask source)" maps
finds_all ask

# --- a member of the group: the maps where the kernel lets him (5.19), else the socket ---
AS=("${MEMBER[@]}")
matches "a member reads" "$(ask source)" 'maps|socket'
finds_all ask
finds_all by_socket
finds_packets ask

# --- nobody: his own flows, through the socket ---
AS=("${NOBODY[@]}")
same "nobody reads" "$(ask source)" socket
is "nobody: his own" "$(ask find tcp "127.0.0.1:$port" 127.0.0.1:8080)" "$opener" "$client" opener
exits 1 ask find tcp 127.0.0.1:8080 "127.0.0.1:$port"
exits 1 ask id "$listener"
same "nobody: each" "$(ask each | grep -o 'uid [0-9]*' | sort -u)" 'uid 1234'

# --- opened by root, who then became another ---
AS=()
matches "after a change to nobody" "$(ask -u 1234 source)" 'maps|socket'
is "then: his own" "$(ask -u 1234 find tcp "127.0.0.1:$port" 127.0.0.1:8080)" \
	"$opener" "$client" opener

# --- the row of this kernel in the manual's table ---
reads() { echo "$(uname -r) $1: $(ask "${@:2}" source)"; } # AS_WHOM [-u UID]
reads root
reads 'root, then nobody' -u 1234
AS=("${CAPABLE[@]}")
reads CAP_BPF
AS=("${MEMBER[@]}")
reads 'a member of the group'
AS=("${NOBODY[@]}")
reads nobody
AS=()

# --- events ---
ask watch 2 "proto=tcp&lport=8080" >"$T/events" &
watcher=$!
ready() { grep -q READY "$T/events"; }
eventually 20 ready
tell client connect tcp 127.0.0.1 8080
tell server accept "$listener_fd"
own=${R[2]}
wait "$watcher" || fail "watch: $(<"$T/events")"
same "events" "$(grep -c "^event [0-9]* $own " "$T/events")" 2

# --- after the end ---
exits 3 ask watch 1 'colour=red' # an error of the question is told at once
middle=$(ask time)
tell client close "$client_fd"
tell server close "$server_fd"
tell client connect tcp 127.0.0.1 8080 127.0.0.1 "$port"
second=${R[2]}
for source in ask by_socket; do
	line=$("$source" at "$middle" tcp "127.0.0.1:$port" 127.0.0.1:8080)
	is "$source: who had it then" "$line" "$opener" "$client" opener
	same "$source: it has ended" "$(word "$line" ended)" 1
	is "$source: who has it now" "$("$source" find tcp "127.0.0.1:$port" 127.0.0.1:8080)" \
		"$second" "$client" opener
	is "$source: by id, ended" "$("$source" id "$opener")" "$opener" "$client" opener
	matches "$source: image of an ended flow" "$("$source" image "$opener")" \
		'^exe .*/tests/actor '
	exits 1 "$source" at 1000 tcp "127.0.0.1:$port" 127.0.0.1:8080
done

# --- one handle over a stop and another daemon ---
mkfifo "$T/go"
in_netns "$T/library" -p "$PINS" -s "$SOCK" wait find tcp 127.0.0.1:8080 <"$T/go" >"$T/waiting" &
waiting=$!
exec {go}>"$T/go"
on_its_mark() { grep -q READY "$T/waiting"; }
eventually 10 on_its_mark
stop_daemon
exits 4 ask source # nobody is there
matches "nobody is there" "$(<"$T/out")" "^error E"
start_daemon --config "$T/conf"
echo >&"$go"
exec {go}>&-
wait "$waiting"
is "over a restart" "$(tail -n 1 "$T/waiting")" "$listener" "$server" listener

# --- another layout ---
byte=$(map meta | jq -r '.[0].value[0]')
poke() { # BYTE: of meta's layout, all else as it is
	local value
	mapfile -t value < <(map meta | jq -r '.[0].value[]')
	bpftool map update pinned "$PINS/meta" key 0 0 0 0 value "$1" "${value[@]:1}"
}
poke 0x63
exits 4 ask source
matches "another layout" "$(<"$T/out")" '^error ESTALE: .*another layout'
poke "$byte"
same "the right one" "$(ask source)" maps
