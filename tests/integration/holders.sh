#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# All that have a flow's socket open now, with the descriptor of each: inherited over fork and exec,
# passed on, duplicated, closed by one of them; nobody, while it waits for accept(), is on its way
# or drains. Listeners, TCP and UDP, both families, other namespaces. What somebody who is not root
# is told of other users. Where the walk is off it is not known, and said so.
# what it sees is the kernel's doing
. "$(dirname "$0")/lib.sh"

chmod 711 "$T"
install -m 755 "$BUILD/flowner" "$T/flowner"

asks() { # ARGUMENTS...: flowner as another user
	FLOWNER_SOCKET=$SOCK setpriv --reuid=65534 --regid=65534 --clear-groups "$T/flowner" "$@"
}

holders() { # FLOW_ID: PID FD... of each, in the order of pids
	api "/v1/flows/$1" | jq -r '.error // (.flowner | if has("holders") then .holders |
		sort_by(.pid)[] | "\(.pid) \(.fds | join(" "))" else "not known" end)'
}

held() { # WHAT FLOW_ID [PID FD...]...: by these and no others, in whatever order
	same "$1" "$(holders "$2")" "$(printf '%s\n' "${@:3}" | sort -n)"
}

nobody_has() { same "$1" "$(api "/v1/flows/$2" | jq -c .flowner.holders)" '[]'; } # WHAT FLOW_ID

state_is() { [[ $(flowner show -j "$1" | jq -r .flowner.state) == "$2" ]]; } # FLOW_ID STATE

session() { # IP: of the server's LISTENER at PORT; CLIENT, SERVER and the ids
	tell client connect tcp "$1" "$PORT"
	CLIENT=${R[0]} OPENER=${R[2]}
	tell server accept "$LISTENER"
	SERVER=${R[0]} ACCEPTOR=${R[2]}
}

start_daemon

# --- in a namespace of its own, and in the daemon's ---

everywhere() { # WHERE
	local ip fd id parent=${ACTOR_PID[server]} client=${ACTOR_PID[client]}
	for ip in 127.0.0.1 ::1; do
		tell server listen tcp "$ip" 0
		LISTENER=${R[0]} PORT=${R[1]}
		held "$1, a listener at $ip" "${R[2]}" "$parent $LISTENER"
		tell server listen udp "$ip" 0
		held "$1, UDP at $ip" "${R[2]}" "$parent ${R[0]}"
		tell client connect udp "$ip" "${R[1]}"
		fd=${R[0]} id=${R[2]}
		tell client send "$fd"
		held "$1, a UDP session with $ip" "$id" "$client $fd"
		session "$ip"
		held "$1, who connects to $ip" "$OPENER" "$client $CLIENT"
		held "$1, who accepts at $ip" "$ACCEPTOR" "$parent $SERVER"
	done
}
actor server
actor client
everywhere "the daemon's namespace"
dismiss server
dismiss client
own_netns
actor server
actor client
tell client comm holds
everywhere "a namespace of its own"
server_pid=${ACTOR_PID[server]} client_pid=${ACTOR_PID[client]}

# --- what is told of one ---

same "pid, start and name" \
	"$(flowner show -j "$OPENER" | jq -c '.flowner.holders[0] | del(.fds)')" \
	"$(flowner show -j "$OPENER" | jq -c '.process | {pid, start, name}')"
same "in words" "$(flowner show "$OPENER" | grep '^holders:' | tr -s ' ')" \
	"holders: holds, pid $client_pid, fd $CLIENT"
same "in a list there is nothing of it" "$(flowner list -j | jq -c .flowner.holders | sort -u)" null
same "nor in an answer to who" \
	"$(flowner who -j tcp "[::1]:$PORT" --netns "$server_pid" |
		jq -c .flowner.holders | sort -u)" null

# --- inherited ---

