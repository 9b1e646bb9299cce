#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# --cgroup: sockets of that cgroup and of those below it are tracked and found when older; sockets
# of the host, of cgroups beside it and those that only a member holds are not.
. "$(dirname "$0")/lib.sh"
TOP=$CGROUP

beside() { # CGROUP NAME: an actor there
	local CGROUP=$1
	actor "$2"
}

traffic() { # NAME PORT: one of each kind, both ends in NAME
	tell "$1" comm "$1"
	tell "$1" listen tcp 127.0.0.1 "$2"
	tell "$1" connect tcp 127.0.0.1 "$2"
	tell "$1" listen udp 127.0.0.1 "$2"
	tell "$1" connect udp 127.0.0.1 "$2"
	tell "$1" send "${R[0]}"
}

mkdir "$TOP/scope" "$TOP/scope/below" "$TOP/beside"
own_netns
beside "$TOP" above
beside "$TOP/beside" sibling
beside "$TOP/scope" inside
beside "$TOP/scope/below" deeper
port=20000
for name in above sibling inside deeper; do traffic "$name" "$((port++))"; done # older

start_daemon --cgroup "$TOP/scope"
for name in above sibling inside deeper; do traffic "$name" "$((port++))"; done # younger

same "who is in scope" "$(flowner list -j -a | jq -r .process.name | sort -u | tr '\n' ' ')" \
	'deeper inside '
# each has: listener, connection, its end in the queue, UDP socket, UDP client, the client as a peer
for name in inside deeper; do
	same "younger flows of $name" "$(flowner list -j --comm "$name" | jq -r '
		select(.event.start) | "\(.network.transport) \(.flowner.role)"' |
		sort | tr '\n' ',')" \
		'tcp acceptor,tcp listener,tcp opener,udp acceptor,udp opener,udp user,'
	same "older flows of $name" "$(flowner list -j --comm "$name" | jq -r '
		select(.event.start == null) | "\(.network.transport) \(.flowner.role)"' |
		sort | tr '\n' ',')" \
		'tcp acceptor,tcp existing,tcp listener,udp existing,udp existing,'
done
same "the maps" "$(ids)" "$(for name in inside deeper; do
	flowner list -j --comm "$name" | jq -r .flowner.flow_id
done | sed 's/^0*//' | sort)"

# --- a session between the two sides: only the end that is inside ---
tell above listen tcp 127.0.0.1 30000
tell inside connect tcp 127.0.0.1 30000
tell inside listen tcp 127.0.0.1 30001
tell sibling connect tcp 127.0.0.1 30001
same "the ends inside" "$(flowner list -j :30000 :30001 |
	jq -r '"\(.process.name) \(.flowner.role)"' | sort | tr '\n' ',')" \
	'inside acceptor,inside listener,inside opener,'

# --- and it drains ---
for name in above sibling inside deeper; do tell "$name" drop; done
empty() { [[ -z $(ids) && $(map l7_connections | jq length) == 0 ]]; }
eventually 40 empty
for name in "${!ACTOR_PID[@]}"; do dismiss "$name"; done
stop_daemon
rmdir "$TOP/scope/below" "$TOP/scope" "$TOP/beside"
