#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Runs a command as root on a stock Debian kernel under QEMU's emulation: no KVM, no root needed.
# usage: run.sh KERNEL COMMAND...      KERNEL as in fetch.sh
#
#	tests/vm/run.sh 6.1 tests/run.sh build scope    one test of tests/integration
#	tests/vm/run.sh 6.1 tests/vm/suite.sh 6.1       all there is to run on a kernel
#	VM_MODS=veth tests/vm/run.sh 5.10 ip link add type veth
#
# The machine has this tree's tests/, packaging/ and what build/ has of programs, at /flowner, where
# the command starts; common tools; a unified cgroup2, bpffs, tracefs, securityfs; no network.
# Output is streamed and the status passed on; 124: not in time, 125: the machine died.
#
#	VM_LSM='a,b'  security modules, instead of those the kernel has of itself
#	VM_MODS='a b' kernel modules to load
#	VM_APPEND=x   more of a kernel command line
#	VM_MEM=2G VM_SMP=2 VM_TIMEOUT=600
#	VM_LOG=FILE   gets the kernel's messages
# shellcheck disable=SC2317 # cleanup() is called
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin # depmod, modprobe, bpftool
shopt -s inherit_errexit

TREE=$(cd "$(dirname "$0")/../.." && pwd)
VM=$TREE/build/vm
BOOT_TRIES=3 BOOT_SECONDS=90
PACKAGES='bash dash coreutils grep sed mawk findutils diffutils util-linux mount procps hostname
	kmod iproute2 jq curl bpftool nftables'
MODS=${VM_MODS-veth tun dummy vrf inet_diag tcp_diag udp_diag}

die() { echo "vm: $*" >&2; exit 125; }

# --- what the machine has ---

libraries() { # PROGRAM...
	{ ldd "$@" 2>/dev/null || true; } | # static ones have none
		sed -nE 's/.*=> (\/[^ ]+) .*/\1/p; s/^[[:blank:]]+(\/[^ ]+) \(.*/\1/p' | sort -u
}

put() { # ROOT FILE...: each at its own place, with the libraries it needs
	local root=$1
	shift
	{ printf '%s\n' "$@"; libraries "$@"; } | sort -u | while read -r file; do
		mkdir -p "$root${file%/*}"
		cp -L "$file" "$root$file"
	done
}

archive() { # ROOT
	(cd "$1" && find . -print0 | cpio -0 --quiet -o -H newc -R 0:0)
}

layout() { # ROOT: both archives have the links, or one's directory would replace the other's link
	local dir
	mkdir -p "$1"/usr/{bin,sbin,lib,lib64} "$1"/{vm,flowner}
	for dir in bin sbin lib lib64; do ln -s "usr/$dir" "$1/$dir"; done
}

skeleton() { # ROOT
	layout "$1"
	mkdir -p "$1"/{etc,proc,sys,dev,run,tmp,root,var}
	ln -s /run "$1/var/run"
	ln -s /proc/self/mounts "$1/etc/mtab"
	printf '%s\n' 'root:x:0:0:root:/root:/bin/bash' \
		'nobody:x:65534:65534:nobody:/:/bin/sh' >"$1/etc/passwd"
	printf '%s\n' 'root:x:0:' 'nogroup:x:65534:' >"$1/etc/group"
	printf '%s\n' '127.0.0.1 localhost' '::1 localhost' >"$1/etc/hosts"
	echo 'ID=flowner-vm' >"$1/etc/os-release"
	cp /etc/protocols /etc/services "$1/etc/" 2>/dev/null || true
}

tools() {
	# shellcheck disable=SC2086 # words
	dpkg -L $PACKAGES | grep -E '^(/usr)?/s?bin/[^/]+$' | while read -r file; do
		[[ ! -f $file ]] || echo "$file"
	done
	command -v awk sh
	find /usr/lib/locale/C.utf8 -type f
}

# Made anew when a tool or the recipe is another.
base() { # -> FILE
	local files key root image
	files=$(tools | sort -u)
	key=$(echo "$files" | xargs stat -L -c '%n %Y' - "$0" 2>/dev/null | cksum)
	image=$VM/base-${key%% *}.cpio
	if [[ ! -e $image ]]; then
		root=$WORK/base
		skeleton "$root"
		# shellcheck disable=SC2086 # words
		put "$root" $files
		archive "$root" >"$WORK/base.cpio"
		mv "$WORK/base.cpio" "$image"
		find "$VM" -maxdepth 1 -name 'base-*.cpio' ! -path "$image" -delete
	fi
	echo "$image"
}

