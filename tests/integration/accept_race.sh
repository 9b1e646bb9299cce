#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# accept() of an MPTCP connection does not wait for its path, which may not have been told of as
# established: who accepted it and handed it over untouched has it nevertheless.
# timeout: 120
# what it sees is the kernel's doing
. "$(dirname "$0")/lib.sh"

ROUNDS=${ROUNDS:-5}

owner_of() { # PORT: of what is accepted there
	flowner list -j --lport "$1" | jq 'select(.flowner.role == "acceptor") | .process.pid'
}

slow() { # MICROSECONDS: for who is attached to the cgroup later
	mkfifo "$T/slow.to" "$T/slow.from"
	start_piped slow "$BUILD/tests/slow_tcp" established "$CGROUP" "$1"
	exec {slow_to}>"$T/slow.to" {slow_from}<"$T/slow.from"
	read -r -t $((30 * TEST_SLOW)) answer <&"$slow_from" || fail "slow_tcp does not begin"
	same "slow_tcp" "$answer" ok
}

handed_over() { # ADDRESS
	local port passed
	tell server listen mptcp "$1" 0
	port=${R[1]}
	echo "snatch ${R[0]}" >&"${ACTOR_TO[server]}"
	tell client connect mptcp "$1" "$port"
	read -r -t $((30 * TEST_SLOW)) -a R <&"${ACTOR_FROM[server]}" || fail "nothing is accepted"
	same "accept()" "${R[0]}" ok
	tell server give "${R[1]}" "$T/inbox"
	tell heir get "$inbox"
	passed=${R[0]}
	tell heir send "$passed"
	same "who accepted at $1" "$(owner_of "$port")" "${ACTOR_PID[server]}"
}

own_netns
actor server
actor heir
actor client
try server socket mptcp 4
[[ ${R[0]} == ok ]] || skip "no MPTCP in this kernel"
tell heir inbox "$T/inbox"
inbox=${R[0]}
slow 5000
start_daemon
for ((round = 0; round < ROUNDS; round++)); do
	handed_over 127.0.0.1
	handed_over ::1
done
echo >&"$slow_to"
read -r -t $((30 * TEST_SLOW)) number <&"$slow_from" || fail "slow_tcp does not end"
same "slow to be told of" "$number" $((2 * ROUNDS))
nothing_lost
