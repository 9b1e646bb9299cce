#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# connect() and sendto() to no address, 0.0.0.0 or ::, which the kernel takes for one of this host:
# rules that name that one say whether it may be. A datagram that names no address at all goes to
# the socket's peer, who was judged when it was connected.
. "$(dirname "$0")/lib.sh"

PORT=7000 OWN=10.9.9.9

policy() { # ADDRESS VERDICT DEFAULT
	cat <<-END >"$T/policy.yaml"
		mode: enforce
		default: {connect: $3}
		rules:
		  - {name: there, hooks: [connect], remote: {addr: "$1"}, verdict: $2}
	END
	exits 0 flowner policy load "$T/policy.yaml"
}

new() { # PROTO ADDRESS: FD
	local family=4
	[[ $2 != *:* ]] || family=6
	tell client socket "$1" "$family"
	FD=${R[0]}
}

word() { # of the last answer
	case "${R[*]:1}" in
	'Permission denied' | 'Operation not permitted') echo denied ;;
	*) echo "${R[0]}" ;;
	esac
}

attempt() { # PROTO CALL WANTED TO PEER [FROM]
	new "$1" "$4"
	[[ ! ${6:-} ]] || tell client bind "$FD" "$6" 0
	try client "$2" "$FD" "$4" "$PORT"
	same "$1 $2 to $4${6:+ from $6}" "$(word)" "$3"
	if [[ $3 == ok && $2 == call ]]; then
		tell client peer "$FD"
		same "the peer of $4${6:+ from $6}" "${R[0]}" "$5"
	fi
	tell client close "$FD"
}

goes() { # WANTED TO PEER [FROM]
	attempt tcp call "$@"
	attempt udp call "$@"
	attempt udp sendto "$@"
}

# to, from, the peer that getpeername() shows, and the address that a rule names
LEADS="
	0.0.0.0		-		127.0.0.1		127.0.0.1
	0.0.0.0		$OWN		$OWN			$OWN
	::ffff:0.0.0.0	-		::ffff:127.0.0.1	127.0.0.1
	::ffff:0.0.0.0	::ffff:$OWN	::ffff:$OWN		$OWN
	::		-		::1			::1
	::		::ffff:$OWN	::ffff:127.0.0.1	127.0.0.1
	::		fd00::9		::1			::1
"

start_daemon
own_netns
in_netns ip addr add "$OWN/32" dev lo
in_netns ip addr add fd00::9/128 dev lo nodad
actor server
for proto in tcp udp; do tell server listen "$proto" :: "$PORT"; done
actor client
while read -r to from peer address; do
	[[ $to ]] || continue
	[[ $from != - ]] || from=''
	policy "$address" reject proceed_soft
	goes denied "$to" "$peer" "$from"
	policy "$address" proceed_soft reject
	goes ok "$to" "$peer" "$from"
done <<<"$LEADS"

# which of the addresses of a device that would be is not known
policy "$OWN" reject proceed_soft
new tcp 0.0.0.0
tell client option "$FD" device 1
try client call "$FD" 0.0.0.0 "$PORT"
same "by a device" "$(word)" denied

policy 127.0.0.1 proceed_soft reject
tell server listen udp 127.0.0.1 7001
LISTENER=${R[0]}
new udp 127.0.0.1
tell client call "$FD" 127.0.0.1 7001
tell client beside "$FD" 127.0.0.1
tell server recv "$LISTENER"
