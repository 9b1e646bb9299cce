#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# CONNECT_AUTHORIZATION of a SYN that goes elsewhere than connect() said, because it was translated:
# it is judged anew as it leaves, as the process that called connect(), in each life of the socket.
# modules: nft_chain_nat nft_nat
. "$(dirname "$0")/lib.sh"

policy() { # TERM: of another process than any here
	cat <<-END >"$T/policy.yaml"
		mode: enforce
		rules:
		  - name: another
		    hooks: [connect_authorization]
		    $1
		    verdict: reject
	END
	exits 0 flowner policy load "$T/policy.yaml"
}

new() { # FD
	tell client socket tcp 4
	FD=${R[0]}
}

command -v nft >/dev/null || skip "needs nft (package nftables)"
start_daemon
own_netns
in_netns nft -f - 2>"$T/err" <<-'RULES' || skip "no NAT in this kernel"
	table ip own {
		chain out {
			type nat hook output priority -100
			ip daddr 198.51.100.7 tcp dport 7 dnat to 127.0.0.1:7007
		}
	}
RULES
in_netns ip route add 198.51.100.0/24 dev lo
in_netns sysctl -qw net.ipv4.tcp_syn_retries=1
actor server
actor client
tell server listen tcp 127.0.0.1 7007

policy 'exe: /nowhere/at/all'
new
tell client call "$FD" 198.51.100.7 7
new
try client call "$FD" 127.0.0.1 7008
same "connect() to where nobody is" "${R[*]}" 'error Connection refused'
tell client call "$FD" 198.51.100.7 7

policy 'parent: /nowhere/at/all'
new
tell client call "$FD" 198.51.100.7 7
same "what was not known" "$(stat_of verdict_unknown)" 0
nothing_lost
