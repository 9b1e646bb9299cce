#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Who may see and do what: a user sees flows of his own, root sees all, everybody may ask how the
# daemon is; what changes something is for root.
. "$(dirname "$0")/lib.sh"

# The command where everybody may run it; what the sanitizers need is in it.
chmod 711 "$T"
install -m 755 "$BUILD/flowner" "$T/flowner"

as_other() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; } # COMMAND...

# flowner as the other user
asks() { FLOWNER_SOCKET=$SOCK as_other "$T/flowner" "$@"; } # ARGUMENTS...

delete() { # ID [WRAPPER...] -> HTTP status, and the answer in $T/answer
	local id=$1
	shift
	"$@" curl -sS --max-time 10 -X DELETE -w '%{http_code}' --unix-socket "$SOCK" \
		"http://flowner/v1/flows/$id" -o - | sed 's/}\([0-9]*\)$/}\n\1/' >"$T/answer"
	tail -n 1 "$T/answer"
}

own_netns
start_daemon
same "mode of the socket" "$(stat -c %a "$SOCK")" 666
actor server
actor client
tell server comm roots
tell client comm others
tell client uid 65534
tell server listen tcp 127.0.0.1 8080
listener=${R[2]}
tell client connect tcp 127.0.0.1 8080
opener=${R[2]} port=${R[1]}
tell server accept 3
acceptor=${R[2]}
inode=$(in_netns stat -L -c %i /proc/self/ns/net)

# --- root ---
same "root's list" "$(flowner list -j | jq -r .flowner.flow_id | sort)" \
	"$(printf '%s\n' "$listener" "$opener" "$acceptor" | sort)"

# --- the other user ---
same "a user's list" "$(asks list -j | jq -r .flowner.flow_id)" "$opener"
exits 1 asks list -l
exits 1 asks list --pid "${ACTOR_PID[server]}"
exits 0 asks show "$opener"
refuses 1 "no flow has the id $listener" asks show "$listener"
exits 0 asks who --netns "$inode" "tcp" "127.0.0.1:$port" 127.0.0.1:8080
refuses 1 'nobody owns such a connection' \
	asks who --netns "$inode" tcp 127.0.0.1:8080 "127.0.0.1:$port"
for command in doctor stats metrics; do
	exits 0 asks "$command"
	[[ -s $T/out ]] || fail "$command prints nothing for a user"
done

FLOWNER_SOCKET=$SOCK as_other "$T/flowner" watch -j >"$T/events" &
watcher=$!
watching() { [[ $(flowner stats -j | jq .streams.open) == "$1" ]]; }
eventually 10 watching 1
tell server connect tcp 127.0.0.1 8080
tell client connect tcp 127.0.0.1 8080
own=${R[2]}
seen() { grep -q "$own" "$T/events"; }
eventually 10 seen
same "a user's events" "$(jq -r .process.name "$T/events" | sort -u)" others
terminate "$watcher"

# --- changing ---
same "DELETE by a user" "$(delete "$own" as_other)" 403
same "its sentence" "$(jq -r 'keys | join(" ")' <(head -n 1 "$T/answer"))" error
same "DELETE of another's, by a user" "$(delete "$listener" as_other)" 403
same "DELETE by root" "$(delete "$own")" 204
same "DELETE of what is not there, by root" "$(delete 7ffffffffffffff1)" 404
same "still open" "$(asks list -j | jq -r .flowner.flow_id | grep -c .)" 1

# --- the pinned maps ---
same "maps for the group" \
	"$(stat -c %a "$PINS"/{l7_connections,socket_to_process,processes,meta,netns} |
	sort -u)" 640
same "maps for nobody else" "$(find "$PINS" -maxdepth 1 -type f -perm /077 -printf '%f\n' | sort |
	tr '\n' ' ')" 'l7_connections meta netns processes socket_to_process '
same "their directory" "$(stat -c %a "$PINS")" 750

# --- a socket that may not be reached ---
mkdir -m 700 "$T/closed"
exits 4 env FLOWNER_SOCKET="$T/closed/sock" setpriv --reuid=65534 --clear-groups "$T/flowner" list
matches "what it says" "$(<"$T/err")" "^flowner: cannot connect to '.*': Permission denied$"
