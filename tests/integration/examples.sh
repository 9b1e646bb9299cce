#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Each policy of packaging/examples, the very file, loaded: what it allows and what it denies over
# IPv4, IPv6 and both at once. Where a file names programs, they are copies of the actor; it is
# enforced as it says itself, by its mode.
. "$(dirname "$0")/lib.sh"

# a unit is what stands below slices and nothing else
rmdir "$CGROUP"
CGROUP+=.slice
mkdir "$CGROUP"

# Who attempts what, in the mode enforce: what comes of it, and by which rule. `-`: by none.
#  file       who    attempt  protocol address             port  outcome  rule
TABLE='
   listeners  nginx  listen   tcp      0.0.0.0             443   allowed  web
   listeners  nginx  listen   tcp      2001:db8::10        443   allowed  web
   listeners  nginx  listen   tcp      ::                  80    allowed  web
   listeners  sshd   listen   tcp      0.0.0.0             22    allowed  sshd
   listeners  other  listen   tcp      127.0.0.1           8080  allowed  loopback
   listeners  other  listen   tcp      ::1                 8080  allowed  loopback
   listeners  other  listen   tcp      0.0.0.0             8443  denied   nobody-else
   listeners  other  listen   tcp      2001:db8::10        8443  denied   nobody-else
   listeners  other  listen   tcp      ::                  8444  denied   nobody-else
   listeners  nginx  listen   tcp      0.0.0.0             8445  denied   nobody-else
   listeners  sshd   listen   tcp      ::                  8446  denied   nobody-else
   database   shop   connect  tcp      192.0.2.10          5432  allowed  shop-database
   database   shop   connect  tcp      2001:db8::10        5432  allowed  shop-database
   database   shop   connect  tcp      ::ffff:192.0.2.10   5432  allowed  shop-database
   database   shop   connect  udp      127.0.0.53          53    allowed  shop-names
   database   shop   connect  tcp      192.0.2.10          5433  denied   shop-nothing-else
   database   shop   connect  tcp      2001:db8::10        5433  denied   shop-nothing-else
   database   shop   connect  tcp      ::ffff:192.0.2.10   5433  denied   shop-nothing-else
   database   shop   connect  udp      192.0.2.10          5432  denied   shop-nothing-else
   database   shop   connect  udp      2001:db8::10        5432  denied   shop-nothing-else
   database   other  connect  tcp      192.0.2.10          5433  allowed  -
   audit      other  listen   tcp      192.0.2.10          7001  reported a-listener
   audit      other  listen   tcp      2001:db8::10        7001  reported a-listener
   audit      other  listen   tcp      ::                  7002  reported a-listener
   audit      other  connect  tcp      192.0.2.10          5432  reported a-connection-out
   audit      other  connect  tcp      2001:db8::10        5432  reported a-connection-out
   audit      other  connect  tcp      ::ffff:192.0.2.10   5432  reported a-connection-out
   audit      other  connect  tcp      192.0.2.10          5432  reported a-session-in
   audit      other  connect  tcp      2001:db8::10        5432  reported a-session-in
   audit      other  connect  tcp      ::ffff:192.0.2.10   5432  reported a-session-in
   audit      other  connect  udp      127.0.0.53          53    allowed  known-resolver
   audit      other  connect  tcp      127.0.0.1           5432  allowed  -
   audit      other  connect  tcp      ::1                 5432  allowed  -
   audit      other  connect  tcp      ::ffff:127.0.0.1    5432  allowed  -
'

# --- what there is: addresses, and programs of these names ---

program() { # NAME
	cp "$BUILD/tests/actor" "$T/$1"
	start_told "$1" "$T/$1"
}

scene() {
	own_netns
	in_netns ip addr add 192.0.2.10/32 dev lo
	in_netns ip addr add 2001:db8::10/128 dev lo nodad
	program nginx
	program sshd
	actor other
	mkdir "$CGROUP/shop.service"
	CGROUP=$CGROUP/shop.service actor shop
	actor database
	for port in 5432 5433; do tell database listen tcp :: "$port"; done
}

load() { # EXAMPLE
	sed "s|/usr/sbin/|$T/|" "$TREE/packaging/examples/policy-$1.yaml" >"$T/$1.yaml"
	[[ $1 == audit ]] || sed -i 's/^mode: audit$/mode: enforce/' "$T/$1.yaml"
	exits 0 flowner policy load "$T/$1.yaml"
	same "what of $1 is not there" "$(flowner policy show -j | jq -c .unresolved)" '[]'
}

# --- an attempt ---

attempt() { # WHO ATTEMPT PROTOCOL ADDRESS PORT: IT is `ok`, or the error
	try "$1" "$2" "$3" "$4" "$5"
	if [[ $2 == listen && ${R[0]} == ok && $LATE == true && $OUTCOME == denied ]]; then
		try "$1" accept "${R[1]}" # undone
	fi
	IT=${R[0]}
	[[ $IT == ok ]] || IT=${R[*]:1}
}

hits() { # RULE
	flowner policy show -j | jq --arg name "$1" '.rules[] | select(.name == $name).hits'
}

late() {
	flowner policy show -j |
		jq 'any(.ways[]; .hook == "listen" and .status == "on" and .late)'
}

# An event of it, by this process, with this at one end.
reported() { # RULE PID PORT ENFORCED
	jq -se --arg rule "$1" --argjson pid "$2" --argjson port "$3" --argjson enforced "$4" '
		any(.[]; .event.action == "verdict" and .rule.name == $rule and
			.process.pid == $pid and .flowner.verdict == "reject" and
			.flowner.enforced == $enforced and
			($port == .flowner.local.port or $port == .flowner.remote.port))' \
		"$T/events" >"$T/reported"
}

row() { # FILE WHO ATTEMPT PROTOCOL ADDRESS PORT OUTCOME RULE
	local what="$1: $3 of $4 to $5 port $6 by $2" before=0 who=$2
	OUTCOME=$7
	[[ $8 == - ]] || before=$(hits "$8")
	attempt "${@:2:5}"
	if [[ $7 != denied ]]; then
		same "$what" "$IT" ok
	elif [[ $3 == listen && $LATE == true ]]; then
		same "$what" "$IT" 'Invalid argument'
	else
		matches "$what" "$IT" '^(Permission denied|Operation not permitted)$'
	fi
	[[ $8 == - ]] || same "$what: hits of $8" "$(hits "$8")" $((before + 1))
	[[ $8 != a-session-in ]] || who=database
	case $7 in
	denied) eventually 10 reported "$8" "${ACTOR_PID[$who]}" "$6" true ;;
	reported) eventually 10 reported "$8" "${ACTOR_PID[$who]}" "$6" false ;;
	esac
}

watched() { (($(flowner stats -j | jq .streams.open) > 0)); }

main() {
	local file=''
	same "the examples" "$(awk 'NF { print "policy-" $1 ".yaml" }' <<<"$TABLE" | sort -u)" \
		"$(cd "$TREE/packaging/examples" && ls policy-*.yaml)"
	start_daemon
	scene
	FLOWNER_SOCKET=$SOCK "$BUILD/flowner" watch -j >"$T/events" 2>"$T/watch.err" &
	WATCH=$!
	eventually 10 watched
	while read -r -a words; do
		((${#words[@]})) || continue
		[[ $file == "${words[0]}" ]] || { file=${words[0]}; load "$file"; LATE=$(late); }
		row "${words[@]}"
	done <<<"$TABLE"
	terminate "$WATCH"
	nothing_lost
}
main