modules() { # ROOT KERNEL_DIR MODULE...: with what they depend on
	local root=$1 from=$2 version module kind file
	version=$(<"$from/version")
	shift 2
	mkdir -p "$root/lib/modules/$version"
	cp "$from/lib/modules/$version"/modules.* "$root/lib/modules/$version/"
	for module; do
		modprobe -d "$from" -S "$version" --show-depends "$module" ||
			die "no module '$module' in this kernel"
	done | while read -r kind file _; do
		[[ $kind == insmod ]] || continue
		file=${file#"$from/"}
		mkdir -p "$root/${file%/*}"
		cp "$from/$file" "$root/$file"
	done
	(($# == 0)) || echo "$*" >"$root/vm/modules"
}

payload() { # ROOT COMMAND...
	local root=$1 programs libraries
	shift
	layout "$root"
	cp "$TREE/tests/vm/init" "$root/init"
	(cd "$TREE" && cp -r tests packaging "$root/flowner/")
	mapfile -t programs < <(cd "$TREE" &&
		find build -maxdepth 2 -path build/san -prune -o -path build/vm -prune -o \
			-type f \( -perm -u+x -o -name flowner.bpf.o \) -print)
	(cd "$TREE" && cp --parents "${programs[@]}" "$root/flowner/")
	mapfile -t libraries < <(cd "$TREE" && libraries "${programs[@]/#/./}")
	((! ${#libraries[@]})) || put "$root" "${libraries[@]}"
	printf '%q ' "$@" >"$root/vm/command"
	# shellcheck disable=SC2086 # words
	modules "$root" "$KERNEL_DIR" $MODS
}

# --- running it ---

qemu() { # -> PID, in the background
	qemu-system-x86_64 -accel tcg,thread=multi -cpu max -m "${VM_MEM:-2G}" \
		-smp "${VM_SMP:-2}" -nodefaults -nic none -display none -monitor none -no-reboot \
		-chardev "file,id=log,path=$WORK/log" -serial chardev:log \
		-chardev stdio,id=out,signal=off -serial chardev:out \
		-chardev "file,id=status,path=$WORK/status" -serial chardev:status \
		-kernel "$KERNEL_DIR/vmlinuz" -initrd "$WORK/initramfs" -append "$APPEND" \
		</dev/null &
	PID=$!
}

came_up() { grep -qs '^up' "$WORK/status"; }
gone() { ! kill -0 "$PID" 2>/dev/null; }

# Under load an emulated machine now and then does not find its timer.
boot() {
	local deadline try
	for ((try = 1; try <= BOOT_TRIES; try++)); do
		: >"$WORK/status"
		qemu
		deadline=$((SECONDS + BOOT_SECONDS))
		until came_up || gone || ((SECONDS > deadline)); do sleep 0.2; done # lint: poll
		! came_up || return 0
		stop
		echo "vm: $KERNEL did not come up ($try)" >&2
	done
	tail -n 30 "$WORK/log" >&2
	die "$KERNEL does not come up"
}

stop() {
	[[ $PID ]] || return 0
	kill "$PID" 2>/dev/null || true
	wait "$PID" 2>/dev/null || true
	PID=''
}

finish() {
	local deadline=$((SECONDS + ${VM_TIMEOUT:-600})) status
	until gone || ((SECONDS > deadline)); do sleep 0.2; done # lint: poll
	status=$(sed -n 's/^exit \([0-9]*\).*/\1/p' "$WORK/status")
	[[ -z $status ]] || exit "$status"
	tail -n 30 "$WORK/log" >&2
	gone || { echo "vm: not in ${VM_TIMEOUT:-600} seconds" >&2; exit 124; }
	die "$KERNEL died"
}

cleanup() {
	local status=$?
	stop
	[[ -z ${VM_LOG:-} ]] || cp "$WORK/log" "$VM_LOG" || true
	rm -rf "$WORK"
	exit "$status"
}

main() {
	(($# > 1)) || die "usage: run.sh KERNEL COMMAND..."
	KERNEL=$1 KERNEL_DIR=$VM/$1 PID=''
	shift
	"$TREE/tests/vm/fetch.sh" "$KERNEL"
	WORK=$(mktemp -d -p "$VM" work-XXXXXX)
	trap cleanup EXIT
	trap 'exit 143' TERM
	trap 'exit 130' INT
	APPEND="console=ttyS0 quiet panic=-1 no_timer_check 8250.nr_uarts=4"
	APPEND+="${VM_LSM:+ lsm=$VM_LSM} ${VM_APPEND:-}"
	payload "$WORK/payload" "$@"
	cat "$(base)" <(archive "$WORK/payload") >"$WORK/initramfs"
	boot
	finish
}

main "$@"
