#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Who listens at all addresses is not where a redirect to another machine leads: its connections are
# redirected as everybody's are. It is where a redirect to an address of every namespace leads.
# timeout: 120
. "$(dirname "$0")/lib.sh"

ELSEWHERE=10.99.0.1 # nobody's here, and there is no way to it

policy() { # ADDR
	cat >"$T/policy.yaml" <<-END
		mode: enforce
		rules:
		  - {name: test, hooks: [connect], proto: tcp, remote: {addr: 127.0.0.9, port: 80},
		     verdict: redirect, to: "$1:3129"}
	END
	exits 0 flowner policy load "$T/policy.yaml"
}

call() { # ACTOR: what it is told when it calls the origin
	local fd
	tell "$1" socket tcp 4
	fd=${R[0]}
	try "$1" call "$fd" 127.0.0.9 80
	echo "${R[*]}"
}

start_daemon
own_netns
actor origin
actor sly
tell origin listen tcp 127.0.0.9 80
tell sly listen tcp 0.0.0.0 3129
policy 127.0.0.1
matches "who is where it leads" "$(call sly)" '^ok'
policy "$ELSEWHERE"
same "who is not, IPv4" "$(call sly)" 'error Network is unreachable'
same "anybody" "$(call origin)" 'error Network is unreachable'
# with the address in this namespace, and a way to it: the one that listens at all has it now
in_netns ip addr add "$ELSEWHERE/32" dev lo
matches "where it leads now" "$(call origin)" '^ok'
