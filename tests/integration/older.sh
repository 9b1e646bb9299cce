#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The path and arguments of a process older than the daemon are read at its next connection: what
# finds its sockets cannot read them, and the daemon cannot either once the process has ended.
. "$(dirname "$0")/lib.sh"

texts() { # PID
	map process_text |
		jq --argjson pid "$1" '[.[] | select(.formatted.key.pid == $pid)] | length'
}

own_netns
actor server
actor client
tell server listen tcp 127.0.0.1 0
port=${R[1]}
tell client connect tcp 127.0.0.1 "$port"
pid=${ACTOR_PID[client]}
start_daemon
same "found by its socket" "$(map processes |
	jq --argjson pid "$pid" '[.[] | select(.formatted.key.pid == $pid)] | length')" 1
same "nobody read another's text" "$(texts "$pid")" 0

tell client connect tcp 127.0.0.1 "$port"
same "its next connection did" "$(texts "$pid")" 1
tell client connect tcp 127.0.0.1 "$port"
same "and no other" "$(texts "$pid")" 1
same "nothing is lost" "$(stat_of processes_full)" 0
