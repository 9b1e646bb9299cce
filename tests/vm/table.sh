#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What doctor says on each kernel and tier: compared with expected.txt, shown as Markdown.
# RESULTS is what matrix.sh writes: a line of JSON for each machine and tier.
# usage: table.sh show RESULTS      as the table of README.md
#        table.sh check RESULTS     another way, or another loss, than expected is a failure
#        table.sh complete RESULTS  so is no result of a MACHINE TIER of standard input, or one of
#                                   fewer sessions than expected by more than one of a hundred:
#                                   UDP clients that get each other's ports are one
#        table.sh update RESULTS    writes expected.txt, for what RESULTS has, and README.md
#        table.sh lint              says when README.md's table is not of expected.txt
#
# A line of expected.txt: MACHINE | TIER | WHAT | VALUE | LOST. WHAT is a moment of the hook table
# and VALUE the way taken; or `kernel`; or `sessions`, right wrong missing, as counted last: their
# number is compared, truth.sh has judged them.
set -euo pipefail
shopt -s inherit_errexit

TREE=$(cd "$(dirname "$0")/../.." && pwd)
EXPECTED=$TREE/tests/vm/expected.txt
README=$TREE/README.md
BEGIN='<!-- made by make vm-table: do not edit -->' END='<!-- end of vm-table -->'

