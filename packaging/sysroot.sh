#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Debian packages of another architecture with all they depend on, unpacked into a directory: what
# to compile against, or what an emulated machine has. Nothing is installed, and nothing is done
# while DIR was made of the same list.
# usage: sysroot.sh ARCHITECTURE DIR PACKAGE...     DIR/packages is written last, with versions
set -euo pipefail
shopt -s inherit_errexit

SUITE=bookworm

die() { echo "sysroot: $*" >&2; exit 1; }

# shellcheck source=packaging/apt.sh
. "$(dirname "$0")/apt.sh"

layout() { # DIR
	local dir
	mkdir -p "$1"/usr/{bin,sbin,lib,lib64}
	for dir in bin sbin lib lib64; do ln -s "usr/$dir" "$1/$dir"; done
}

# Links that begin at the root would lead into this machine's.
inward_links() { # DIR
	local link
	find "$1" -type l -lname '/*' -printf '%P\n' | while read -r link; do
		ln -sfnr "$1$(readlink "$1/$link")" "$1/$link"
	done
}

main() {
	local arch=$1 dir=$2 part=$2.part packages
	shift 2
	mkdir -p "${dir%/*}"
	exec {lock}>"$dir.lock"
	flock "$lock" # two machines may start at a time
	[[ ! -e $dir/packages || $* != "$(head -n 1 "$dir/packages")" ]] || return 0
	echo "sysroot: $arch packages into '$dir'" >&2
	apt_private "$SUITE" "$arch"
	packages=$(apt_closure "$@") || die "cannot resolve: $*"
	rm -rf "$part"
	layout "$part"
	# shellcheck disable=SC2086 # words
	apt_unpack "$part" $packages
	inward_links "$part"
	{
		echo "$@"
		# shellcheck disable=SC2086 # words
		apt-cache show --no-all-versions $packages |
			awk '$1 == "Package:" { name = $2 } $1 == "Version:" { print name, $2 }'
	} >"$part/packages"
	rm -rf "$dir"
	mv "$part" "$dir"
}

(($# > 2)) || die "usage: sysroot.sh ARCHITECTURE DIR PACKAGE..."
main "$@"
