#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What a rule asks for and nobody knows is counted, once for each attempt, at the hooks of that rule
# only; and taken for what restricts more.
. "$(dirname "$0")/lib.sh"

policy() { # MODE: server's executable is not another one; somebody else's port at another hook
	cat <<-END >"$T/policy.yaml"
		mode: $1
		rules:
		  - name: another-executable
		    hooks: [recv_accept]
		    proto: tcp
		    exe: /nowhere/at/all
		    verdict: reject
		  - name: elsewhere
		    hooks: [connect]
		    remote: {port: 7999}
		    verdict: reject
	END
	exits 0 flowner policy load "$T/policy.yaml"
}

connects() { # TIMES
	for ((i = 0; i < $1; i++)); do tell client connect tcp 127.0.0.1 7001; done
}

forget_processes() { # of which the record is what tells the executable
	map processes | jq -r '.[].key | join(" ")' >"$T/keys"
	while read -r key; do
		# shellcheck disable=SC2086 # bytes
		bpftool map delete pinned "$PINS/processes" key hex ${key//0x/}
	done <"$T/keys"
}

start_daemon
own_netns
actor server
actor client
tell server listen tcp 127.0.0.1 7001
policy audit
connects 3
tell client listen tcp 127.0.0.1 7002 # no rule asks for anything here
same "while all is known" "$(stat_of verdict_unknown)" 0
forget_processes
connects 3
same "of a listener nobody knows the executable of" "$(stat_of verdict_unknown)" 3
matches "what /metrics says of it" "$(api /metrics)" 'flowner_verdicts_unknown_total 3'
matches "what doctor says of it" "$(flowner doctor)" 'verdict_unknown is 3: '
