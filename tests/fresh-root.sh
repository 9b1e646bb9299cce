#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The commands of README.md as a newcomer types them, each in a new minimal Debian root: `run` and
# `test` are `sudo make run` and `sudo make test`, `package` is what makes, installs and purges the
# package, with the daemon run from it by hand (no systemd is there). Prints what happens there.
# Needs root.
# usage: fresh-root.sh [--again] [run] [test] [package]      all when none is named
#        --again makes the base root anew, not from build/fresh-root.tar
#
# What runs is the last commit. The roots share kernel, cgroups and network with the host; their
# mounts live in a namespace of their own and end with this script.
set -euo pipefail

TREE=$(cd "$(dirname "$0")/.." && pwd)
BASE=$TREE/build/fresh-root.tar
RUN_SECONDS=${RUN_SECONDS:-10}
work='' root=''

die() { echo "fresh-root: $*" >&2; exit 1; }
say() { echo "=== $*"; }

# shellcheck source=tests/deploy/bootstrap.sh
. "$TREE/tests/deploy/bootstrap.sh"

as_tree_owner() { # what is written to the tree belongs to its owner
	HOME=/ setpriv --reuid="$(stat -c %u "$TREE")" --regid="$(stat -c %g "$TREE")" \
		--clear-groups "$@"
}

make_base() {
	say "debootstrap --variant=minbase $(release)"
	bootstrap "$work/base"
	as_tree_owner mkdir -p "$TREE/build"
	tar -C "$work/base" -cf - . | as_tree_owner tee "$BASE.part" >/dev/null
	as_tree_owner mv "$BASE.part" "$BASE"
	rm -rf --one-file-system "$work/base"
}

# --- a root ---

bind() { # PATH: the host's, seen in the root
	mount --rbind "$1" "$root$1"
	mount --make-rslave "$root$1"
}

enter() { # NAME
	root=$work/$1
	mkdir -p "$root/flowner"
	tar -C "$root" -xf "$BASE"
	bind /proc
	bind /sys
	bind /dev
	# as in a bare chroot, and so that pins are not shared with the host
	if mountpoint -q "$root/sys/fs/bpf"; then umount "$root/sys/fs/bpf"; fi
	cp /etc/resolv.conf /etc/hosts "$root/etc/"
	as_tree_owner git -C "$TREE" archive HEAD | tar -C "$root/flowner" -xf -
	git -C "$root/flowner" init -q
	git -C "$root/flowner" add -A
	git -C "$root/flowner" -c user.name=flowner -c user.email= commit -q -m 'the last commit'
	inside "apt-get -qq update && apt-get -qq install -y make sudo"
}

# The root of its mount namespace, not only of its processes: the kernel side writes paths as seen
# from there, and a test may want a mount namespace below it.
inside() { # COMMAND LINE
	say "# $1"
	# shellcheck disable=SC2016 # the inner shell's arguments
	timeout --foreground 1800 unshare --mount --propagation private sh -euc '
		mount --rbind "$1" "$1"
		cd "$1"
		mkdir -p outside
		pivot_root . outside
		umount --lazy /outside
		cd /flowner
		exec env -i HOME=/root TERM=dumb sh -c "
			set -e
			export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
			$2"' inside "$root" "$1" </dev/null
}

end_processes() { # those that live in the root
	local process
	for process in /proc/[0-9]*; do
		[[ $(readlink "$process/root") != "$root" ]] || kill -KILL "${process#/proc/}"
	done 2>/dev/null
}

leave() { # nothing is removed through a mount
	local path
	[[ -n $root ]] || return 0
	end_processes || true
	for path in /dev /sys /proc; do
		if mountpoint -q "$root$path"; then umount --recursive --lazy "$root$path"; fi
	done
	if grep -qF " $root/" /proc/self/mounts; then
		die "something is still mounted below '$root': it is left there"
	fi
	rm -rf --one-file-system "$root"
	root=''
}

finish() {
	local status=$?
	trap - EXIT INT TERM
	leave
	rm -rf --one-file-system "$work"
	exit "$status"
}

# --- what is typed there ---

in_run() {
	inside "sudo make run RUN_SECONDS=$RUN_SECONDS"
}

in_test() {
	inside "sudo make test"
}

in_package() {
	inside "sudo packaging/deps.sh build deb"
	inside "make deb"
	inside "sudo apt-get -qq install -y ./build/deb/flowner_*.deb"
	inside "sudo packaging/bpffs.sh; sudo flownerd &
		until flowner stats >/dev/null 2>&1 || ! kill -0 \$!; do
			sleep 0.1 # lint: poll
		done
		flowner list || test \$? = 1
		flowner doctor; kill \$!; wait \$!"
	inside "sudo apt-get -qq purge -y flowner"
	inside "left=\$(find /run/flowner /sys/fs/bpf/flowner /etc/flowner /usr/*bin/flowner* \
			-maxdepth 0 2>/dev/null || true)
		test -z \"\$left\" || { echo \"left: \$left\"; exit 1; }"
}

main() {
	((EUID == 0)) || die "needs root: sudo make fresh-root"
	if [[ ${FRESH_ROOT_MOUNTS:-} != own ]]; then
		FRESH_ROOT_MOUNTS=own exec unshare --mount --propagation private "$0" "$@"
	fi
	work=$(mktemp -d -p /var/tmp flowner-root-XXXXXX)
	trap finish EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	if [[ ${1:-} == --again ]]; then
		rm -f "$BASE"
		shift
	fi
	[[ -e $BASE ]] || make_base
	(($#)) || set -- run test package

	for name; do
		enter "$name"
		"in_$name"
		leave
	done
	say "worked in a new $(release) root: $*"
}

main "$@"
