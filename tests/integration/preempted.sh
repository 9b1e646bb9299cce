#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# listen() by threads that preempt each other on one CPU, in the middle of the program that judges,
# too: each is denied, and counted. fmod_ret may be left out by the kernel then; by LSM none gets
# through, and those that fmod_ret did not see are counted, too, and judged when they listen.
# what it sees is the kernel's doing
# timeout: 180
. "$(dirname "$0")/lib.sh"

cat >"$T/policy.yaml" <<-END
	mode: enforce
	rules:
	  - {name: nobody, hooks: [listen], local: {port: 7001}, verdict: reject, allow_async: true}
END

hammered() { # WAY
	local tries through preempted
	in_cgroup nsenter -t "$NETNS" -n "$BUILD/tests/listen_hammer" 7001 3 >"$T/hammer" ||
		fail "listen() failed otherwise"
	read -r tries through preempted <"$T/hammer"
	echo "$1: $tries listen(), $through got through; preempted $preempted times"
	((tries > 1000 && preempted > 100)) || fail "they hardly preempt each other"
	((through < tries)) || fail "none was denied"
	[[ $through == 0 || $1 == fmod_ret/* ]] || fail "not every listen() was denied"
	same "hits by $1" "$(flowner policy show -j | jq '.rules[0].hits')" "$tries"
	exits 0 flowner policy clear
	same "counted as not asked, by $1" "$(stat_of verdict_skipped)" "$through"
}

own_netns
early=''
for without in '' lsm; do
	start_daemon ${without:+--without "$without"}
	exits 0 flowner policy load "$T/policy.yaml"
	way=$(flowner policy show -j |
		jq -r '.ways[] | select(.hook == "listen" and .status == "on").attach')
	if [[ $way == fmod_ret/* || $way == lsm/* ]]; then
		early=1
		hammered "$way"
	fi
	stop_daemon
done
[[ $early ]] || skip "listen() is denied late here"
