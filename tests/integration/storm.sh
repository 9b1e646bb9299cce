#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A storm of STORM sessions (default 100000): TCP of short-lived processes, TCP of few busy ones,
# and UDP. Nothing wrong, nothing missing, nothing lost; afterwards the maps hold exactly the
# sockets the kernel has and the processes that own them, and every opened flow is accounted for.
# timeout: 400
# what it sees is the kernel's doing
. "$(dirname "$0")/lib.sh"

STORM=${STORM:-100000}

accounted() { # of what was opened: what ended, in whichever way, and what is in the map
	local opened ended entries
	opened=$(stat_of opened)
	ended=$(($(stat_of ended) + $(stat_of end_reconciled) + $(stat_of udp_idle)))
	entries=$(map socket_to_process | jq length)
	same "opened - ended - reconciled - idle" "$((opened - ended))" "$entries"
}

settled() { # the storm's last sockets are closed: three are the server's, one is the client's
	[[ $(cookies | wc -l) == 4 ]]
}

dead_images() { # records of process images that are no process any more
	local pid
	for pid in $(map processes | jq '.[].formatted.key.pid'); do
		[[ -e /proc/$pid ]] || echo "$pid"
	done
}

# How often the kernel left out a run of a program that its processor was in already: preempted
# there, or interrupted. None of cgroup programs.
left_out() {
	bpftool prog list -j | jq --argjson ours "$programs" '
		map(select(.id as $id | $ours | index($id)).recursion_misses // 0) | add'
}

# Each run that was left out may have been the exit of a process, for the sweep to find.
images_alive() { (($(dead_images | wc -l) <= $(left_out))); }

# nothing is put right by the sweep: the programs alone leave the maps as they are found
printf 'recent: {flows: 1000000}\nlimits: {flows: 1000000}\nreconcile: 1h\n' >"$T/config"
start_daemon --config "$T/config"
programs=$(objects_of_pins | awk '$1 == "prog" { print $2 }' | jq -sc .)
own_netns
actor server
actor client
tell server listen tcp 127.0.0.1 0
port=${R[1]}
tell client connect tcp 127.0.0.1 "$port"
tell server listen udp ::1 0

# some more than asked for: of UDP clients that got the port of another, the server sees one peer
in_cgroup nsenter -t "$NETNS" -n \
	"$BUILD/truth/truth" --only 'storm*,churn' --storm "$((STORM + STORM / 20 + 500))" \
	-o "$T/truth"
sessions=$(grep -c '"owner"' "$T/truth")
((sessions >= STORM)) || fail "only $sessions sessions were made"

flowner list -a -j >"$T/report"
"$BUILD/truth/score" "$T/truth" "$T/report" --tier lowest >"$T/score" || fail "$(<"$T/score")"
tail -n 5 "$T/score"
nothing_lost

counted() { [[ $(stat_of runs_skipped) == "$(left_out)" ]]; }
eventually 10 counted

eventually 30 settled
same "entries of socket_to_process" "$(ids)" "$(cookies)"
same "entries of l7_connections" "$(map l7_connections | jq length)" 4
accounted
eventually 40 images_alive
dead=$(dead_images | wc -l)
same "processes" "$(map processes | jq length)" $((2 + dead))
same "process_text" "$(map process_text | jq length)" $((2 + dead))
same "what stats says" "$(flowner stats -j | jq -c '.maps | map_values(.entries) |
	[.l7_connections, .socket_to_process, .processes, .process_text]')" \
	"[4,4,$((2 + dead)),$((2 + dead))]"

if ((dead > 0)); then
	echo "of $(left_out) runs that the kernel left out, $dead were exits: swept?"
	kill_daemon
	sed -i 's/^reconcile: .*/reconcile: 1s/' "$T/config"
	start_daemon --config "$T/config"
	swept() { [[ -z $(dead_images) ]]; }
	eventually 40 swept
fi
