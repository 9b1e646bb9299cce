#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Breaks each row of the hook table in turn, where rows.txt says, and shows which test fails. As
# root: some rows are broken on the running kernel, below a cgroup of the tests' own.
# usage: rows.sh [PROGRAM...]      all of them when none is named
# Fails when a test passes in spite of a broken row, or when rows.txt does not have all rows.
# What each machine said is in build/vm/rows-MACHINE.txt.
set -euo pipefail
shopt -s inherit_errexit

VM=$(cd "$(dirname "$0")" && pwd)
TREE=$(cd "$VM/../.." && pwd)
OUT=$TREE/build/vm

listed() { awk '!/^#/ { print $4, $1 }' "$VM/rows.txt" | sort -u; }

# Each program is broken while nothing at start notices; what has a self-test for this, too.
needed() {
	grep -oE '"[a-z0-9_]+", (HOOK_NO_PROBE|FL_PROBE_[A-Z_]+)' \
		"$TREE/src/kernel/hooks.c" | tr -d '",' |
		awk '{ print "idle", $1 } $2 != "HOOK_NO_PROBE" { print "silent", $1 }' | sort -u
}

complete() {
	local differs
	differs=$(diff <(needed) <(listed) | grep '^[<>]') || return 0
	echo "rows: rows.txt lacks (<) or has too much (>):" >&2
	echo "$differs" >&2
	return 1
}

machines() { # [PROGRAM...]: that have a row of these, `here` first
	awk -v chosen=" $* " '!/^#/ && (chosen == "  " || index(chosen, " " $1 " ")) { print $2 }' \
		"$VM/rows.txt" | sort -u -k 1,1.0 -V -r
}

as_owner() { # COMMAND...: leaves no file of root's in somebody else's tree
	setpriv --reuid="$(stat -c %u "$TREE")" --regid="$(stat -c %g "$TREE")" --clear-groups "$@"
}

break_in() { # MACHINE [PROGRAM...]
	local machine=$1
	if [[ $machine == here ]]; then
		"$VM/broken.sh" "$@"
	else
		VM_TIMEOUT=${VM_TIMEOUT:-1200} as_owner "$VM/run.sh" "$machine" \
			tests/vm/broken.sh "$@"
	fi
}

in_order() { # rows of Markdown, as rows.txt has them
	awk -F '`' 'NR == FNR { split($0, word, " "); if (!(word[1] in at)) at[word[1]] = NR; next }
		{ print at[$2] "\t" $0 }' "$VM/rows.txt" - | sort -s -n -k 1,1 | cut -f 2-
}

main() {
	local row machine log status=0 all=()
	((EUID == 0)) || { echo 'rows: needs root: sudo make break-rows' >&2; exit 1; }
	complete || status=1
	for row; do
		grep -q "^$row " "$VM/rows.txt" || { echo "rows: no row '$row'" >&2; exit 2; }
	done
	mapfile -t all < <(machines "$@")
	as_owner mkdir -p "$OUT"
	for machine in "${all[@]}"; do
		log=$OUT/rows-$machine.txt
		as_owner touch "$log"
		break_in "$machine" "$@" >"$log" 2>&1 || {
			status=1
			echo "rows: $machine: see '$log'" >&2
			{ grep -av '^| `' "$log" || true; } | tail -n 20 | cut -c 1-200 >&2
		}
	done
	echo '| broken | where | how | test | what it said |'
	echo '|---|---|---|---|---|'
	for machine in "${all[@]}"; do cat "$OUT/rows-$machine.txt"; done |
		grep -a '^| `' | in_order
	exit "$status"
}

main "$@"
