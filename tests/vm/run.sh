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
# Output is streamed and the status passed on; 124: not in time, 125: the machine died. One that
# does not get as far as its first process is started again; one that did, and then did not come up,
# died.
#
#	VM_LSM='a,b'  security modules, instead of those the kernel has of itself
#	VM_MODS='a b' kernel modules to load, instead of those tests need
#	VM_APPEND=x   more of a kernel command line
#	VM_DISK=FILE  a system to boot into (tests/deploy/disk.sh makes one), which has of the above
#	              only /flowner, and there the packages too; what is written to it is lost
#	VM_PREPARE=x  a command line that is run there before it boots
#	VM_MEM=2G VM_SMP=2 VM_TIMEOUT=600
#	VM_LOG=FILE   gets the kernel's messages
# shellcheck disable=SC2317 # cleanup() is called
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin # depmod, modprobe, bpftool
shopt -s inherit_errexit

TREE=$(cd "$(dirname "$0")/../.." && pwd)
VM=$TREE/build/vm
BOOT_TRIES=3 BOOT_SECONDS=90 UP_SECONDS=300

die() { echo "vm: $*" >&2; exit 125; }

architecture() { # KERNEL
	case $1 in
	*-*) echo "${1%%-*}" ;;
	*) echo amd64 ;;
	esac
}

# What differs between machines: the emulator, and where the kernel's messages go.
machine() { # ARCH
	case $1 in
	amd64)
		# every rep movsb counts here, byte by byte: let it not be thought fast
		QEMU=(qemu-system-x86_64 -cpu 'max,-erms,-fsrm')
		APPEND='console=ttyS0 no_timer_check'
		;;
	arm64)
		QEMU=(qemu-system-aarch64 -M virt -cpu 'max,pauth-impdef=on')
		APPEND='console=ttyAMA0'
		;;
	s390x)
		# with vectors, under QEMU 7.2, resets and ICMP got lost (why: not known)
		QEMU=(qemu-system-s390x -M s390-ccw-virtio -cpu 'max,vx=off,vxeh=off,vxeh2=off')
		APPEND='console=ttysclp0'
		;;
	*) die "no machine for '$1'" ;;
	esac
}

# One thread for all its processors: QEMU before 8.1 may run code that another of them has just
# patched (6.12 died of a stale breakpoint in a jump label), and it is cheaper by a quarter.
# An end of its input would hang up the port that shares stdio with it.
qemu() { # -> PID, in the background
	"${QEMU[@]}" -accel tcg,thread=single -m "${VM_MEM:-2G}" -smp "${VM_SMP:-2}" \
		-nodefaults -nic none -display none -monitor none -no-reboot \
		-chardev "file,id=log,path=$WORK/log" -serial chardev:log \
		-device virtio-serial \
		-chardev stdio,id=out,signal=off -device virtserialport,chardev=out \
		-chardev "file,id=status,path=$WORK/status" -device virtserialport,chardev=status \
		${VM_DISK:+-drive "file=$VM_DISK,format=raw,if=virtio,snapshot=on"} \
		-kernel "$KERNEL_DIR/vmlinuz" -initrd "$WORK/initramfs" -append "$APPEND" \
		<>"$WORK/silence" &
	PID=$!
}

came_up() { grep -qs '^up' "$WORK/status"; }
is_in_user_space() { grep -qas 'vm: user space' "$WORK/log"; } # init says so
gone() { ! kill -0 "$PID" 2>/dev/null; }

wait_for() { # WHAT SECONDS: or the end of the machine
	local deadline=$((SECONDS + $2))
	until "$1" || gone || ((SECONDS > deadline)); do sleep 0.2; done # lint: poll
}

# Under load an emulated machine now and then does not find its timer.
boot() {
	local try
	for ((try = 1; try <= BOOT_TRIES; try++)); do
		: >"$WORK/status"
		: >"$WORK/log"
		qemu
		wait_for is_in_user_space "$BOOT_SECONDS"
		if is_in_user_space; then
			wait_for came_up "$UP_SECONDS"
			! came_up || return 0
			tail -n 30 "$WORK/log" >&2
			die "$KERNEL died before it was up"
		fi
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
	ARCH=$(architecture "$1") NATIVE=$(dpkg --print-architecture)
	shift
	machine "$ARCH"
	# shellcheck source=tests/vm/contents.sh
	. "$TREE/tests/vm/contents.sh"
	"$TREE/tests/vm/fetch.sh" "$KERNEL"
	WORK=$(mktemp -d -p "$VM" work-XXXXXX)
	trap cleanup EXIT
	trap 'exit 143' TERM
	trap 'exit 130' INT
	APPEND+=" quiet panic=-1${VM_LSM:+ lsm=$VM_LSM} ${VM_APPEND:-}"
	payload "$WORK/payload" "$@"
	cat "$(base)" <(archive "$WORK/payload") >"$WORK/initramfs"
	mkfifo "$WORK/silence"
	boot
	finish
}

main "$@"
