# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# For tests/integration/*.sh: a private flownerd, ways to ask it, and checks that say what they saw.
#
#	. "$(dirname "$0")/lib.sh"
#	start_daemon
#	start nc -lk 127.0.0.1 8080                 # in the background; its pid is $PID
#	in_cgroup curl -s http://127.0.0.1:8080     # foreground
#	same "remote port" "$(flowner list -H :8080 | wc -l)" 2
#
# A test ends with status 0 (passed), 77 (skipped) or anything else. Everything is gone at its end:
# daemons, pins, cgroup, temporary directory. Run one by hand: sudo bash tests/integration/x.sh
#
# bash forgets how a command ended in a pipeline, in `$(...)` among arguments, in a condition. So
# what fails there is noted in $NOTES: a query that gets no answer, which is not the answer
# "nothing", and fail() in a subshell. A test that passes has no notes.
set -euo pipefail

TREE=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD=${BUILD:-$TREE/build}
T=${T:-$(mktemp -d -t flowner-test-XXXXXX)} # pins and cgroup have its name; bpffs allows no dot
SOCK=$T/sock # set SOCK and PINS again before a second start_daemon
PINS=/sys/fs/bpf/${T##*/}
CGROUP=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts)/${T##*/}
NOTES=$T/.noted
DAEMON='' # pid of the daemon started last
DAEMONS=()
PID='' # of the program started last
R=()   # words of the last answer of an actor
NETNS='' # network namespace of actors made from now on: pid of a process in it, '' = the test's
# for jq: its own -S is not known to gojq, which sorts always
# shellcheck disable=SC2034 # used by tests
SORTED='walk(if type == "object" then to_entries | sort_by(.key) | from_entries else . end)'
TEST_SLOW=${TEST_SLOW:-1} # every time limit is so many times as long
export TRUTH_SLOW=$TEST_SLOW
declare -A ACTOR_PID ACTOR_TO ACTOR_FROM

# --- results ---

take_note() { echo "$*" >>"$NOTES"; }
fail() { echo "FAIL: $*" >&2; take_note "$*"; exit 1; }
skip() { echo "SKIP: $*" >&2; exit 77; }

same() { # WHAT GOT WANTED
	[[ $2 == "$3" ]] || fail "$1: got '$2', wanted '$3'"
}

matches() { # WHAT GOT REGEX
	[[ $2 =~ $3 ]] || fail "$1: got '$2', wanted something like '$3'"
}

exits() { # STATUS COMMAND...: its output lands in $T/out and $T/err
	local wanted=$1 status=0
	shift
	may_fail "$@" >"$T/out" 2>"$T/err" || status=$?
	((status == wanted)) ||
		fail "'$*' ended with $status, wanted $wanted: $(tail -n 3 "$T/err")"
}

refuses() { # STATUS REGEX COMMAND...: it ends with STATUS, says one line, and nothing else
	local status=$1 regex=$2
	shift 2
	exits "$status" "$@"
	same "lines of '$*' on standard error" "$(wc -l <"$T/err")" 1
	matches "what '$*' says" "$(<"$T/err")" "$regex"
	same "what '$*' prints" "$(<"$T/out")" ''
}

# A try in which something was noted is no success.
soon() { # SECONDS COMMAND...: whether it succeeds until then; what the last try lacked is in $TRY
	local deadline=$((SECONDS + $1 * TEST_SLOW + 1)) NOTES=$T/.try.$BASHPID
	shift
	TRY=$NOTES
	until : >"$NOTES" && "$@" && [[ ! -s $NOTES ]]; do
		((SECONDS < deadline)) || return 1
		sleep 0.02 # lint: poll
	done
}

eventually() { # SECONDS COMMAND...: until it succeeds
	soon "$@" || fail "not in time: ${*:2}$(sed '1s/^/: /' "$TRY")"
}

# --- queries ---

query() { # STATUSES COMMAND...: that ends with one of these when it has an answer
	local status=0
	"${@:2}" || status=$?
	[[ " $1 141 " == *" $status "* ]] || take_note "'${*:2}' ended with $status" # 141: SIGPIPE
	return "$status"
}

may_fail() { # COMMAND...: with queries in it whose failure the test looks at
	local NOTES=/dev/null
	"$@"
}

jq() { query '0 1 4' command jq "$@"; }
grep() { query '0 1' command grep "$@"; }
awk() { query '0 1' command awk "$@"; }
sed() { query 0 command sed "$@"; }
diff() { query '0 1' command diff "$@"; }
comm() { query 0 command comm "$@"; }
ss() { query 0 command ss "$@"; }
bpftool() { query 0 command bpftool "$@"; }

# --- the daemon ---

gone() { ! kill -0 "$1" 2>/dev/null; } # PID

answers() {
	curl -sf --max-time $((5 * TEST_SLOW)) -o /dev/null --unix-socket "$SOCK" \
		http://flowner/v1/stats
}

answers_or_dead() {
	answers || { gone "$DAEMON" && fail "flownerd ended: $(tail -n 5 "$T/flownerd.log")"; }
}

# Scope is the cgroup of this test, so that the host's own traffic does not show; start processes
# there with in_cgroup. A --cgroup among OPTIONS comes later and wins. With SCOPE=machine it is all
# of a machine that is nobody else's. Returns when it answers.
# For tests/vm, DAEMON_OPTIONS come before them, and DAEMON_PRELOAD is a library for it alone.
start_daemon() { # [OPTIONS...]
	[[ ${SCOPE:-} == machine ]] || set -- --cgroup "$CGROUP" "$@"
	set -- --policy-dir "$T/policy.d" "$@" # not the machine's
	env ${DAEMON_PRELOAD:+"LD_PRELOAD=$DAEMON_PRELOAD"} "$BUILD/flownerd" \
		--socket "$SOCK" --pin-dir "$PINS" ${DAEMON_OPTIONS:+$DAEMON_OPTIONS} "$@" \
		2>>"$T/flownerd.log" &
	DAEMON=$!
	DAEMONS+=("$DAEMON")
	eventually 30 answers_or_dead
}

waits_for() { # PID: where each thread of it and of its children is in the kernel
	local pid task
	for pid in "$1" $(cat "/proc/$1/task"/*/children); do
		for task in "/proc/$pid/task"/*; do
			echo "$pid, $(head -n 3 "$task/status" | xargs):" \
				"$(cut -d ' ' -f 2 "$task/stack" | xargs)"
		done
	done
}

stop_daemon() { # the one started last; not ending cleanly is a failure
	local status=0
	kill "$DAEMON" || fail "flownerd had already ended: $(tail -n 5 "$T/flownerd.log")"
	soon 20 gone "$DAEMON" || fail "flownerd does not stop: $(waits_for "$DAEMON")"
	wait "$DAEMON" || status=$?
	forget_daemon
	((status == 0)) || fail "flownerd ended with $status: $(tail -n 20 "$T/flownerd.log")"
}

forget_daemon() { # the one started last has ended and was waited for
	local pid rest=()
	for pid in "${DAEMONS[@]}"; do [[ $pid == "$DAEMON" ]] || rest+=("$pid"); done
	DAEMONS=("${rest[@]}")
}

kill_daemon() { # the one started last, with SIGKILL
	kill -KILL "$DAEMON"
	wait "$DAEMON" 2>/dev/null || true
	forget_daemon
}

in_cgroup() { # COMMAND...
	(
		echo "$BASHPID" >"$CGROUP/cgroup.procs"
		exec "$@"
	)
}

start() { # COMMAND...: the same in the background, a moment later; PID is the command's own
	(
		echo "$BASHPID" >"$CGROUP/cgroup.procs"
		exec "$@"
	) &
	# shellcheck disable=SC2034 # for the tests
	PID=$!
}

# Programs in the background that ran until now: one that had ended did not do its work.
terminate() { # PID...
	local pid status
	for pid; do
		status=0
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || status=$?
		((status == 143)) || fail "process $pid ended by itself, with $status"
	done
}

# --- actors: processes that do with sockets what they are told, see actor.c ---

start_piped() { # NAME COMMAND...: start, with the pipes NAME.to and NAME.from
	(
		echo "$BASHPID" >"$CGROUP/cgroup.procs"
		exec "${@:2}" <"$T/$1.to" >"$T/$1.from"
	) &
	PID=$!
}

# A program that is told what to do (told.h), in the cgroup and in the network namespace of NETNS.
start_told() { # NAME COMMAND...
	local name=$1 to from
	shift
	[[ -z $NETNS ]] || set -- nsenter -t "$NETNS" -n "$@"
	mkfifo "$T/$name.to" "$T/$name.from"
	start_piped "$name" "$@"
	exec {to}>"$T/$name.to" {from}<"$T/$name.from"
	ACTOR_PID[$name]=$PID ACTOR_TO[$name]=$to ACTOR_FROM[$name]=$from
	tell "$name" who
}

actor() { # NAME [WRAPPER...]: a command before it wraps it
	start_told "$@" "$BUILD/tests/actor"
}

try() { # NAME COMMAND...: like tell, but R may be an error
	local name=$1
	shift
	echo "$*" >&"${ACTOR_TO[$name]}"
	read -r -t 30 -a R <&"${ACTOR_FROM[$name]}" || fail "$name does not answer to '$*'"
}

tell() { # NAME COMMAND...: its answer is in R, without the `ok`
	try "$@"
	[[ ${R[0]} == ok ]] || fail "$*: ${R[*]}"
	R=("${R[@]:1}")
}

dismiss() { # NAME: it ends, and with it all its sockets
	local to=${ACTOR_TO[$1]} from=${ACTOR_FROM[$1]}
	kill "${ACTOR_PID[$1]}"
	wait "${ACTOR_PID[$1]}" 2>/dev/null || true
	exec {to}>&- {from}<&-
	rm "$T/$1.to" "$T/$1.from"
	unset "ACTOR_PID[$1]" "ACTOR_TO[$1]" "ACTOR_FROM[$1]"
}

dismiss_all() {
	local name
	for name in "${!ACTOR_PID[@]}"; do dismiss "$name"; done
}

# An actor in a network namespace of its own, with lo up; actors made later are there too.
own_netns() {
	actor keeper unshare -n
	NETNS=${ACTOR_PID[keeper]}
	in_netns ip link set lo up
}

in_netns() { nsenter -t "$NETNS" -n "$@"; } # COMMAND...: not in the cgroup

# --- asking ---

flowner() { FLOWNER_SOCKET=$SOCK query '0 1' "$BUILD/flowner" "$@"; }

api() { # PATH [CURL OPTIONS...]
	local path=$1
	shift
	query 0 curl -sS --max-time 20 --unix-socket "$SOCK" "$@" "http://flowner$path"
}

# shellcheck disable=SC2034 # used by tests
bound_tcp() { # NAME ADDRESS [PORT]: a TCP socket of it that is bound; FD and PORT
	local family=4
	[[ $2 != *:* ]] || family=6
	tell "$1" socket tcp "$family"
	FD=${R[0]}
	tell "$1" bind "$FD" "$2" "${3:-0}"
	PORT=${R[1]}
}

stat_of() { # NAME: of a counter
	flowner stats -j | jq -r ".counters.$1"
}

nothing_lost() { # by any counter of what got lost, and there are some
	same "what was lost" "$(flowner stats -j | jq -c '.counters | with_entries(select(
		.key | test("_full$|^udp_(un|parse|call)"))) | length > 10,
		with_entries(select(.value != 0))' | xargs)" 'true {}'
}

hammer() { # PORT: connects to it in the cgroup, again and again
	(
		echo "$BASHPID" >"$CGROUP/cgroup.procs"
		exec nsenter -t "$NETNS" -n "$BUILD/tests/hammer" "$1" >"$T/hammer"
	) &
	HAMMER=$!
}

hammered() { # it ends, and nobody got through; TRIED is how often it tried
	local tries through
	kill "$HAMMER"
	wait "$HAMMER"
	read -r tries through <"$T/hammer"
	((tries > 10)) || fail "only $tries attempts were made"
	same "who got through of $tries" "$through" 0
	# shellcheck disable=SC2034 # for the tests
	TRIED=$tries
}

rules_hit() { # as often as HITS[RULE] says; MODE is for the message
	local rule
	for rule in "${!HITS[@]}"; do
		same "hits of $rule, $MODE" "$(flowner policy show -j |
			jq --arg name "$rule" '.rules[] | select(.name == $name).hits')" \
			"${HITS[$rule]}"
	done
}

map() { # NAME: a pinned map as bpftool writes it: JSON, numbers and all
	bpftool map dump pinned "$PINS/$1" -j
}

list_programs() {
	bpftool link list -j | jq -r --argjson id "$(stat -c %i "$CGROUP")" '
		.[] | select(.cgroup_id == $id) | "\(.prog_id) \(.attach_type)"' >"$T/programs"
}

# All that is attached to the cgroup, into $T/programs: PROG_ID ATTACH_TYPE, a line each. A link of
# others that goes while bpftool lists them is an error to it.
cgroup_programs() { eventually 10 list_programs; }

little_endian() { [[ $(printf '\1\0' | od -An -tu2) -eq 1 ]]; }

# The bytes of a map's number, as bpftool takes and gives them: the most significant one first.
in_host_order() { # BYTE...
	if little_endian; then printf '%s\n' "$@" | tac; else printf '%s\n' "$@"; fi
}

# Of all entries in socket_to_process, as `ss -e` writes cookies, sorted. From the key's bytes: jq
# has no 64-bit numbers.
ids() {
	local order=.
	! little_endian || order=reverse
	map socket_to_process |
		jq -r ".[].key | $order"' | map(ltrimstr("0x")) | join("") | sub("^0*"; "")' | sort
}

short() { printf '%x\n' "$((16#$1))"; } # FLOW_ID: as ids and ss write it

# Of all sockets ss shows in NETNS, but for those nobody has yet or any more: a FIN-WAIT-2 that has
# the timer of TIME-WAIT is no socket either. As `ss -e` writes cookies, sorted.
cookies() {
	ss_e -tunao | grep -vE '^[a-z]+ +(TIME-WAIT|SYN-RECV)|timer:\(timewait' |
		grep -o 'sk:[0-9a-f]*' | cut -c 4- | sort
}

# shellcheck disable=SC2120
ss_e() { # OPTIONS...: ss in the network namespace of NETNS
	if [[ $NETNS ]]; then query 0 in_netns ss -He "$@"; else ss -He "$@"; fi
}

# --- what is in the kernel ---

objects_of_pins() { # a line for each, such as "link 12"
	local kind
	for kind in link map; do
		bpftool "$kind" list -f -j | jq -r --arg pins "$PINS/" --arg kind "$kind" '
			.[] | select(any(.pinned[]?; startswith($pins))) |
			"\($kind) \(.id)", if .prog_id then "prog \(.prog_id)" else empty end'
	done | sort
}

objects() { # of the whole machine: others may run things meanwhile
	local kind
	for kind in link prog map; do
		bpftool "$kind" list -j | jq -r --arg kind "$kind" '.[] | "\($kind) \(.id)"'
	done | sort
}

# None of these is left; the kernel frees what nobody holds in its own time.
freed() { # OBJECTS
	[[ -z $(comm -12 <(echo "$1") <(objects)) ]]
}

# --- the end ---

end_daemon() { # PID
	local status=0
	kill "$1" 2>/dev/null || true
	if ! soon 10 gone "$1"; then
		echo "FAIL: flownerd ($1) does not stop" >&2
		kill -KILL "$1"
		return 1
	fi
	wait "$1" || status=$?
	((status == 0)) || echo "FAIL: flownerd ($1) ended with $status" >&2
	return "$status"
}

# Of flownerd and of the last command; others show by their exit status.
sanitizers_silent() {
	! command grep -sE '(Address|Leak)Sanitizer|runtime error:' "$T/flownerd.log" "$T/err" >&2
}

end_processes() { # those in the cgroup
	local pids
	if [[ -e $CGROUP/cgroup.kill ]]; then # since 5.14
		echo 1 >"$CGROUP/cgroup.kill"
	else
		mapfile -t pids < <(find "$CGROUP" -name cgroup.procs -exec cat '{}' +)
		((! ${#pids[@]})) || kill -KILL "${pids[@]}"
	fi
}

remove_cgroup() {
	[[ -d $CGROUP ]] || return 0
	end_processes 2>/dev/null
	soon 5 find "$CGROUP" -depth -type d -exec rmdir '{}' + 2>/dev/null && return 0
	echo "FAIL: '$CGROUP' is left" >&2
	return 1
}

remove_pins() { # there are none when each daemon ended cleanly, or was followed by one that did
	local left
	left=$(find "/sys/fs/bpf/${T##*/}"* -type f 2>/dev/null | head -n 3 | xargs)
	rm -rf "/sys/fs/bpf/${T##*/}"*
	[[ -z $left ]] || { echo "FAIL: pins are left: $left" >&2; return 1; }
}

cleanup() {
	local status=$? pid
	trap - EXIT INT TERM
	set +e
	for pid in "${DAEMONS[@]}"; do end_daemon "$pid" || status=1; done
	sanitizers_silent || status=1
	[[ $status != 0 || ! -s $NOTES ]] || { sed 's/^/FAIL: noted: /' "$NOTES" >&2; status=1; }
	[[ $status == 0 || $status == 77 || ! -e $T/flownerd.log ]] ||
		tail -n 20 "$T/flownerd.log" >&2
	dismiss_all 2>/dev/null
	[[ $status != 0 ]] || remove_pins || status=1
	remove_pins 2>/dev/null
	remove_cgroup || status=1
	umount -q "$T"/* 2>/dev/null # what a test mounted and failed with
	rm -rf "$T"
	exit "$status"
}
trap cleanup EXIT
trap 'echo "FAIL: line $LINENO: $BASH_COMMAND" >&2' ERR
trap 'exit 143' TERM
trap 'exit 130' INT

((EUID == 0)) || skip "needs root"
"$TREE/packaging/bpffs.sh"
mkdir -p "$CGROUP"
