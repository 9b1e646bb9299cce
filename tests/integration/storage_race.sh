#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What is kept of a socket is made by the walk over all sockets and by the hooks, on two CPUs at
# once: the kernel refuses one of them, which is not to lose anything by it. The walk meets a hook
# once in thousands of starts, so another does here what it does.
. "$(dirname "$0")/lib.sh"

ROUNDS=4000

storage() { # NAME: its id, of this daemon
	local ids
	ids=$(awk '$1 == "map_id:" { print $2 }' "/proc/$DAEMON"/fdinfo/* | jq -s .)
	bpftool map list -j | jq --arg name "$1" --argjson ids "$ids" '.[] |
		select(.name == $name and (.id | IN($ids[]))).id'
}

start_daemon
own_netns
cat >"$T/policy.yaml" <<-END
	mode: enforce
	rules:
	  - {name: test, hooks: [connect], proto: udp, remote: {port: 53},
	     verdict: redirect, to: "127.0.0.1:5353"}
END
exits 0 flowner policy load "$T/policy.yaml"
id=$(storage redirected_sock)
got=$(in_cgroup nsenter -t "$NETNS" -n "$BUILD/tests/storage_race" 127.0.0.9 53 "$ROUNDS" "$id")
read -r sent out late <<<"$got"
same "datagrams that were let out" "$out" "$sent"
same "redirected" "$(flowner policy show -j | jq '.rules[].hits')" "$sent"
echo "of $sent the hook was first in $late"
