#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Fetches a stock Debian kernel, the newest package of its suite, into build/vm/KERNEL.
# usage: fetch.sh KERNEL [--again]     --again looks for a newer one than was fetched before
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin # depmod, modprobe, bpftool
shopt -s inherit_errexit

TREE=$(cd "$(dirname "$0")/../.." && pwd)
VM=$TREE/build/vm

die() { echo "fetch: $*" >&2; exit 1; }

# shellcheck source=packaging/apt.sh
. "$TREE/packaging/apt.sh"

# suite, architecture, regex of the package
known_kernel() { # KERNEL
	case $1 in
	5.10) echo bullseye amd64 '^linux-image-5\.10\..*-cloud-amd64$' ;;
	6.1) echo bookworm amd64 '^linux-image-6\.1\..*-cloud-amd64$' ;;
	6.12) echo trixie amd64 '^linux-image-6\.12\..*-cloud-amd64$' ;;
	new) echo sid amd64 '^linux-image-[0-9].*[^r]-cloud-amd64$' ;;
	arm64-6.1) echo bookworm arm64 '^linux-image-6\.1\..*-cloud-arm64$' ;;
	arm64-6.12) echo trixie arm64 '^linux-image-6\.12\..*-cloud-arm64$' ;;
	s390x-6.12) echo trixie s390x '^linux-image-6\.12\..*-s390x$' ;;
	*) die "no kernel '$1': 5.10 6.1 6.12 new arm64-6.1 arm64-6.12 s390x-6.12" ;;
	esac
}

newest() { # REGEX
	apt-cache search --names-only "$1" | awk '{ print $1 }' | grep -vE -e '-(dbg|unsigned|rt)' |
		sort -V | tail -n 1
}

has_package() { apt-cache show "$1" >/dev/null 2>&1; }

# The newest suites split an image in three packages.
parts() { # IMAGE -> PACKAGE...
	local version=${1#linux-image-} package
	for package in "$1" "linux-binary-$version" "linux-modules-$version"; do
		! has_package "$package" || echo "$package"
	done
}

# In one shape: DIR/vmlinuz, DIR/version, DIR/lib/modules/VERSION with its dependencies listed.
tidy() { # DIR
	local version image
	[[ -d $1/lib ]] || ln -s usr/lib "$1/lib"
	version=$(basename "$1"/lib/modules/*)
	image=$(find "$1" -name 'vmlinuz*' -type f | head -n 1)
	[[ $image ]] || die "no kernel image in '$1'"
	ln -s "${image#"$1/"}" "$1/vmlinuz"
	echo "$version" >"$1/version"
	depmod -b "$1" "$version"
}

main() {
	local kernel=${1:?usage: fetch.sh KERNEL [--again]} known suite arch regex image packages
	local part
	part=$VM/$kernel.part
	[[ ${2:-} == --again || ! -e $VM/$kernel/version ]] || return 0
	known=$(known_kernel "$kernel")
	read -r suite arch regex <<<"$known"
	apt_private "$suite" "$arch"
	image=$(newest "$regex")
	[[ $image ]] || die "no package like '$regex' in '$suite'"
	echo "fetch: $kernel is $image" >&2
	rm -rf "$part"
	mapfile -t packages < <(parts "$image")
	apt_unpack "$part" "${packages[@]}"
	tidy "$part"
	rm -rf "${VM:?}/$kernel"
	mv "$part" "$VM/$kernel"
}

main "$@"
