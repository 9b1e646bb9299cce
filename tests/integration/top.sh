#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# `flowner top` on a terminal of tmux: keys are typed, the screen is read. Groups, rates, order,
# filter, pause, one flow and its end, sizes, a daemon that goes and comes, every way out; with what
# the image for containers has of terminals. Then that the lines of `list` and `watch` fit the
# terminal, and names of services.
# timeout: 240
. "$(dirname "$0")/lib.sh"

command -v tmux >/dev/null || skip "needs tmux"

# --- a terminal ---

terminal() { LC_ALL=C.UTF-8 tmux -u -S "$T/tmux" -f /dev/null "$@"; }

end() { # of the server, which nobody else has, then as every test
	local status=$?
	set +e
	terminal kill-server 2>/dev/null
	(exit "$status")
	cleanup
}
trap end EXIT

screen() { query 0 terminal capture-pane -p -t top; }

# A command on a terminal of 80x24; when it has ended that shows its status and how it left the
# terminal. ALTERNATE is where top draws: afterwards there is what was there before.
on_terminal() { # COMMAND...
	cat >"$T/run" <<-'EOF'
		echo before
		"$@"
		echo "status $?, $(stty -a | grep -oE -- '-?\<(icanon|echo|isig)\>' | xargs)"
		exec cat
	EOF
	terminal kill-session -t top 2>/dev/null || true
	terminal new -d -s top -x 80 -y 24 env FLOWNER_SOCKET="$SOCK" bash "$T/run" "$@"
}

top() { on_terminal "$T/flowner" top "$@"; } # OPTIONS...

type_keys() { terminal send-keys -t top "$@"; }
type_text() { terminal send-keys -t top -l -- "$1"; }

shows() { screen | grep -qE -- "$1"; }
sees() { # REGEX: of a line, sooner or later
	soon 15 shows "$1" || fail "no '$1' on the screen:"$'\n'"$(screen)"
}

hides() { ! shows "$1"; }
sees_no_more() { # REGEX
	soon 15 hides "$1" || fail "'$1' is on the screen:"$'\n'"$(screen)"
}

ended_well() { sees '^status 0, isig icanon echo$'; shows '^before$' || fail "$(screen)"; }

column() { screen | awk -v n="$1" 'NR > 3 && $1 ~ /^[0-9]/ { print $n }' | xargs; } # NUMBER

session() { # opens one, of the listener LISTENER at 8080; CLIENT, SERVER, OPENER, ACCEPTOR
	tell client connect tcp 127.0.0.1 8080 127.0.0.2 "${1:-0}"
	CLIENT=${R[0]} OPENER=${R[2]} PORT=${R[1]}
	tell server accept "$LISTENER"
	SERVER=${R[0]}
}

# --- the stage ---

cp "$BUILD/flowner" "$T/flowner"
chmod 711 "$T"
terminal new -d -s keeper cat # the server stays while sessions come and go
on_terminal "$T/flowner" top
sees "flowner: no daemon at '$SOCK': start it with"
sees '^status 3,'

own_netns
start_daemon
actor server
actor client
client_pid=${ACTOR_PID[client]} server_pid=${ACTOR_PID[server]}
tell server comm top-server
tell client comm top-client
tell client uid 65534
tell server listen tcp 127.0.0.1 8080
LISTENER=${R[0]}
session 41000
opener=$OPENER fd=$CLIENT server_fd=$SERVER

# --- groups ---

top -d 3600
sees "^ *$server_pid +root +2 .* top-server$"
sees "^ *$client_pid +nobody +1 .* top-client$"
sees '^flowner top by process: 3 flows'
type_keys u
sees '^nobody +1 '
sees '^root +2 '
type_keys r
sees '^127\.0\.0\.1 +1 '
sees '^127\.0\.0\.2 +1 '
sees '^\* +1 ' # the listener
type_keys f
sees "^tcp +127\.0\.0\.2:41000 +127\.0\.0\.1:8080 +$client_pid "
sees "^tcp +127\.0\.0\.1:8080 +127\.0\.0\.2:41000 +$server_pid "
type_keys Tab
sees '^flowner top by process'

# --- rates: what went through meanwhile, also through one that is gone ---

