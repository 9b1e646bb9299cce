#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# MPTCP: each path of a connection is a session of the process that has it. Who has one open before
# flownerd is there, and after; a verdict at every hook, where an MPTCP socket gets as little as one
# of TCP; and a path that the kernel opens by itself, in a worker, judged as its owner's.
# timeout: 240
# what it sees is the kernel's doing
. "$(dirname "$0")/lib.sh"

# --- who has them ---

session_of() { # LOCAL_PORT [ROLE]: as flownerd has it
	flowner list -j | jq -c --argjson port "$1" --arg role "${2:-}" \
		'select(.flowner.local.port == $port and ($role == "" or .flowner.role == $role))'
}

owned() { # WHAT LOCAL_PORT ROLE PID FD
	local session id
	session=$(session_of "$2" "$3")
	id=$(jq -r .flowner.flow_id <<<"$session")
	same "$1: the owner" "$(jq .process.pid <<<"$session")" "$4"
	same "$1: who has it open" "$(api "/v1/flows/$id" |
		jq -c '.flowner.holders[] | [.pid, .fds[]]')" "[$4,$5]"
}

open_session() { # ADDRESS
	tell server listen mptcp "$1" 0
	LISTENER=${R[0]} PORT=${R[1]}
	tell client connect mptcp "$1" "$PORT"
	CLIENT=${R[0]} CLIENT_PORT=${R[1]}
	tell server accept "$LISTENER"
	SERVER=${R[0]}
}

all_owned() { # WHAT LISTENER_ROLE OPENER_ROLE ACCEPTOR_ROLE
	owned "$1, who listens" "$PORT" "$2" "${ACTOR_PID[server]}" "$LISTENER"
	owned "$1, who connects" "$CLIENT_PORT" "$3" "${ACTOR_PID[client]}" "$CLIENT"
	owned "$1, who accepts" "$PORT" "$4" "${ACTOR_PID[server]}" "$SERVER"
}

# --- verdicts ---

denied() { # WHAT WORDS: of an answer
	matches "$1" "$2" '^error (Permission denied|Operation not permitted)'
}

gets_nowhere() { # WHAT WORDS
	matches "$1" "$2" '^error '
}

bound_mptcp() { # NAME ADDRESS PORT
	local family=4
	[[ $2 != *:* ]] || family=6
	tell "$1" socket mptcp "$family"
	FD=${R[0]}
	tell "$1" bind "$FD" "$2" "$3"
}

listens() { # ADDRESS PORT
	bound_mptcp server "$1" "$2"
	tell server begin "$FD"
}

# Whether listen() fails, or is ended afterwards: nobody gets through.
judged() { # ADDRESS
	local family=4
	[[ $1 != *:* ]] || family=6
	tell server socket mptcp "$family"
	try server bind "${R[0]}" "$1" 7401
	denied "bind() to $1" "${R[*]}"
	bound_mptcp server "$1" 7402
	try server begin "$FD"
	[[ ${R[0]} == ok ]] || denied "listen() at $1" "${R[*]}"
	try client connect mptcp "$1" 7402
	gets_nowhere "connect() to who was not to listen at $1" "${R[*]}"
	for port in 7403 7404 7405 7406; do listens "$1" "$port"; done
	try client connect mptcp "$1" 7403
	denied "connect() to $1" "${R[*]}"
	for port in 7404 7405; do
		try client connect mptcp "$1" "$port"
		gets_nowhere "connect() to $1, port $port" "${R[*]}"
	done
	tell client connect mptcp "$1" 7406
	tell server accept "$FD"
}

hits() { # RULE
	flowner policy show -j | jq --arg rule "$1" '.rules[] | select(.name == $rule).hits'
}

verdicts() {
	cat >"$T/policy.yaml" <<-'END'
		mode: enforce
		rules:
		  - {name: bind, hooks: bind, local: {port: 7401}, verdict: reject}
		  - {name: listen, hooks: listen, local: {port: 7402}, verdict: reject,
		     allow_async: true}
		  - {name: connect, hooks: connect, remote: {port: 7403}, verdict: reject}
		  - {name: authorize, hooks: connect_authorization, remote: {port: 7404},
		     verdict: reject}
		  - {name: accept, hooks: recv_accept, local: {port: 7405}, verdict: reject}
	END
	exits 0 flowner policy load "$T/policy.yaml"
	for address in 127.0.0.1 ::1; do judged "$address"; done
	for rule in bind listen connect authorize accept; do
		(($(hits "$rule") >= 2)) || fail "rule '$rule' decided $(hits "$rule") times"
	done
}

