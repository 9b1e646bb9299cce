#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# In a test machine: what verifying each program costs here against budget.txt; do all load that
# are to? A program that this kernel refuses, for what it lacks, is listed with `-`.
# usage: budget.sh NAME      NAME: of the kernel, the column of budget.txt
#        budget.sh update    makes of budget.txt what the last run of matrix.sh saw, `make vm-table`
# More than twice the listed number of instructions fails, and so does a program that is not
# listed, or is listed otherwise than it is, or that the build does not have.
set -euo pipefail

HERE=$(dirname "$0")
BUDGET=$HERE/budget.txt

check() { # KERNEL
	local now
	now=$(build/tests/verify) || { echo "$now"; exit 1; }
	awk -v kernel="$1" '
		NR == FNR { if ($1 == kernel) budget[$2] = $3; next }
		$2 == "refused:" && $1 ~ /^[a-z0-9_]+$/ { judge("-") }
		NF == 2 && $2 ~ /^[0-9]+$/ { judge($2) } # there is more, of what it refuses
		function judge(cost, listed) {
			listed = $1 in budget ? budget[$1] : "nothing"
			seen[$1]
			printf "%-22s %7s of %7s\n", $1, cost, cost == "-" ? "-" : 2 * listed
			if (listed == "nothing")
				complain("not in budget.txt")
			else if (cost == "-" && listed != "-")
				complain("refused")
			else if (cost != "-" && listed == "-")
				complain("in budget.txt as refused, and is not")
			else if (cost + 0 > 2 * listed)
				complain("too dear")
		}
		function complain(what) { print "    budget: " what; bad = 1 }
		END {
			for (name in budget)
				if (!(name in seen)) complain("there is no " name " any more")
			if (!length(seen)) complain("there are no programs")
			exit bad
		}' "$BUDGET" <(echo "$now")
}

# What was not run stays as it is.
update() {
	local file kernel new
	for file in "$HERE"/../../build/vm/*.txt; do
		kernel=$(basename "$file" .txt)
		new=$(awk -v kernel="$kernel" 'NF == 4 && $2 ~ /^([0-9]+|-)$/ && $3 == "of" \
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