# The tier is told by what was forbidden, see without.sh. `here` is this machine.
lines() { # RESULTS -> lines of expected.txt
	jq -r --arg here "$(uname -m)" '
		def tier: [.hooks[] | select(.status == "off").attach | split("/")[0]] |
			if length == 0 then "stock"
			elif index("kprobe") then "lowest"
			elif index("fentry") then "no-trampolines"
			else "no-lsm" end;
		def architecture: if .machine == "here" then $here
			elif .machine | test("-") then .machine | split("-")[0]
			else "x86_64" end;
		def way: map(select(.status | IN("on", "not needed")) |
			if .status == "on" then .attach else .status end) |
			if length == 0 then "-" else join(", ") end;
		. as $r | tier as $tier |
		["kernel", "\(.kernel | capture("^(?<v>[0-9]+\\.[0-9]+)").v) \(architecture)", ""],
		(if .sessions then ["sessions", "\(.right + .holder) \(.wrong) \(.missing)", ""]
			else empty end),
		([.hooks[].moment] | reduce .[] as $m ([]; if index($m) then . else . + [$m] end) |
			.[] as $m | [$r.hooks[] | select(.moment == $m)] |
			[$m, way, ([.[].lost // empty] | unique | join("; "))]) |
		[$r.machine, $tier] + . | join(" | ") | sub(" +$"; "")' "$1"
}

ways() { awk -F ' [|] ?' '$3 != "kernel" && $3 != "sessions"'; }

# Machines in the order of the table, tiers from the top, moments as the hook table has them.
in_order() {
	awk -F ' [|] ?' '
		BEGIN { split("stock no-lsm no-trampolines lowest", t, " ")
			for (i in t) tier[t[i]] = i }
		$1 ~ /^[0-9]/ { kind = 0 }
		$1 == "new" { kind = 1 }
		$1 ~ /^[a-z].*-/ { kind = 2 }
		$1 == "here" { kind = 3 }
		{ print kind "-" $1 "-" tier[$2] "-" NR + 10000 "\t" $0 }' |
		sort -V | cut -f 2-
}

# Of `here` only the kernel that was seen is known.
comparable() { # LINES: those whose machine and tier expected.txt has
	awk -F ' [|] ?' '
		NR == FNR { known[$1, $2] = 1; if ($3 == "kernel") kernel[$1] = $4; next }
		$3 == "kernel" {
			other[$1] = $1 == "here" && $4 != kernel[$1]
			if (!(($1, $2) in known) || other[$1]) {
				print "table: nothing is expected of " $1 " " $2 ", " $4 \
					>"/dev/stderr"
				bad += $1 != "here"
			}
		}
		($1, $2) in known && !other[$1]
		END { exit bad > 0 }' "$EXPECTED" <(echo "$1")
}

some_lines() { # RESULTS
	local now
	now=$(lines "$1")
	[[ $now ]] || { echo "table: there is nothing in '$1'" >&2; return 1; }
	echo "$now"
}

check() { # RESULTS
	local now
	now=$(some_lines "$1") || return 1
	now=$(comparable "$now" | ways)
	[[ $now ]] || return 0 # of this machine
	awk -F ' [|] ?' '
		NR == FNR {
			way[$1, $2, $3] = $4
			lost[$1, $2, $3] = $5
			line[$0] = 1
			next
		}
		{ ran[$1, $2] = 1; seen[$1, $2, $3] = 1 }
		!(($1, $2, $3) in way) { complain("is not in expected.txt"); next }
		$4 != way[$1, $2, $3] { differs("the way", $4, way[$1, $2, $3]); next }
		$5 != lost[$1, $2, $3] { differs("what is lost", $5, lost[$1, $2, $3]) }
		function differs(what, now, then) {
			complain(what " is \47" now "\47, expected \47" then "\47")
		}
		function complain(what) { print $1 " " $2 ": " $3 ": " what; bad = 1 }
		END {
			for (i in line) {
				$0 = i
				if (($1, $2) in ran && !(($1, $2, $3) in seen))
					complain("is no moment any more")
			}
			exit bad
		}' <(ways <"$EXPECTED") <(echo "$now") >&2 || {
		echo 'table: if that is right: make vm-table' >&2
		return 1
	}
}

counted() { awk -F ' [|] ?' '$3 == "sessions" { print $1, $2, $4 + 0 }'; } # of lines

complete() { # RESULTS; MACHINE TIER, a line each
	local now
	now=$(lines "$1" | counted)
	awk '
		FILENAME == ARGV[1] { wanted[$1, $2]; next }
		FILENAME == ARGV[2] { expected[$1, $2] = $3; next }
		{ seen[$1, $2] = $3 }
		END {
			for (i in wanted) {
				split(i, at, SUBSEP)
				of = "table: " at[1] " " at[2] ": "
				if (!seen[i]) {
					print of "no result"
				} else if (at[1] == "here") {
					continue
				} else if (!(i in expected)) {
					print of "expected.txt has no number of sessions"
				} else if (seen[i] < expected[i] * 0.99) {
					print of seen[i] " sessions, expected " expected[i]
				} else {
					continue
				}
				bad = 1
			}
			if (!length(wanted)) { print "table: nothing is asked for"; bad = 1 }
			exit bad
		}' <(cat) <(counted <"$EXPECTED") <(echo "$now") >&2
}

markdown() { awk -f "$TREE/tests/vm/table.awk"; } # of lines of expected.txt

section() { # the table of README.md with its markers
	echo "$BEGIN"
	markdown <"$EXPECTED"
	echo "$END"
}

in_readme() { awk -v begin="$BEGIN" -v end="$END" '
	$0 == begin { on = 1 } on { print } $0 == end { on = 0 }' "$README"; }

lint() {
	[[ $(in_readme) == "$(section)" ]] ||
		echo 'README.md: the table is not of tests/vm/expected.txt: make vm-table'
}

write_expected() { # RESULTS: what they do not have stays
	local now
	now=$(some_lines "$1") || return 1
	{
		awk -F ' [|] ?' 'NR == FNR { now[$1, $2] = 1; next } !(($1, $2) in now)' \
			<(echo "$now") "$EXPECTED"
		echo "$now"
	} | in_order >"$EXPECTED.part"
	mv "$EXPECTED.part" "$EXPECTED"
}

write_readme() {
	local now
	now=$(section)
	awk -v begin="$BEGIN" -v end="$END" '
		NR == FNR { now = now $0 "\n"; next }
		$0 == begin { printf "%s", now; skip = 1 }
		!skip
		$0 == end { skip = 0 }' <(echo "$now") "$README" >"$README.part"
	cat "$README.part" >"$README"
	rm "$README.part"
}

case ${1:-} in
show) lines "$2" | in_order | markdown ;;
check) check "$2" ;;
complete) complete "$2" ;;
update) write_expected "$2"; write_readme ;;
lint) lint ;;
*) echo 'usage: table.sh show|check|complete|update RESULTS, table.sh lint' >&2; exit 2 ;;
esac
