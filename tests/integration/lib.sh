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
set -euo pipefail

TREE=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD=${BUILD:-$TREE/build}
T=${T:-$(mktemp -d -t flowner-test-XXXXXX)} # pins and cgroup have its name; bpffs allows no dot
SOCK=$T/sock # set SOCK and PINS again before a second start_daemon
PINS=/sys/fs/bpf/${T##*/}
CGROUP=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts)/${T##*/}
DAEMON='' # pid of the daemon started last
DAEMONS=()
PID='' # of the program started last

# --- results ---

fail() { echo "FAIL: $*" >&2; exit 1; }
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
	"$@" >"$T/out" 2>"$T/err" || status=$?
	((status == wanted)) ||
		fail "'$*' ended with $status, wanted $wanted: $(tail -n 3 "$T/err")"
}

eventually() { # SECONDS COMMAND...: until it succeeds
	local deadline=$((SECONDS + $1 + 1))
	shift
	until "$@"; do
		((SECONDS < deadline)) || fail "not in time: $*"
		sleep 0.02 # lint: poll
	done
}

# --- the daemon ---

gone() { ! kill -0 "$1" 2>/dev/null; } # PID

answers() { curl -sf --max-time 5 -o /dev/null --unix-socket "$SOCK" http://flowner/v1/stats; }

answers_or_dead() {
	answers || { gone "$DAEMON" && fail "flownerd ended: $(tail -n 5 "$T/flownerd.log")"; }
}

# Scope is the cgroup of this test, so that the host's own traffic does not show; start processes
# there with in_cgroup. A --cgroup among OPTIONS comes later and wins. Returns when it answers.
start_daemon() { # [OPTIONS...]
	mkdir -p "$CGROUP"
	"$BUILD/flownerd" --socket "$SOCK" --pin-dir "$PINS" --cgroup "$CGROUP" "$@" \
		2>>"$T/flownerd.log" &
	DAEMON=$!
	DAEMONS+=("$DAEMON")
	eventually 30 answers_or_dead
}

stop_daemon() { # the one started last; not ending cleanly is a failure
	local status=0
	kill "$DAEMON" || fail "flownerd had already ended: $(tail -n 5 "$T/flownerd.log")"
	eventually 20 gone "$DAEMON"
	wait "$DAEMON" || status=$?
	((status == 0)) || fail "flownerd ended with $status: $(tail -n 20 "$T/flownerd.log")"
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

# --- asking ---

flowner() { FLOWNER_SOCKET=$SOCK "$BUILD/flowner" "$@"; }

api() { # PATH [CURL OPTIONS...]
	local path=$1
	shift
	curl -sS --max-time 20 --unix-socket "$SOCK" "$@" "http://flowner$path"
}

# --- the end ---

end_daemon() { # PID
	kill "$1" 2>/dev/null || return 0
	(eventually 10 gone "$1") 2>/dev/null && return
	echo "FAIL: flownerd ($1) does not stop" >&2
	kill -KILL "$1"
	return 1
}

remove_cgroup() {
	[[ -d $CGROUP ]] || return 0
	[[ ! -e $CGROUP/cgroup.kill ]] || echo 1 >"$CGROUP/cgroup.kill" # since 5.14
	(eventually 5 rmdir "$CGROUP") 2>/dev/null || echo "cannot remove '$CGROUP'" >&2
}

cleanup() {
	local status=$? pid
	trap - EXIT INT TERM
	set +e
	for pid in "${DAEMONS[@]}"; do end_daemon "$pid" || status=1; done
	[[ $status == 0 || $status == 77 || ! -e $T/flownerd.log ]] ||
		tail -n 20 "$T/flownerd.log" | sed 's/^/flownerd: /' >&2
	remove_cgroup
	rm -rf "$T" "/sys/fs/bpf/${T##*/}"*
	exit "$status"
}
trap cleanup EXIT
trap 'exit 143' TERM
trap 'exit 130' INT

((EUID == 0)) || skip "needs root"
"$TREE/packaging/bpffs.sh"
