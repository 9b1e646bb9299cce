#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Fetches a stock Debian kernel, the newest package of its suite, into build/vm/KERNEL.
# usage: fetch.sh KERNEL [--again]     --again looks for a newer one than was fetched before
#
# Through an apt state of its own in build/vm/apt: the machine's is only asked for its mirror.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin # depmod, modprobe, bpftool
shopt -s inherit_errexit

VM=$(cd "$(dirname "$0")/../.." && pwd)/build/vm
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

die() { echo "fetch: $*" >&2; exit 1; }

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

# As this machine's apt has it; REGEX is of the release.
mirror() { # REGEX
	# shellcheck disable=SC2016 # apt's own variables
	apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Origin: Debian' |
		awk -v regex="^($1)\$" '$1 ~ regex { print $2; exit }'
}

sources() { # SUITE ARCHITECTURE
	local main security release
	# shellcheck source=/dev/null
	release=$(. /etc/os-release && echo "$VERSION_CODENAME")
	main=$(mirror "$release|stable|sid|unstable")
	security=$(mirror "($release|stable)-security")
	[[ $main ]] || die "apt knows no Debian mirror here: apt-get update"
	echo "deb [arch=$2 signed-by=$KEYRING] $main $1 main"
	# the second where the suite has one, and for this architecture
	[[ $1 == sid || $2 == s390x || -z $security ]] ||
		echo "deb [arch=$2 signed-by=$KEYRING] $security $1-security main"
}

private_apt() { # SUITE ARCHITECTURE: from here on apt-get and apt-cache know only this suite
	local dir=$VM/apt/$1-$2
	mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
	touch "$dir/status"
	sources "$1" "$2" >"$dir/sources.list"
	cat >"$dir/apt.conf" <<-END
		APT::Architecture "$2";
		APT::Architectures { "$2"; };
		APT::Sandbox::User "";
		Dir::Etc::sourcelist "$dir/sources.list";
		Dir::Etc::sourceparts "-";
		Dir::State "$dir";
		Dir::State::lists "$dir/lists";
		Dir::State::status "$dir/status";
		Dir::Cache "$dir/cache";
		Acquire::Languages "none";
		Acquire::Check-Valid-Until "false";
	END
	export APT_CONFIG=$dir/apt.conf
	apt-get -qq update || die "cannot read the package lists of '$1'"
}

newest() { # REGEX
	apt-cache search --names-only "$1" | awk '{ print $1 }' | grep -vE -e '-(dbg|unsigned|rt)' |
		sort -V | tail -n 1
}

has_package() { apt-cache show "$1" >/dev/null 2>&1; }

# The newest suites split an image in three packages.
download() { # IMAGE DIR: unpacked
	local version=${1#linux-image-} package deb
	mkdir -p "$2/debs"
	for package in "$1" "linux-binary-$version" "linux-modules-$version"; do
		has_package "$package" || continue
		(cd "$2/debs" && apt-get -qq download "$package") || die "cannot fetch '$package'"
	done
	for deb in "$2"/debs/*.deb; do dpkg-deb -x "$deb" "$2"; done
	rm -r "$2/debs"
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
	local kernel=${1:?usage: fetch.sh KERNEL [--again]} known suite arch regex image part
	part=$VM/$kernel.part
	[[ ${2:-} == --again || ! -e $VM/$kernel/version ]] || return 0
	known=$(known_kernel "$kernel")
	read -r suite arch regex <<<"$known"
	private_apt "$suite" "$arch"
	image=$(newest "$regex")
	[[ $image ]] || die "no package like '$regex' in '$suite'"
	echo "fetch: $kernel is $image" >&2
	rm -rf "$part"
	download "$image" "$part"
	tidy "$part"
	rm -rf "${VM:?}/$kernel"
	mv "$part" "$VM/$kernel"
}

main "$@"
