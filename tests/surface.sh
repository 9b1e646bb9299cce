#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Which kernel fields the BPF object reads, as `struct.field` lines, against vmlinux/surface.txt:
# the list shows in review when the surface grows. The object's own relocations are read, so the
# list is the same on every kernel, old or without BTF, and has the fields of older kernels too.
# usage: surface.sh check|update BPFTOOL OBJECT
set -euo pipefail
shopt -s inherit_errexit

list=$(dirname "$0")/../vmlinux/surface.txt
action=$1 bpftool=$2 object=$3

# bpftool tells each relocation as it resolves it: here against the object's own types
fields() {
	local said unused
	unused=$(mktemp)
	said=$("$bpftool" --debug gen min_core_btf "$object" "$unused" "$object" 2>&1) || {
		rm -f "$unused"
		tail -n 3 <<<"$said" >&2
		return 1
	}
	rm -f "$unused"
	sed -nE 's/.*: relo #[0-9]+: <[a-z_]+> \[[0-9]+\] [a-z]+ ([^ ]+).*/\1/p' <<<"$said" |
		LC_ALL=C sort -u
}

now=$(fields)
if [[ -z $now ]]; then
	echo "surface: '$bpftool' told no relocations of '$object'" >&2
	exit 1
fi
case $action in
check)
	if diff -u --label vmlinux/surface.txt --label "$object" "$list" - <<<"$now"; then
		echo "surface: $(wc -l <"$list") kernel fields, as listed"
	else
		echo "surface: not as listed; make surface-update, and say why in the commit" >&2
		exit 1
	fi
	;;
update)
	echo "$now" >"$list"
	echo "surface: $(wc -l <"$list") kernel fields"
	;;
*)
	echo "usage: surface.sh check|update BPFTOOL OBJECT" >&2
	exit 2
	;;
esac
