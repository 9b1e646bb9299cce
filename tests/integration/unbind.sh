#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# While binds are judged, a socket that was bound tells when it no longer is: with the port it had,
# by whom it was bound, once, and not before its last descriptor is closed.
# what it sees is the kernel's doing
. "$(dirname "$0")/lib.sh"

load() { # HOOK local|remote
	cat >"$T/policy.yaml" <<-END
		mode: enforce
		rules:
		  - name: nobody
		    hooks: [$1]
		    $2: {port: 7009}
		    verdict: reject
	END
	exits 0 flowner policy load "$T/policy.yaml"
}

told() { # PROTO ADDR PORT: how often, and who was said to have bound it
	jq -r --arg proto "$1" --arg ip "$2" --argjson port "$3" 'select(
			.event.action == "unbind" and .network.transport == $proto and
			.flowner.local.ip == $ip and .flowner.local.port == $port) |
		"\(.process.pid) \(.event.type[0]) \(.flowner.flow_id)"' "$T/events"
}

bound_once() { # PORT: and no longer
	tell server socket udp 4
	local fd=${R[0]}
	tell server bind "$fd" 127.0.0.1 "$1"
	tell server close "$fd"
}

is_told() { [[ $(told "$@") ]]; }

start_daemon
own_netns
actor server
load bind local
FLOWNER_SOCKET=$SOCK "$BUILD/flowner" watch -j >"$T/events" 2>"$T/events.err" &
watching() { (($(flowner stats -j | jq .streams.open) > 0)); }
eventually 10 watching

for proto in tcp udp; do
	for addr in 127.0.0.1 ::1; do
		for port in 0 7001; do
			tell server socket "$proto" "$([[ $addr == *:* ]] && echo 6 || echo 4)"
			fd=${R[0]}
			tell server bind "$fd" "$addr" "$port"
			chosen=${R[1]} cookie=${R[2]}
			is_told "$proto" "$addr" "$chosen" && fail "$addr $chosen is bound yet"
			tell server close "$fd"
			eventually 10 is_told "$proto" "$addr" "$chosen"
			same "$proto $addr $port" "$(told "$proto" "$addr" "$chosen")" \
				"${ACTOR_PID[server]} end $cookie"
		done
	done
done

# another process has it, too: it is bound until that one is gone
actor pair
tell pair socket tcp 4
fd=${R[0]}
tell pair bind "$fd" 127.0.0.1 7002
tell pair fork # whoever answers from now on is the child
tell pair close "$fd"
bound_once 7003
eventually 10 is_told udp 127.0.0.1 7003
is_told tcp 127.0.0.1 7002 && fail "it is bound: the parent has it"
parent=${ACTOR_PID[pair]}
dismiss pair
eventually 10 is_told tcp 127.0.0.1 7002
same "who had bound it" "$(told tcp 127.0.0.1 7002 | cut -d ' ' -f 1)" "$parent"

# what was denied was never bound, and without a rule on binds nobody asks
tell server socket tcp 4
fd=${R[0]}
try server bind "$fd" 127.0.0.1 7009
same "bind" "${R[0]}" error
tell server close "$fd"
load connect remote
bound_once 7004
load bind local
bound_once 7005
eventually 10 is_told udp 127.0.0.1 7005
is_told tcp 127.0.0.1 7009 && fail "it was never bound"
is_told udp 127.0.0.1 7004 && fail "nobody had asked"
same "told in all" "$(jq -c 'select(.event.action == "unbind")' "$T/events" | wc -l)" 11