tell server fork
child=${R[0]}
held "after fork" "$ACCEPTOR" "$server_pid $SERVER" "$child $SERVER"
tell server close "$SERVER"
held "closed by the child" "$ACCEPTOR" "$server_pid $SERVER"
tell server dup "$LISTENER"
again=${R[0]}
listening=$(flowner list -lj --lport "$PORT" -t | jq -r .flowner.flow_id)
held "twice by the child" "$listening" "$server_pid $LISTENER" "$child $LISTENER $again"
for _ in {1..20}; do tell server dup "$LISTENER"; done
same "descriptors beyond those told" "$(flowner show -j "$listening" | jq -c \
	'.flowner | [(.holders | map(.fds | length) | sort), .holders_truncated]')" '[[1,16],true]'
tell server exec
held "after exec, which closes it" "$listening" "$server_pid $LISTENER"

tell client keep "$CLIENT"
tell client exec
held "kept over exec" "$OPENER" "$client_pid $CLIENT"

# --- passed on ---

actor other
actor user
tell user uid 65534
other_pid=${ACTOR_PID[other]} user_pid=${ACTOR_PID[user]}
tell other listen tcp 127.0.0.1 0
LISTENER=${R[0]} PORT=${R[1]}
tell user connect tcp 127.0.0.1 "$PORT"
fd=${R[0]} id=${R[2]}
nobody_has "it waits for accept()" "$(flowner show -j "$id" | jq -r .flowner.peer_flow_id)"
tell other accept "$LISTENER"
accepted=${R[0]}
tell other inbox "$T/inbox"
inbox=${R[0]}
tell user give "$fd" "$T/inbox"
held "on its way" "$id" "$user_pid $fd"
tell other get "$inbox"
passed=${R[0]}
held "passed on" "$id" "$user_pid $fd" "$other_pid $passed"

# --- who is not root ---

same "another user's is counted" "$(asks show -j "$id" |
	jq -c '.flowner | [(.holders | map(.pid)), .holders_hidden]')" "[[$user_pid],1]"
same "in words" "$(asks show "$id" | grep -A 1 '^holders:' | tr -s ' ' | tr '\n' ';')" \
	"holders: actor, pid $user_pid, fd $fd; of other users: 1;"
same "to root nothing is hidden" "$(flowner show -j "$id" | jq -c .flowner.holders_hidden)" null
tell user close "$fd"
held "closed by who opened it" "$id" "$other_pid $passed"
same "nobody of this user" "$(asks show -j "$id" |
	jq -c '.flowner | [.holders, .holders_hidden]')" '[[],1]'
tell other give "$passed" "$T/inbox"
tell other close "$passed"
nobody_has "on its way, and nowhere else" "$id"
tell other get "$inbox"
passed=${R[0]}
held "arrived" "$id" "$other_pid $passed"
same "still the same owner" "$(flowner show -j "$id" | jq .process.pid)" "$user_pid"

# --- orphans: it drains, it has ended ---

tell other send "$passed" 300000 # more than the other end takes without being read
tell other close "$passed"
eventually 10 state_is "$id" fin_wait1
nobody_has "it drains" "$id"
matches "in words" "$(flowner show "$id" | grep '^holders:')" 'none'
tell other drain "$accepted" 300000
tell other close "$accepted"
ended() { [[ $(flowner show -j "$1" | jq -r '.event.end // ""') ]]; }
eventually 10 ended "$id"
nobody_has "it has ended" "$id"
tell other connect tcp 127.0.0.1 "$PORT"
fd=${R[0]} id=${R[2]}
tell other accept "$LISTENER"
tell other reset "${R[0]}"
eventually 10 ended "$id"
held "it has ended, and was not closed" "$id" "$other_pid $fd"

# --- the walk is off ---

stop_daemon
start_daemon --without iter
tell other listen udp 127.0.0.1 0
same "without the walk it is not known" "$(holders "${R[2]}")" 'not known'
matches "in words" "$(flowner show "${R[2]}" | grep '^holders:')" 'not known, see flowner doctor$'
matches "what doctor says" "$(flowner doctor | grep '^note: holders')" 'who else has a socket open'
