#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Ten thousand rules are loaded, how long it takes is told, and the last of them is as good as the
# first. One rule more than there may be is refused by its line, and so are rules whose values are
# named by more sets of rules than there may be: what was in force stays.
# timeout: 300
. "$(dirname "$0")/lib.sh"

# libcyaml has realloc() make room for each rule, and AddressSanitizer copies all rules each time
[[ $BUILD != */san ]] || skip 'reading so many rules takes minutes in a sanitized build'

many() { # RULES: of which the last two are about 7001 and 7002
	awk -v rules="$1" 'BEGIN {
		print "mode: enforce\nrules:"
		for (i = 0; i < rules - 2; i++)
			printf "- {name: r%d, hooks: [connect], uid: %d, remote: " \
			       "{addr: 10.%d.%d.0/24, port: %d}, verdict: reject}\n",
			       i, i % 300, i / 256 % 256, i % 256, 10000 + i
		rest = "hooks: [connect], remote: {port: "
		print "- {name: but, " rest "7002}, verdict: allow}"
		print "- {name: last, " rest "7001-7002}, verdict: reject}"
	}'
}

# Each of them has a value of its own in four ways, and by each way another rule is among those that
# do not mind.
too_different() {
	awk 'BEGIN {
		print "rules:"
		head = "hooks: [recv_accept], verdict: reject"
		printf "- {name: a, %s, uid: 1}\n- {name: b, %s, local: {port: 1}}\n", head, head
		printf "- {name: c, %s, remote: {port: 1}}\n", head
		printf "- {name: d, %s, remote: {addr: 10.255.0.0/16}}\n", head
		for (i = 0; i < 10000; i++)
			printf "- {name: r%d, %s, uid: %d, local: {port: %d}, " \
			       "remote: {addr: 10.%d.%d.0/24, port: %d}}\n",
			       i, head, 10 + i, 10 + i, i / 256, i % 256, 10 + i
	}'
}

milliseconds() { # COMMAND...
	local start=${EPOCHREALTIME/[.,]/}
	exits 0 "$@"
	echo $(((${EPOCHREALTIME/[.,]/} - start) / 1000))
}

in_force() { flowner policy show -j | jq -r '.rules | "\(length) \(last.name)"'; }

judged() { # PORT REGEX
	try client connect tcp 127.0.0.1 "$1"
	matches "connect to $1" "${R[*]}" "$2"
}

descriptors() { awk '/^Max open files/ { print $4 }' "/proc/$DAEMON/limits"; } # it may have

soft=$(ulimit -Sn)
ulimit -Sn 256 # two for each executable would not do
start_daemon
ulimit -Sn "$soft"
same "descriptors" "$(descriptors)" "$(ulimit -Hn)"
own_netns
actor server
actor client
tell server listen tcp 127.0.0.1 7001
tell server listen tcp 127.0.0.1 7002
many 10000 >"$T/many.yaml"
many 10241 >"$T/more.yaml"
too_different >"$T/different.yaml"

check_ms=$(milliseconds flowner policy check "$T/many.yaml")
load_ms=$(milliseconds flowner policy load "$T/many.yaml")
again_ms=$(milliseconds flowner policy load "$T/many.yaml")
echo "10000 rules: check $check_ms ms, load $load_ms ms, again $again_ms ms"
judged 7001 '^error (Permission denied|Operation not permitted)$'
judged 7002 '^ok '
same "what is in force" "$(in_force)" '10000 last'

refuses 1 'more\.yaml:10243:3: more than 10240 rules' flowner policy check "$T/more.yaml"
exits 0 flowner policy check "$T/different.yaml" # only who knows the machine can tell
refuses 4 'named by too many different sets of rules' flowner policy load "$T/different.yaml"
judged 7001 '^error (Permission denied|Operation not permitted)$'
same "what is in force after a refusal" "$(in_force)" '10000 last'
exits 0 flowner policy clear
judged 7001 '^ok '
nothing_lost
