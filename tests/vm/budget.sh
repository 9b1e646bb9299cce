#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# In a test machine: what verifying each program costs here against budget.txt; do all load?
# usage: budget.sh NAME [update]     NAME: of the kernel, the column of budget.txt
# More than twice the listed number of instructions fails. `update` prints this kernel's table.
set -euo pipefail

BUDGET=$(dirname "$0")/budget.txt
kernel=$1 mode=${2:-check}
now=$(build/tests/verify) || { echo "$now"; exit 1; }

if [[ $mode == update ]]; then
	awk -v kernel="$kernel" '$2 ~ /^[0-9]+$/ { print kernel, $1, $2 }' <<<"$now"
	exit
fi
awk -v kernel="$kernel" '
	NR == FNR { if ($1 == kernel) budget[$2] = $3; next }
	$2 !~ /^[0-9]+$/ { next }
	{ printf "%-22s %7d of %7d\n", $1, $2, 2 * budget[$1] }
	!($1 in budget) { print "    not in budget.txt"; bad = 1; next }
	$2 > 2 * budget[$1] { print "    too dear"; bad = 1 }
	END { exit bad }' "$BUDGET" <(echo "$now")