sees '^flowner top .* opened/s' # the second look was, and the next is in an hour
type_keys Space
sees 'PAUSED$'
tell client send "$fd" 50000
tell server drain "$server_fd" 50000
session
tell client close "$CLIENT"
tell server close "$SERVER"
type_keys Space
rate='[0-9.]+[kM]?'
sees "^ *$client_pid nobody +1 +(0\.[1-9]|[1-9]$rate) +[1-9]$rate +0 +$rate +$rate +top-client$"
sees "^ *$server_pid root +2 +(0\.[1-9]|[1-9]$rate) +0 +[1-9]$rate +$rate +$rate +top-server$"
sees "^flowner top by process: 3 flows, $rate opened/s, sent [1-9]$rate, received [1-9]$rate B/s"
same "of the one with the most received first" "$(column 1)" "$server_pid $client_pid"

# --- the order ---

type_keys Left '<' '<' '<' '<' # PID
wanted=$(printf '%s\n' "$client_pid" "$server_pid" | sort -n | xargs)
ordered() { [[ $(column 1) == "$1" ]]; }
eventually 10 ordered "$wanted"
type_keys R
eventually 10 ordered "$(tac -s ' ' <<<"$wanted " | xargs)"

# --- filter ---

type_keys /
sees '^filter:$'
type_text "--comm 'top-client'"
type_keys Enter
sees '^filter: --comm top-client$'
sees_no_more 'top-server'
sees "^ *$client_pid +nobody +1 "
type_keys /
type_text ' --rport many'
type_keys Enter
sees "^'many' is not a port"
type_keys BSpace BSpace BSpace BSpace
type_text 9
type_keys Enter
sees '^filter: --comm top-client --rport 9$'
sees_no_more "^ *$client_pid "
type_keys /
sees '^filter: --comm top-client --rport 9$'
type_keys C-u
type_text '--netns /none'
type_keys Enter
sees "^netns: '/none' is not|^netns: there is no network namespace '/none'|/none"
sees '^filter: --comm top-client --rport 9$'
type_keys / C-u Enter
sees 'top-server$'
type_keys / Escape
sees '^flowner top by process: 3 flows'

# --- pause ---

type_keys Space
sees 'PAUSED$'
session
second=$CLIENT second_server=$SERVER
type_keys f u p
sees '^flowner top by process: 3 flows.* PAUSED$'
type_keys Space
sees '^flowner top by process: 5 flows'

# --- into a row, and one flow ---

type_keys / C-u
type_text '--comm top-client --lport 41000'
type_keys Enter
sees '^flowner top by process: 1 flows'
type_keys k
sees '^abort cuts one flow'
type_keys Enter
sees "^flows of top-client, pid $client_pid; filter: --comm top-client --lport 41000$"
type_keys Enter
sees "^flow: +$opener$"
flowner show "$opener" | grep -oE '^[a-z]+: ' >"$T/labels"
(($(wc -l <"$T/labels") > 10)) || fail "show has only these: $(<"$T/labels")"
while read -r label; do sees "^$label"; done <"$T/labels"
sees '^sent: +50000 bytes'
sees '^exe: .*/actor$'
type_keys NPage
sees '^ended, of this process with this remote address: 1 remembered'
sees "ago: tcp 127\.0\.0\.2:[0-9]+ -> 127\.0\.0\.1:8080 closed after .*s, sent 0,"
type_keys Home
sees "^flow: +$opener$"

# --- its end: asked for, not wanted, wanted ---

type_keys k
sees "^abort $opener, tcp 127\.0\.0\.2:41000 - 127\.0\.0\.1:8080 of top-client, pid"
type_keys n
sees '^not cut'
same "still open" "$(flowner show -j "$opener" | jq -r .flowner.state)" established
type_keys k y
sees "^flow $opener is cut"
try client recv "$fd"
same "the client's recv" "${R[*]}" 'error Software caused connection abort'
sees '^state: +aborted'
type_keys k
sees '^abort '
type_keys y
sees "flow $opener has already ended"
type_keys Escape Escape
sees '^flowner top by process'

# --- keys ---

type_keys '?'
sees '^R +the other way round$'
type_keys x
sees_no_more '^R +the other way round$'

# --- sizes ---

terminal resize-window -t top -x 60 -y 10
type_keys / C-u Enter
sees 'top-server$'
same "longer lines" "$(screen | LC_ALL=C.UTF-8 grep -cE '^.{61}' || true)" 0
terminal resize-window -t top -x 30 -y 4
sees '^terminal too small$'
type_keys f Down k n '?' x Enter Escape
sees '^terminal too small$'
terminal resize-window -t top -x 1 -y 1
terminal resize-window -t top -x 200 -y 24
type_keys Escape f
sees 'STATE .* FLOW_ID'
terminal resize-window -t top -x 80 -y 24
sees '^PROTO LOCAL'
type_keys q
ended_well

