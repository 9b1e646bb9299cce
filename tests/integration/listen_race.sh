#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Another thread binds a socket while listen() waits with it, judged already as one that has no port
# yet: what listens at last, where it may not, is ended. So is what the kernel gave such a port to.
# What is judged when it is bound already is denied, and counted, too.
# what it sees is the kernel's doing
. "$(dirname "$0")/lib.sh"

PORT=7001 EINVAL=22

# By every way to judge listen() that there is.
own_netns
for without in '' lsm lsm,fmod_ret; do
	start_daemon ${without:+--without "$without"}
	cat <<-END >"$T/policy.yaml"
		mode: enforce
		rules:
		  - name: nobody
		    hooks: [listen]
		    local: {port: $PORT}
		    verdict: reject
		    allow_async: true
		  - name: chosen
		    hooks: [listen]
		    local: {port: 40000-40009}
		    verdict: reject
		    allow_async: true
	END
	exits 0 flowner policy load "$T/policy.yaml"
	status=0
	got=$(in_cgroup nsenter -t "$NETNS" -n "$BUILD/tests/listen_race" "$PORT") || status=$?
	((status != 77)) || skip "no userfaultfd here"
	read -r denied ended <<<"$got"
	read -ra listened <<<"$ended"
	way=$(flowner policy show -j |
		jq -r '.ways[] | select(.hook == "listen" and .status == "on").attach')
	# LSM may come too late for all: TOMOYO asks for the name first, and waits for the lock
	if [[ $way == lsm/* && ! $ended ]]; then
		((denied)) || fail "nobody was denied, by $way"
	else
		same "accept() where another thread has bound, by $way" \
			"$ended" "$EINVAL $EINVAL $EINVAL"
	fi
	same "hits by $way" "$(flowner policy show -j | jq -c '[.rules[].hits]')" \
		"[$((denied + ${#listened[@]})),0]"
	echo "$way: $denied denied, ${#listened[@]} ended"

	in_netns sysctl -qw net.ipv4.ip_local_port_range='40000 40009'
	actor one
	tell one socket tcp 4
	FD=${R[0]}
	tell one begin "$FD"
	try one accept "$FD"
	same "accept() at a port that the kernel chose, without '$without'" "${R[*]}" \
		'error Invalid argument'
	dismiss one
	in_netns sysctl -qw net.ipv4.ip_local_port_range='32768 60999'
	exits 0 flowner policy clear
	stop_daemon
done
