#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Which kernel fields the BPF object reads, as `struct.field` lines, against vmlinux/surface.txt:
# the list shows in review when the surface grows. Asks the BTF of the running kernel, so a field
# of an older kernel's flavour (struct x___old) counts only where it exists: update on a recent
# kernel, on x86_64.
# usage: surface.sh check|update BPFTOOL OBJECT
set -euo pipefail

list=$(dirname "$0")/../vmlinux/surface.txt
btf=/sys/kernel/btf/vmlinux
action=$1 bpftool=$2 object=$3

# what is left of the kernel's types once only those the object relocates against are kept
fields() {
	local small
	small=$(mktemp)
	"$bpftool" gen min_core_btf "$btf" "$small" "$object"
	# a type without a name goes by its typedef, else by the member that is of this type
	"$bpftool" btf dump file "$small" format raw | tr -d "[]'" | awk '
		/^[0-9]/ { id = $1; kept = $2 ~ /^(STRUCT|UNION|ENUM|ENUM64)$/; name[id] = $3 }
		/^[0-9]+ TYPEDEF/ { split($4, t, "="); alias[t[2]] = $3 }
		/^\t/ && kept { n++; type[n] = id; field[n] = $1 }
		/^\t/ && kept && split($2, t, "=") { outer[t[2]] = id; member[t[2]] = $1 }
		function path(id) {
			if (name[id] != "(anon)") return name[id]
			if (id in alias) return alias[id]
			return path(outer[id]) (member[id] == "(anon)" ? "" : "." member[id])
		}
		END {
			for (i = 1; i <= n; i++)
				if (field[i] != "(anon)") print path(type[i]) "." field[i]
		}' |
		sort -u
	rm -f "$small"
}

case $action in
check)
	if [[ ! -r $btf ]]; then
		echo "surface: skipped, this kernel has no BTF"
	elif diff -u --label vmlinux/surface.txt --label "$object" "$list" <(fields); then
		echo "surface: $(wc -l <"$list") kernel fields, as listed"
	else
		echo "surface: not as listed; make surface-update, and say why in the commit" >&2
		exit 1
	fi
	;;
update)
	fields >"$list"
	echo "surface: $(wc -l <"$list") kernel fields"
	;;
*)
	echo "usage: surface.sh check|update BPFTOOL OBJECT" >&2
	exit 2
	;;
esac
