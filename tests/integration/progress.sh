#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A start that takes longer than a second says how far it is: in the journal, at a terminal, and to
# the service manager, once a second, only what is new and true. Nothing where nobody reads along.
# timeout: 300
. "$(dirname "$0")/lib.sh"

SOCKETS=30000
LINE='(loading the programs|seeding: [0-9]+ sockets|comparing with what the kernel lists)'

crowd() { # HOLDERS: SOCKETS of them are open from here on
	mkfifo "$T/crowd.to" "$T/crowd.from"
	start_piped crowd nsenter -t "$NETNS" -n "$BUILD/tests/crowd" "$SOCKETS" "$1"
	CROWD=$PID
	exec {to}>"$T/crowd.to" {from}<"$T/crowd.from"
	read -r -t $((60 * TEST_SLOW)) line <&"$from" || fail "the sockets are not there"
	same "the crowd" "$line" ready
}

disperse() {
	exec {to}>&- {from}<&-
	wait "$CROWD" || fail "the crowd ended with $?"
	rm "$T/crowd.to" "$T/crowd.from"
}

said() { grep -E "$LINE" "$1" | sed 's/^<6>//; s/^flownerd: //; s/^STATUS=//; s/\r$//' || true; }

numbers() { sed -n 's/^seeding: \([0-9]*\) sockets$/\1/p' <<<"$1"; } # TEXT

# TEXT SECONDS: as many lines as seconds at most, none twice, numbers that grow up to what there is
true_to_fact() {
	local lines=$1 seconds=$2 n
	same "lines said twice" "$(sort <<<"$lines" | uniq -d)" ''
	(($(grep -c . <<<"$lines") <= seconds)) || fail "in $seconds s: $lines"
	n=$(numbers "$lines")
	same "numbers in order" "$(sort -n <<<"$n")" "$n"
	(($(tail -n 1 <<<"$n") <= SOCKETS)) || fail "more than there are: $lines"
}

listen_for_notices() {
	start "$BUILD/tests/notices" "$T/notify" >"$T/notices"
	NOTICES=$PID
	eventually 10 grep -q listening "$T/notices"
}

in_journal() { # a start and a stop there; it said SAID, and the start took TOOK seconds
	local since=$SECONDS stream
	: >"$T/flownerd.log"
	stream=$(stat -c %d:%i "$T/flownerd.log")
	JOURNAL_STREAM=$stream NOTIFY_SOCKET=$T/notify start_daemon
	TOOK=$((SECONDS - since + 1))
	stop_daemon
	SAID=$(said "$T/flownerd.log")
}

own_netns

# --- the journal and the service manager; more holders should the walk be too quick ---

listen_for_notices
for holders in 5 20 80 320; do
	crowd "$holders"
	in_journal
	[[ ! $(numbers "$SAID") ]] || break
	disperse
done
[[ $(numbers "$SAID") ]] || fail "no word on $SOCKETS sockets, each walked 320 times"
echo "$holders holders:" "$SAID"
true_to_fact "$SAID" "$TOOK"
matches "the end of it" "$(grep 'tier .*answering' "$T/flownerd.log")" \
	"^<6>tier '.*', $SOCKETS sockets found open"
same "lines without their level" "$(grep -cvE '^<[346]>' "$T/flownerd.log" || true)" 0
stopped() { [[ $(tail -n 1 "$T/notices") == STOPPING=1 ]]; }
eventually 10 stopped
kill "$NOTICES"
same "what the service manager heard" \
	"$(said "$T/notices" | tail -n "$(wc -l <<<"$SAID")")" "$SAID"
same "how often it was asked for more time" \
	"$(grep -c '^EXTEND_TIMEOUT_USEC=60000000$' "$T/notices")" "$(said "$T/notices" | wc -l)"
same "what it heard before the end of the start" \
	"$(grep -B 1 -x READY=1 "$T/notices" | tail -n 2 | head -n 1)" STATUS=

# --- where nobody reads along ---

: >"$T/flownerd.log"
start_daemon
same "lines in a file" "$(said "$T/flownerd.log")" ''
grep -q " $SOCKETS sockets found open" "$T/flownerd.log" || fail "not all were found"
stop_daemon

# --- a terminal, likewise: a machine that was slow above need not be now ---

terminal_said() { # a start and a stop at a terminal; it said SAID
	local terminal
	script -qefc "exec timeout --foreground $((100 * TEST_SLOW)) '$BUILD/flownerd' \
		--socket '$SOCK' --cgroup '$CGROUP' --pin-dir '$PINS' \
		--policy-dir '$T/policy.d'" /dev/null >"$T/terminal" 2>&1 </dev/null &
	terminal=$!
	eventually 60 answers
	pkill -TERM -P "$terminal" -x timeout
	wait "$terminal" || fail "at a terminal it ended with $?: $(<"$T/terminal")"
	SAID=$(said "$T/terminal")
}

disperse
if command -v script >"$T/out"; then
	for ((; holders <= 1280; holders *= 4)); do
		crowd "$holders"
		terminal_said
		disperse
		[[ ! $(numbers "$SAID") ]] || break
	done
	[[ $(numbers "$SAID") ]] || fail "nothing at a terminal: $(<"$T/terminal")"
	true_to_fact "$SAID" "$((100 * TEST_SLOW))"
	grep -q " $SOCKETS sockets found open" "$T/terminal" ||
		fail "not all were found: $(<"$T/terminal")"
fi
