#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What the daemon and its helper may still do once all is loaded, and that nothing is lost by it:
# owners of other users and sockets of other network namespaces, also those made later; without the
# helper, the own namespace and a word from doctor.
. "$(dirname "$0")/lib.sh"

NET_ADMIN=12 SYS_PTRACE=19 SYS_ADMIN=21 DAC_READ_SEARCH=2 PERFMON=38 BPF=39

mask() { # NUMBER...: as /proc writes it
	local bits=0 n
	for n; do bits=$((bits | 1 << n)); done
	printf '%016x\n' "$bits"
}

status() { awk -v name="$2:" '$1 == name { print $2 }' "/proc/$1/status"; } # PID FIELD

find_helper() { # of the daemon
	helper=$(helper_of "$DAEMON")
	[[ $helper ]] || fail "there is no helper"
}

helper_of() { # PID of a daemon
	local pid
	for pid in $(<"/proc/$1/task/$1/children"); do
		[[ $(<"/proc/$pid/comm") != flownerd-netns ]] || echo "$pid"
	done
}

notes() { flowner doctor -j | jq -r '.notes[]'; }

older() { # ID: known, as older than the daemon, with its owner
	flowner show -j "$1" | jq -r '"\(.flowner.role) \(.process.name) \(.process.executable)"'
}

own_netns
actor server
tell server comm stranger
tell server uid 65534
tell server listen tcp 127.0.0.1 8080
listener=${R[2]}

start_daemon
kept=$(mask $NET_ADMIN $SYS_PTRACE $DAC_READ_SEARCH $PERFMON $BPF)
if notes | grep '^capabilities: all are kept'; then
	[[ $(uname -r) == 5.* ]] || fail "this kernel could do without"
else
	same "effective" "$(status "$DAEMON" CapEff)" "$kept"
	same "permitted" "$(status "$DAEMON" CapPrm)" "$kept"
	same "inheritable" "$(status "$DAEMON" CapInh)" "$(mask)"
	same "no_new_privs" "$(status "$DAEMON" NoNewPrivs)" 1
fi
find_helper
same "the helper's" "$(status "$helper" CapEff)" "$(mask $NET_ADMIN $SYS_ADMIN)"
same "the helper's, permitted" "$(status "$helper" CapPrm)" "$(mask $NET_ADMIN $SYS_ADMIN)"
same "the helper's filter" "$(status "$helper" Seccomp)" 2
same "what the helper has open" "$(cd "/proc/$helper/fd" && echo *)" '0 1'
same "a socket older than the daemon" "$(older "$listener")" \
	"listener stranger $(realpath "$BUILD/tests/actor")"

# --- another namespace, made after the drop; and what reconciliation finds there ---
NETNS='' actor later unshare -n
NETNS=${ACTOR_PID[later]}
in_netns ip link set lo up
tell later listen tcp 127.0.0.1 8081
exits 0 flowner abort "${R[2]}"
same "its namespace is left" "$(readlink "/proc/$helper/ns/net")" \
	"$(readlink "/proc/$DAEMON/ns/net")"
tell later listen tcp 127.0.0.1 8082
last=${R[2]}

# --- the helper dies ---
kill -KILL "$helper"
refuses 4 "cannot enter the network namespace" flowner abort "$last"
notes >"$T/notes"
matches "doctor" "$(<"$T/notes")" "network namespaces: sockets of others.*; restart flownerd"
exits 0 flowner show "$last"
stop_daemon

# --- a daemon that never had one; some kernels load none of our programs for it ---
setpriv --bounding-set -sys_admin "$BUILD/flownerd" --socket "$SOCK" --pin-dir "$PINS" \
	--cgroup "$CGROUP" 2>"$T/refusal" &
DAEMON=$!
answers_or_gone() { answers || gone "$DAEMON"; }
eventually 30 answers_or_gone
if gone "$DAEMON"; then
	status=0
	wait "$DAEMON" || status=$?
	same "status of a refusal: $(<"$T/refusal")" "$status" 4
	matches "its line" "$(<"$T/refusal")" '^flownerd: .*not permitted'
	echo "without CAP_SYS_ADMIN: $(<"$T/refusal")"
else
	DAEMONS+=("$DAEMON")
	same "a helper that may not help" "$(helper_of "$DAEMON")" ''
	notes >"$T/notes"
	matches "doctor, without CAP_SYS_ADMIN" "$(<"$T/notes")" \
		'network namespaces: .*not permitted\): CAP_SYS_ADMIN was not there at the start'
	stop_daemon
fi

# --- killed: the helper goes with it ---
start_daemon
find_helper
kill_daemon
eventually 10 gone "$helper"
start_daemon
find_helper
stop_daemon
gone "$helper" || fail "the helper outlives the daemon"
