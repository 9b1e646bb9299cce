#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# listen() by threads that preempt each other on one CPU, in the middle of the program that judges,
# too: each is denied, and counted. fmod_ret may be left out by the kernel then; by LSM none gets
# through, and of those that fmod_ret did not see each is counted, too.
# what it sees is the kernel's doing
. "$(dirname "$0")/lib.sh"

cat >"$T/policy.yaml" <<-END
	mode: enforce
	rules:
	  - {name: nobody, hooks: [listen], local: {port: 7001}, verdict: reject, allow_async: true}
END
start_daemon
own_netns
exits 0 flowner policy load "$T/policy.yaml"
way=$(flowner policy show -j |
	jq -r '.ways[] | select(.hook == "listen" and .status == "on").attach')
[[ $way == fmod_ret/* || $way == lsm/* ]] || skip "listen() is denied late here"
in_cgroup nsenter -t "$NETNS" -n "$BUILD/tests/listen_hammer" 7001 3 >"$T/hammer" ||
	fail "listen() failed otherwise"
read -r tries through <"$T/hammer"
echo "$way: $tries listen(), $through got through"
((tries > 1000)) || fail "that is too few to preempt each other"
[[ $through == 0 || $way == fmod_ret/* ]] || fail "not every listen() was denied"
same "hits" "$(flowner policy show -j | jq '.rules[0].hits')" $((tries - through))
exits 0 flowner policy clear
same "counted as not asked" "$(stat_of verdict_skipped)" "$through"
