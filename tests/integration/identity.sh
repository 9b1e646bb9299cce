#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Which file an executable is: what exefiles.c says of a path is what the kernel side sees of the
# process that runs it, also where stat() says something else.
# shellcheck disable=SC2016 # for another shell
. "$(dirname "$0")/lib.sh"

# An actor from the file that SETUP puts at ./run/actor, in a mount namespace and directory of its
# own; what is said of the file goes to NAME.said.
actor_in() { # NAME SETUP
	mkdir "$T/$1"
	chmod 755 "$T/$1"
	actor "$1" env "W=$T/$1" "SAID=$T/$1.said" "TESTS=$BUILD/tests" \
		unshare -m --propagation private \
		bash -ec 'cd "$W"; mkdir run; '"$2"'; "$TESTS/identity" run/actor >"$SAID"
			exec "$W/run/actor"'
	tell "$1" listen tcp 127.0.0.1 0
}

seen() { # NAME: by the kernel side, of the actor's process
	map processes | jq -r --argjson pid "${ACTOR_PID[$1]}" \
		'.[].formatted.value | select(.key.pid == $pid) | "\(.exe_dev):\(.exe_inode)"'
}

check() { # NAME
	local ours theirs
	read -r ours theirs <"$T/$1.said"
	same "file of '$1' (stat: $theirs)" "$ours" "$(seen "$1")"
	dismiss "$1"
}

possible() { # SETUP
	mkdir "$T/try"
	(cd "$T/try" && unshare -m --propagation private bash -ec "$1") 2>/dev/null
}

start_daemon
actor_in plain 'cp "$TESTS/actor" run'
check plain
actor_in tmpfs 'mount -t tmpfs none run; cp "$TESTS/actor" run'
check tmpfs

# layers of two file systems, which stat() gives devices of their own
layers='mkdir lower upper; mount -t tmpfs none lower; mount -t tmpfs none upper
	mkdir upper/files upper/work; cp "$TESTS/actor" lower
	mount -t overlay none -o lowerdir=lower,upperdir=upper/files,workdir=upper/work'
if possible "mkdir run; TESTS='$BUILD/tests'; $layers run"; then
	actor_in lower "$layers run"
	check lower
	actor_in upper "$layers run; touch run/actor"
	check upper
	actor_in below "$layers run; rm run/actor; cp lower/actor run/actor"
	check below
else
	echo "no overlayfs here" >&2
fi
