#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# In a test machine: what verifying each program costs here against budget.txt; do all load?
# usage: budget.sh NAME      NAME: of the kernel, the column of budget.txt
#        budget.sh update    makes of budget.txt what the last run of matrix.sh saw, `make vm-table`
# More than twice the listed number of instructions fails.
set -euo pipefail

HERE=$(dirname "$0")
BUDGET=$HERE/budget.txt

check() { # KERNEL
	local now
	now=$(build/tests/verify) || { echo "$now"; exit 1; }
	awk -v kernel="$1" '
		NR == FNR { if ($1 == kernel) budget[$2] = $3; next }
		NF != 2 || $2 !~ /^[0-9]+$/ { next } # the verifier says more of those it refuses
		{ printf "%-22s %7d of %7d\n", $1, $2, 2 * budget[$1] }
		!($1 in budget) { print "    not in budget.txt"; bad = 1; next }
		$2 > 2 * budget[$1] { print "    too dear"; bad = 1 }
		END { exit bad }' "$BUDGET" <(echo "$now")
}

# What was not run stays as it is.
update() {
	local file kernel new
	for file in "$HERE"/../../build/vm/*.txt; do
		kernel=$(basename "$file" .txt)
		new=$(awk -v kernel="$kernel" 'NF == 4 && $2 ~ /^[0-9]+$/ && $3 == "of" \
			{ print kernel, $1, $2 }' "$file")
		[[ -n $new ]] || continue
		{ awk -v kernel="$kernel" '$1 != kernel' "$BUDGET"; echo "$new"; } >"$BUDGET.new"
		{ grep '^#' "$BUDGET.new"; grep -v '^#' "$BUDGET.new" | sort -V; } >"$BUDGET"
		rm "$BUDGET.new"
	done
}

case ${1:?usage: budget.sh NAME|update} in
update) update ;;
*) check "$1" ;;
esac
