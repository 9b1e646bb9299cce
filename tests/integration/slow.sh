#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Somebody watches and does not read, while more happens than is held for him: nobody else notices,
# he is told how much he missed as soon as he reads again, and gets in full what comes after that.
# timeout: 300
. "$(dirname "$0")/lib.sh"

HELD=65536 # events, see src/daemon/stream.c

watch_into() { # FILE [FILTER...]
	FLOWNER_SOCKET=$SOCK "$BUILD/flowner" watch -j "${@:2}" >"$1" 2>"$1.err" &
	WATCHER=$!
}

watchers() { [[ $(flowner stats -j | jq .streams.open) == "$1" ]]; } # COUNT

# The flow's events of this kind that were told, in order.
told() { grep -s "$2" "$1" | jq -r .event.action; } # FILE ID

printf 'limits: {ring: 64MiB}\n' >"$T/config"
own_netns
start_daemon --config "$T/config"
actor server
actor client
tell server listen tcp 127.0.0.1 8080
watch_into "$T/some" :8080
some=$WATCHER
watch_into "$T/all"
slow=$WATCHER
eventually 10 watchers 2
kill -STOP "$slow"
SECONDS=0
(echo "$BASHPID" >"$CGROUP/cgroup.procs" && exec nsenter -t "$NETNS" -n \
	"$BUILD/truth/truth" --only churn --storm 75000 -o "$T/truth")

# after 30 s of not reading the daemon would close the connection
if ((SECONDS >= 20)); then
	kill -KILL "$slow" "$some"
	skip "this machine needs $SECONDS s for what a reader may miss"
fi

# the others do not wait for him
tell client connect tcp 127.0.0.1 8080
id=${R[2]} fd=${R[0]}
opened() { [[ $(told "$T/some" "$id") == *open* ]]; }
eventually 10 opened
published=$(flowner stats -j | jq .events)
((published > HELD)) || fail "only $published events: nobody can miss one"

kill -CONT "$slow"
lost() { grep -q '"action":"lost"' "$T/all"; }
eventually 30 lost
grep '"action":"lost"' "$T/all" >"$T/lost"
matches "the message" "$(jq -r .message "$T/lost" | sort -u)" 'too slow'
missed=$(jq -s 'map(.flowner.count) | add' "$T/lost")
same "stats count it" "$(flowner stats -j | jq .streams.events_lost)" "$missed"
grep -q 'LOST .* too slow' "$T/all.err" || fail "watch does not say LOST: $(<"$T/all.err")"

# and what happens now is news to both
tell client close "$fd"
for file in "$T/some" "$T/all"; do
	closed() { [[ $(told "$file" "$id") == *close* ]]; }
	eventually 60 closed
done
same "in the same words" "$(told "$T/all" "$id")" "$(told "$T/some" "$id")"
same "the one with a filter missed" "$(jq -c 'select(.event.action == "lost")' "$T/some")" ''
# not by jq: tens of megabytes
sequence='s/.*"sequence":([0-9]+).*/\1/p'
same "every event was told or missed" "$(grep -v '"action":"lost"' "$T/all" |
	sed -nE "$sequence" | awk -v missed="$missed" '
		NR == 1 { first = $1 }
		END { print $1 - first + 1 - NR - missed }')" 0
kill "$some" "$slow"
