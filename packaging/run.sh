#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# `sudo make run`: start flownerd at its usual paths, show what it sees until Ctrl-C, stop it.
# usage: run.sh BUILD_DIR      ARGS="--scope container" for flownerd; RUN_SECONDS=n ends by itself
set -euo pipefail

build=$1
pins=/sys/fs/bpf/flowner
daemon='' watcher=''

die() { echo "run: $*" >&2; exit 1; }

await_answer() { # 30 s: seeding a busy host takes a while
	local i
	for ((i = 0; i < 600; i++)); do
		"$build/flowner" stats >/dev/null 2>&1 && return
		kill -0 "$daemon" 2>/dev/null || die "flownerd ended, see above"
		sleep 0.05
	done
	die "flownerd does not answer"
}

# its failure is ours; whatever it pinned is then off the kernel, unless configured to stay
stop() {
	local status=$?
	trap - EXIT INT TERM
	[[ -z $watcher ]] || kill "$watcher" 2>/dev/null || true
	kill "$daemon" 2>/dev/null || true
	wait "$daemon" || status=$?
	if ((status)); then
		echo "run: ended with status $status" >&2
	elif [[ -e $pins ]]; then
		echo "run: flownerd stopped and left $pins in place" >&2
	else
		echo "run: flownerd stopped, everything is detached" >&2
	fi
	exit "$status"
}

main() {
	local args=() watch=("$build/flowner" watch)
	((EUID == 0)) || die "needs root: sudo make run"
	"$(dirname "$0")/bpffs.sh"
	read -ra args <<<"${ARGS:-}"
	[[ -z ${RUN_SECONDS:-} ]] || watch=(timeout "$RUN_SECONDS" "${watch[@]}")

	"$build/flownerd" "${args[@]}" &
	daemon=$!
	trap stop EXIT
	trap 'exit 0' INT TERM
	await_answer # its first line says which tier is on, the next what that leaves out
	echo "run: '$build/flowner doctor' has each hook, and how to get those that are missing" >&2
	echo
	"$build/flowner" list || true
	echo
	"${watch[@]}" &
	watcher=$!
	wait "$watcher" || true # Ctrl-C, the time is over, or flownerd went away
}

main "$@"
