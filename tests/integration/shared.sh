#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Several sockets at one place (SO_REUSEPORT): whichever ends, somebody of those left is shown.
# Entries of l7_connections without a flow, and flows without an entry, are put right by
# reconciliation, and who takes the place of one meanwhile stays.
. "$(dirname "$0")/lib.sh"

declare -A FD_OF=() ID_OF=()

entry_of() { # FLOW_ID: key and value of its entry, a line each, as bpftool takes them; or nothing
	local order=.
	! little_endian || order=reverse
	map l7_connections | jq -r --arg id "$1" 'def bytes: map(ltrimstr("0x")) | join(" ");
		.[] | select((.value[0:8] | '"$order"' | map(ltrimstr("0x")) | join("")) == $id)
		| (.key | bytes), (.value | bytes)'
}

take_entry() { # FLOW_ID: into KEY and VALUE
	mapfile -t ENTRY < <(entry_of "$1")
	((${#ENTRY[@]} == 2)) || fail "no entry of $1"
	read -r -a KEY <<<"${ENTRY[0]}"
	read -r -a VALUE <<<"${ENTRY[1]}"
}

put_entry() {
	bpftool map update pinned "$PINS/l7_connections" key hex "${KEY[@]}" value hex "${VALUE[@]}"
}

delete_entry() { bpftool map delete pinned "$PINS/l7_connections" key hex "${KEY[@]}"; }

has_entry() { [[ $(entry_of "$1") ]]; } # FLOW_ID

has_none() { ! has_entry "$1"; }

owner_at() { # PROTO LOCAL REMOTE: pid, or nothing
	flowner who -j "$@" | jq -r '.process.pid // empty'
}

share() { # PROTO PORT: a, b and c have it
	local name
	for name in a b c; do
		tell "$name" listen "$1" 127.0.0.1 "$2" share
		FD_OF[$name]=${R[0]} ID_OF[$name]=${R[2]}
	done
	has_entry "${ID_OF[c]}" || fail "$1: the newest is not shown"
}

leave() { # NAME
	tell "$1" close "${FD_OF[$1]}"
}

# --- who is left; reconciliation is an hour away ---

own_netns
printf 'reconcile: 1h\n' >"$T/config"
start_daemon --config "$T/config"
for name in a b c client; do actor "$name"; done
share tcp 8080
leave c # the shown one: somebody else is, at once
if has_entry "${ID_OF[a]}"; then first=a second=b; else first=b second=a; fi
has_entry "${ID_OF[$first]}" || fail "nobody of the two left is shown"
leave "$first"
has_entry "${ID_OF[$second]}" || fail "who is left is not shown"
leave "$second"
share udp 5353
leave c
eventually 5 has_entry "${ID_OF[b]}"
leave b
eventually 5 has_entry "${ID_OF[a]}"
leave a
same "entries left" "$(map l7_connections)" '[]'
same "what nobody saw" "$(stat_of index_repaired)" 0
stop_daemon

# --- entries and flows that have lost each other ---

session() { # from port 7000: FD, FLOW_ID
	tell client connect tcp 127.0.0.1 8080 127.0.0.1 7000
	FD=${R[0]} FLOW_ID=${R[2]}
}

counted() { [[ $(stat_of index_repaired) == "$1" ]]; }

ENDS=(tcp 127.0.0.1:7000 127.0.0.1:8080)

printf 'reconcile: 1s\n' >"$T/config"
start_daemon --config "$T/config"
tell a listen tcp 127.0.0.1 8080
session
take_entry "$FLOW_ID"
delete_entry
eventually 10 has_entry "$FLOW_ID"
same "its owner" "$(owner_at "${ENDS[@]}")" "${ACTOR_PID[client]}"
same "counted" "$(stat_of index_repaired)" 1
tell client reset "$FD"
put_entry
eventually 10 has_none "$FLOW_ID"
eventually 10 counted 2

# Whoever has the key of an orphan next stays, while it is swept.
orphan=$FLOW_ID
for ((i = 0; i < 20; i++)); do
	put_entry
	session
	has_entry "$FLOW_ID" || fail "session $i is not shown"
	put_entry # now it has lost its place
	eventually 10 has_entry "$FLOW_ID"
	has_none "$orphan" || fail "the orphan has its place"
	same "its owner" "$(owner_at "${ENDS[@]}")" "${ACTOR_PID[client]}"
	tell client reset "$FD"
	has_none "$FLOW_ID" || fail "session $i is still shown"
done
nothing_lost
