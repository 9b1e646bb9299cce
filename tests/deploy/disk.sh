#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A disk with a minimal Debian that boots into systemd, for VM_DISK of tests/vm/run.sh: of this
# release, with the packages named and what they depend on, nothing of ours. Needs root. Made once
# for each list.
# usage: disk.sh FILE PACKAGE... [SUITE/PACKAGE...]     what only another release has is unpacked,
#                                                       without what it depends on
set -euo pipefail
shopt -s inherit_errexit
PATH=$PATH:/usr/sbin:/sbin

SYSTEM=systemd,systemd-sysv,dbus,udev,kmod,procps,iproute2,mount
ROOM=900 # MiB that tests may fill

die() { echo "disk: $*" >&2; exit 1; }

# shellcheck source=tests/deploy/bootstrap.sh
. "$(dirname "$0")/bootstrap.sh"

unpack() { # ROOT SUITE/PACKAGE...
	local root=$1 package
	shift
	for package; do
		(
			apt_private "${package%/*}" "$(dpkg --print-architecture)"
			apt_unpack "$root" "${package#*/}"
		)
	done
}

# Nobody logs in, and no clock, network or disk is waited for.
settle() { # ROOT
	local unit
	echo vm >"$1/etc/hostname"
	echo '/dev/vda / ext4 rw 0 0' >"$1/etc/fstab"
	echo '127.0.0.1 localhost vm' >"$1/etc/hosts"
	echo uninitialized >"$1/etc/machine-id"
	rm -rf "$1"/var/cache/apt/archives/*.deb "$1"/var/lib/apt/lists/*
	for unit in getty.target apt-daily.timer apt-daily-upgrade.timer \
		systemd-networkd-wait-online.service docker.service docker.socket; do
		ln -sf /dev/null "$1/etc/systemd/system/$unit"
	done
}

main() {
	local file=$1 packages=$SYSTEM others=() package
	shift
	if [[ -e $file && $(cat "$file.packages" 2>/dev/null) == "$*" ]]; then return; fi
	((EUID == 0)) || die "only root can make '$file'"
	for package; do
		if [[ $package == */* ]]; then others+=("$package"); else packages+=,$package; fi
	done
	echo "disk: $packages ${others[*]}" >&2
	work=$(mktemp -d -p /var/tmp flowner-disk-XXXXXX)
	trap 'rm -rf --one-file-system "$work"' EXIT
	bootstrap "$work/root" "$packages"
	unpack "$work/root" "${others[@]}"
	settle "$work/root"
	mkdir -p "${file%/*}"
	rm -f "$file" "$file.packages"
	mke2fs -q -t ext4 -d "$work/root" "$file" \
		"$(($(du -sm --apparent-size "$work/root" | cut -f 1) * 5 / 4 + ROOM))M"
	echo "$*" >"$file.packages"
}

(($#)) || die "usage: disk.sh FILE PACKAGE..."
main "$@"
