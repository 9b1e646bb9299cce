# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# Sourced by run.sh, which has TREE, VM, ARCH, NATIVE, WORK and die(): what a test machine has, as
# two archives. The base, made once, is Debian's common tools; the payload is this tree, its
# programs, the command and the kernel's modules.
#
# A machine like this one has the tools and libraries of this one. What another architecture's
# programs load cannot be asked of them here: it has all libraries of the packages that its tools
# and our programs depend on.

# gojq is jq there: it starts in a tenth of the time, and is started some thousand times
PACKAGES='bash dash coreutils grep sed mawk findutils diffutils util-linux mount procps hostname
	kmod iproute2 gojq curl bpftool libc-bin nftables iptables'
# besides what everybody uses, what tests say they need in a line `# modules: NAME...`
MODS=${VM_MODS-veth tun dummy vrf inet_diag tcp_diag udp_diag $(
	sed -n 's/^# modules: //p' "$TREE"/tests/integration/*.sh | tr '\n' ' ')}
PORTS="virtio_pci virtio_console${VM_DISK:+ virtio_blk}" # what init talks to us through
USERLAND=$VM/root-$ARCH

is_foreign() { [[ $ARCH != "$NATIVE" ]]; }

libraries() { # PROGRAM...
	{ ldd "$@" 2>/dev/null || true; } | # static and foreign ones have none
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
	install -D -t "$1/usr/lib/terminfo/x" -m 644 /lib/terminfo/x/xterm # whatever the processor
}

tools() {
	# shellcheck disable=SC2086 # words
	dpkg -L $PACKAGES | grep -E '^(/usr)?/s?bin/[^/]+$|/xtables/[^/]+$' | while read -r file; do
		[[ ! -f $file ]] || echo "$file"
	done
	command -v awk sh
	find /usr/lib/locale/C.utf8 -type f
}

foreign_tools() { # ROOT
	local from
	(cd "$USERLAND" && cp -a --parents usr/bin usr/sbin usr/lib/locale "$1")
	ln -s mawk "$1/usr/bin/awk"
	for from in "$TREE/build/sysroot/$ARCH" "$USERLAND"; do
		(cd "$from" && find usr/lib -maxdepth 2 -name '*.so*' ! -type d -print0 |
			xargs -0 cp -a --remove-destination --parents -t "$1")
	done
}

# What a base depends on, as text.
ingredients() {
	if is_foreign; then
		cat "$TREE/build/sysroot/$ARCH/packages" "$USERLAND/packages"
	else
		tools | sort -u | xargs stat -L -c '%n %Y'
	fi
	cat "$TREE/tests/vm/contents.sh"
}

# Made anew when a tool or the recipe is another.
base() { # -> FILE
	local key root image
	# shellcheck disable=SC2086 # words
	! is_foreign || "$TREE/packaging/sysroot.sh" "$ARCH" "$USERLAND" $PACKAGES
	key=$(ingredients | cksum)
	image=$VM/base-$ARCH-${key%% *}.cpio
	if [[ ! -e $image ]]; then
		root=$WORK/base
		skeleton "$root"
		if is_foreign; then
			foreign_tools "$root"
		else
			mapfile -t files < <(tools | sort -u)
			put "$root" "${files[@]}"
		fi
		ln -s gojq "$root/usr/bin/jq"
		archive "$root" >"$WORK/base.cpio"
		mv "$WORK/base.cpio" "$image"
		find "$VM" -maxdepth 1 -name "base-$ARCH-*.cpio" ! -path "$image" -delete
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
}

# Of PORTS those that are modules: not every kernel with them built in has the list that says so.
port_modules() { # KERNEL_DIR
	local module
	for module in $PORTS; do
		modprobe -d "$1" -S "$(<"$1/version")" --show-depends "$module" 2>/dev/null |
			grep -q '^insmod' && echo "$module"
	done
	true
}

# What a system of its own is given: packages and images to install, and how to run the command.
for_disk() { # ROOT BUILD
	cp "$TREE/tests/vm/disk.service" "$1/vm/"
	echo "${VM_PREPARE:-}" >"$1/vm/prepare"
	(cd "$2" && find deb deploy -name '*.deb' -o -name '*.tar') |
		(cd "$2" && cpio --quiet -pd "$1/flowner/build")
}

payload() { # ROOT COMMAND...
	local root=$1 build=$TREE/build programs libraries ports
	shift
	! is_foreign || build+=/$ARCH
	layout "$root"
	cp "$TREE/tests/vm/init" "$root/init"
	mkdir "$root/flowner/build"
	(cd "$TREE" && cp -r tests packaging "$root/flowner/")
	mapfile -t programs < <(cd "$build" && find . -maxdepth 2 \
		\( -path ./san -o -path ./vm -o -path ./sysroot -o -path ./apt \
		-o -path ./arm64 -o -path ./s390x \) -prune \
		-o -type f \( -perm -u+x -o -name 'flow*.bpf.o' \) -print)
	((${#programs[@]})) || die "nothing is built in '$build'"
	(cd "$build" && cp --parents "${programs[@]}" "$root/flowner/build/")
	[[ ! ${VM_DISK:-} ]] || for_disk "$root" "$build"
	mapfile -t libraries < <(cd "$build" && libraries "${programs[@]}")
	((! ${#libraries[@]})) || put "$root" "${libraries[@]}"
	printf '%q ' "$@" >"$root/vm/command"
	ports=$(port_modules "$KERNEL_DIR")
	[[ -z $ports ]] || echo "$ports" >"$root/vm/ports"
	[[ -z $MODS ]] || echo "$MODS" >"$root/vm/modules"
	# shellcheck disable=SC2086 # words
	modules "$root" "$KERNEL_DIR" $ports $MODS
}
