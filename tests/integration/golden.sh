#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What bpftool shows of the pinned maps reads well: ports as numbers, names of enums, comm. Values
# that differ from run to run are named, the rest is as in golden.txt. GOLDEN=update writes it.
. "$(dirname "$0")/lib.sh"
GOLDEN_FILE=$TREE/tests/integration/golden.txt

own_netns
start_daemon
actor server
actor client
tell server comm golden-server
tell client comm golden-client
tell server listen tcp 127.0.0.1 8080
listener=${R[2]}
tell client connect tcp 127.0.0.1 8080 127.0.0.2 40000
opener=${R[2]}
tell server accept 3
acceptor=${R[2]}
tell server listen udp ::1 5353
udp=${R[2]}

# Numbers of this run become names; the rest of an element is left as it is.
normalize() { # MAP JQ-FILTER: the elements by flow id, as bpftool's formatted part
	map "$1" | jq --arg listener "$((16#$listener))" --arg opener "$((16#$opener))" \
		--arg acceptor "$((16#$acceptor))" --arg udp "$((16#$udp))" \
		--arg server "${ACTOR_PID[server]}" --arg client "${ACTOR_PID[client]}" "
		def id: {(\$listener): \"LISTENER\", (\$opener): \"OPENER\",
			(\$acceptor): \"ACCEPTOR\", (\$udp): \"UDP\"}[tostring] // .;
		def pid: {(\$server): \"SERVER\", (\$client): \"CLIENT\"}[tostring] // .;
		def some(\$name): if . > 0 then \$name else . end;
		def owner: .proc.pid |= pid | .proc.start_ns |= some(\"TIME\") |
			.proc.exec_id |= some(\"EXEC\");
		def key: (.local, .remote).b |= (map(tostring) | join(\" \")) |
			.netns_cookie |= some(\"NETNS\");
		[.[].formatted | $2] | sort_by(.order) | map(del(.order)) | $SORTED"
}

dumps() {
	echo "l7_connections"
	normalize l7_connections '.key |= key | .value.flow_id |= id | .order = .value.flow_id |
		.value.owner |= owner | .value.opened_ns |= some("TIME") |
		.value.check |= some("CHECK")'
	echo "socket_to_process"
	normalize socket_to_process '.key |= id | .order = .key | .value.key |= key |
		.value.cookie |= id | .value.active_ns |= some("TIME") |
		.value.owner |= owner | .value.opened_ns |= some("TIME") |
		.value.check |= some("CHECK")'
}

dumps >"$T/dumps"
[[ ${GOLDEN:-} != update ]] || cp "$T/dumps" "$GOLDEN_FILE"
diff -u "$GOLDEN_FILE" "$T/dumps" || fail "the dumps are not what they were"

# and the plain form, the one for people, has the same words
plain=$(bpftool map dump pinned "$PINS/l7_connections")
for word in '"local_port": 8080' '"remote_port": 40000' '"proto": "FL_TCP"' \
	'"role": "FL_ROLE_OPENER"' '"state": "FL_STATE_ESTABLISHED"' '"comm": "golden-client"'; do
	[[ $plain == *"$word"* ]] || fail "no $word in the dump:
$plain"
done
