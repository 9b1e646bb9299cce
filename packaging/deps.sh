#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Installs what is missing of the package sets named: build test lint fuzz bench deb deploy vm
# fresh-root, cross-ARCH and vm-ARCH for another architecture: arm64 s390x.
# The only thing in this tree that installs anything. Says what first; DEPS=no only says.
# usage: deps.sh SET...     deps.sh --list SET... only names Debian's packages
set -euo pipefail
shopt -s inherit_errexit

die() { echo "deps: $*" >&2; exit 1; }

debian_packages() {
	case $1 in
	build) echo make gcc libc6-dev clang "$(debian_bpftool)" libbpf-dev libelf-dev zlib1g-dev \
		libjansson-dev libcyaml-dev libyaml-dev libmnl-dev libmicrohttpd-dev \
		libncurses-dev mount ;;
	test) echo libcmocka-dev liburing-dev libpcap0.8-dev g++ pkgconf iproute2 nftables \
		iptables curl jq openssl procps tmux ;;
	lint) echo clang-format clang-tidy cppcheck shellcheck universal-ctags mandoc zsh ;;
	fuzz) echo libclang-rt-dev ;;
	bench) echo libbpf-tools ;;
	deb) echo build-essential debhelper fakeroot git iproute2 libcmocka-dev ;;
	fresh-root) echo debootstrap git ;;
	deploy) echo docker.io runc debootstrap e2fsprogs git lintian ;;
	vm) echo qemu-system-x86 cpio gojq kmod debian-archive-keyring ;;
	vm-arm64) echo qemu-system-arm ;;
	vm-s390x) echo qemu-system-misc ;;
	cross-arm64) echo g{cc,++}-aarch64-linux-gnu qemu-user debian-archive-keyring ;;
	cross-s390x) echo g{cc,++}-s390x-linux-gnu qemu-user debian-archive-keyring ;;
	*) die "no package set '$1'" ;;
	esac
}

# a package of its own in Debian; in Ubuntu it comes with the kernel's tools
debian_bpftool() {
	if grep -q '^ID=ubuntu' /etc/os-release; then
		echo linux-tools-common linux-tools-generic
	else
		echo bpftool
	fi
}

installed_debian() {
	[[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

install_debian() {
	export DEBIAN_FRONTEND=noninteractive
	apt-get -qq update </dev/null
	apt-get -qq install -y --no-install-recommends "$@" </dev/null
}

# as far as we know: nobody has run this list yet
fedora_packages() {
	case $1 in
	build) echo make gcc clang bpftool libbpf-devel elfutils-libelf-devel zlib-devel \
		jansson-devel libcyaml-devel libyaml-devel libmnl-devel libmicrohttpd-devel \
		ncurses-devel util-linux ;;
	test) echo libcmocka-devel liburing-devel libpcap-devel gcc-c++ pkgconf iproute \
		curl jq openssl procps-ng libasan libubsan nftables tmux ;;
	lint) echo clang-tools-extra cppcheck ShellCheck ctags mandoc zsh ;;
	fuzz) echo compiler-rt ;;
	bench) echo bcc-tools ;;
	fresh-root) echo debootstrap git ;;
	deb | deploy | vm* | cross-*) die "that is made with Debian's packages, on Debian" ;;
	*) die "no package set '$1'" ;;
	esac
}

installed_fedora() { rpm -q --quiet --whatprovides "$1"; }

install_fedora() { dnf install -y "$@" </dev/null; }

family() {
	local ID='' ID_LIKE=''
	# shellcheck source=/dev/null
	. /etc/os-release
	case " $ID $ID_LIKE " in
	*' debian '* | *' ubuntu '*) echo debian ;;
	*' fedora '* | *' rhel '*) echo fedora ;;
	*) die "no package list for '$ID' yet; README.md names the libraries" ;;
	esac
}

missing() { # FAMILY SET... -> names, in the order of the lists
	local family=$1 set packages package
	shift
	for set; do
		packages=$("${family}_packages" "$set")
		for package in $packages; do
			"installed_$family" "$package" || echo "$package"
		done
	done
}

check_libbpf() { # the 1.0 API; Ubuntu 22.04 has 0.5
	local header=/usr/include/bpf/libbpf_version.h
	grep -qs 'LIBBPF_MAJOR_VERSION [1-9]' "$header" ||
		die "libbpf is too old here: 1.0 or newer is needed"
}

main() {
	local family list names
	if [[ ${1:-} == --list ]]; then
		shift
		for list; do debian_packages "$list"; done | tr ' ' '\n'
		return
	fi
	family=$(family)
	list=$(missing "$family" "$@")
	if [[ -n $list ]]; then
		mapfile -t names <<<"$list"
		echo "deps: missing for $*: ${names[*]}" >&2
		[[ ${DEPS:-yes} != no ]] || die "DEPS=no: nothing was installed"
		((EUID == 0)) || die "only root can install them: sudo packaging/deps.sh $*"
		"install_$family" "${names[@]}"
	fi
	[[ " $* " != *' build '* ]] || check_libbpf
}

main "$@"