# --- a path of the kernel's own ---

paths_to() { # PORT: from which addresses
	in_netns ss -Htn state established "dport = :$1" |
		awk '{ sub(/:[0-9]*$/, "", $3); print $3 }' | sort
}

has_path() { paths_to "$PORT" | grep -qx "$1"; } # ADDRESS

all_judged() { [[ $(hits bound) -gt 0 && $(hits sent) -gt 0 ]]; }

# Of three more paths, those that the user of the connection may not have are not opened; the worker
# that would is root's.
joined() {
	in_netns ip mptcp limits set subflow 3
	for host in 1 2 3 4; do in_netns ip addr add "10.77.0.$host/32" dev lo; done
	for host in 2 3 4; do in_netns ip mptcp endpoint add "10.77.0.$host" subflow; done
	cat >"$T/policy.yaml" <<-'END'
		mode: enforce
		rules:
		  - {name: bound, hooks: bind, uid: 65534, local: {addr: 10.77.0.2},
		     verdict: reject}
		  - {name: sent, hooks: connect_authorization, uid: 65534,
		     local: {addr: 10.77.0.3}, verdict: reject}
	END
	exits 0 flowner policy load "$T/policy.yaml"
	actor nobody
	tell nobody uid 65534
	tell server listen mptcp 10.77.0.1 0
	LISTENER=${R[0]} PORT=${R[1]}
	tell nobody connect mptcp 10.77.0.1 "$PORT"
	CLIENT=${R[0]}
	tell server accept "$LISTENER"
	SERVER=${R[0]}
	tell nobody send "$CLIENT"
	tell server recv "$SERVER"
	tell server send "$SERVER"
	tell nobody recv "$CLIENT"
	eventually 20 has_path 10.77.0.4
	eventually 20 all_judged
	same "paths" "$(paths_to "$PORT" | xargs)" '10.77.0.1 10.77.0.4'
}

# --- a path whose connection is nobody's ---

lose() { # FLOW_ID: as if no program had told it
	local bytes
	mapfile -t bytes < <(fold -w 2 <<<"$1")
	mapfile -t bytes < <(in_host_order "${bytes[@]}")
	bpftool map delete pinned "$PINS/socket_to_process" key hex "${bytes[@]}"
}

counted() { [[ $(stat_of "$1") != 0 ]]; }

# It is not theirs who had the kernel open it, nor is it that nobody listens.
unowned() {
	local no_listener path
	exits 0 flowner policy clear
	for path in $(session_of "$PORT" acceptor | jq -r .flowner.flow_id) \
		$(flowner list -j --rport "$PORT" | jq -r .flowner.flow_id); do
		lose "$path"
	done
	no_listener=$(stat_of no_listener)
	in_netns ip addr add 10.77.0.5/32 dev lo
	in_netns ip mptcp endpoint add 10.77.0.5 subflow
	eventually 20 has_path 10.77.0.5
	eventually 20 counted mptcp_unowned
	same "no_listener" "$(stat_of no_listener)" "$no_listener"
	same "owner of the path" "$(flowner list -j --local 10.77.0.5 | jq -r .process.name)" null
	[[ $(flowner doctor) == *'paths of MPTCP have no owner'* ]] || fail "doctor does not say it"
}

# --- all of it ---

own_netns
in_netns sysctl -qw net.ipv4.tcp_syn_retries=1
actor server
actor client
try server socket mptcp 4
[[ ${R[0]} == ok ]] || skip "no MPTCP in this kernel"
open_session 127.0.0.1
start_daemon
all_owned 'older than flownerd' listener existing existing
for address in 127.0.0.1 ::1; do
	open_session "$address"
	all_owned "$address" listener opener acceptor
done
verdicts
joined
nothing_lost
unowned