# --- who is not root: his own, and no abort ---

on_terminal setpriv --reuid=65534 --regid=65534 --clear-groups "$T/flowner" top -d 3600
sees '^flowner top by process: 1 flows'
type_keys f
sees "^tcp +127\.0\.0\.2:[0-9]+ +127\.0\.0\.1:8080 +$client_pid "
type_keys k
sees '^abort '
type_keys y
sees '^only root may do this'
type_keys C-c
ended_well

# --- a name that would command the terminal ---

tell client comm $'\e]2;owned\a\e[2J'
tell client close "$second"
tell server close "$second_server"
session
top -d 0.3
sees ' .x1b\]2;owned'
sees "^ *$server_pid +root +2 "
same "the terminal's title" \
	"$(terminal display -p -t top '#{pane_title}' | grep -c owned || true)" 0

# --- the daemon goes, and comes ---

stop_daemon
sees "^no daemon at '$SOCK': trying again"
sees "^ *$server_pid +root +2 " # as it was seen last
type_keys f
sees "^tcp .* $server_pid "
start_daemon
sees_no_more 'trying again'
sees '^flowner top by flow: 3 flows'

# --- out ---

kill -TERM "$(terminal list-panes -t top -F '#{pane_pid}' | xargs -I{} pgrep -P {} flowner)"
ended_well
for name in none dumb; do
	on_terminal env TERM="$name" "$T/flowner" top
	sees "cannot use the terminal '$name'"
	sees '^status 4,'
done

# --- what the container's image has, and nothing else ---

in_image() { # TERM: top there, with this socket
	on_terminal unshare -m sh -c "mount --bind '$T' '$T/image/run' &&
		exec env -i PATH=\$PATH TERM=$1 FLOWNER_SOCKET=/run/sock \
		chroot '$T/image' /usr/bin/flowner top"
}

if command -v strip >/dev/null; then
	"$TREE/packaging/image.sh" "$T/image"
	for name in xterm xterm-256color screen-256color tmux linux vt220; do
		in_image "$name"
		sees '^flowner top by process: 3 flows'
		type_keys q
		sees '^status 0, isig icanon echo' # some have no other screen to come back from
	done
	in_image none
	sees "cannot use the terminal 'none'"
	sees '^status 4,'
fi
refuses 2 'it needs a terminal' flowner top
refuses 2 "'list' and 'watch' have --json" flowner top -j
refuses 2 'needs seconds' flowner top -d 0
refuses 2 'needs seconds' flowner top -d 1x
refuses 2 "'--closed' is not an option" flowner top --closed
exits 0 flowner help top

# --- list and watch on a terminal; names of services ---

in_width() { # the lines of the screen are not wrapped: each begins as one
	local regex=$1 lines=$2
	[[ $(screen | grep -cE "$regex") == "$lines" &&
		$(screen | grep -cvE "$regex|^(before|status .*|)$") == 0 ]]
}
on_terminal "$T/flowner" list -H -t
eventually 10 in_width '^(>)?[0-9]+[smhd] +tcp ' 3
on_terminal "$T/flowner" watch -H -c 2 --pid "$client_pid"
watching() { [[ $(flowner stats -j | jq .streams.open) == 1 ]]; }
eventually 10 watching
session
eventually 10 in_width "^(open|established) +tcp +127\.0\.0\.2:$PORT +127\.0\.0\.1:8080 " 2
if [[ $(getent services 22/tcp) ]]; then
	tell server listen tcp 127.0.0.1 22
	same "a port" "$(flowner list -H --lport 22 | awk '{ print $5 }')" 127.0.0.1:22
	same "a service" "$(flowner list -HS --lport 22 | awk '{ print $5 }')" 127.0.0.1:ssh
	same "in JSON none" "$(flowner list -jS --lport 22 | jq .flowner.local.port)" 22
	top -S
	sees '^flowner top by process'
	type_keys f
	sees '^tcp +127\.0\.0\.1:ssh +\* '
	type_keys q # or the SIGCONT of a terminal that goes stops LeakSanitizer in its tracks
	ended_well
fi

# --- who has it open, as that changes ---

top -d 0.3 --lport 8080 --state listen
sees '^flowner top by process: 1 flows'
type_keys f Enter
held_by() { sees "^(holders:)? +.*, pid $1, fd $LISTENER$"; } # PID
held_by "$server_pid"
tell server fork
child=${R[0]}
held_by "$child"
held_by "$server_pid"
tell server close "$LISTENER"
sees_no_more "pid $child, fd"
held_by "$server_pid"
type_keys q
ended_well
