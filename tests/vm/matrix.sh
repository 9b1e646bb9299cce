#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The verifier's budget and the ground truth on several kernels, each tier of each; and what every
# kernel gave, as a table, compared with expected.txt.
# usage: matrix.sh KERNEL...      TIERS="stock lowest" picks some, see tiers.sh
# KERNEL as in fetch.sh, or `here`: the running one, as root, and only what it has of itself.
# Each machine's whole output is in build/vm/KERNEL.txt.
set -euo pipefail
shopt -s inherit_errexit

VM=$(cd "$(dirname "$0")" && pwd)
OUT=$(cd "$VM/../.." && pwd)/build/vm
read -ra TIERS <<<"${TIERS:-}"

run() { # KERNEL
	if [[ $1 == here ]]; then
		(cd "$VM/../.." && SCOPE='' REPEAT=1 tests/vm/tiers.sh stock)
		return
	fi
	"$VM/fetch.sh" "$1"
	# shellcheck disable=SC2016 # for the machine's shell
	VM_TIMEOUT=${VM_TIMEOUT:-1200} "$VM/run.sh" "$1" bash -c \
		'tests/vm/budget.sh "$0" && tests/vm/tiers.sh "$@"' "$1" "${TIERS[@]}"
}

main() {
	local kernel status=0
	mkdir -p "$OUT"
	for kernel; do
		if run "$kernel" >"$OUT/$kernel.txt" 2>&1; then
			echo "ok $kernel" >&2
		else
			echo "not ok $kernel: see '$OUT/$kernel.txt'" >&2
			grep -a -vE '^\{"kernel"' "$OUT/$kernel.txt" | tail -n 40 |
				cut -c 1-200 | sed 's/^/    /' >&2
			status=1
		fi
	done
	for kernel; do
		{ grep -a '^{"kernel"' "$OUT/$kernel.txt" || true; } |
			jq -c --arg machine "$kernel" '{machine: $machine} + .'
	done >"$OUT/results.jsonl"
	"$VM/table.sh" show "$OUT/results.jsonl"
	"$VM/table.sh" check "$OUT/results.jsonl" || status=1
	return "$status"
}

main "$@"
