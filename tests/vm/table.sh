#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Rows of Markdown: kernel and tier, sessions, and the way taken for each moment that has several.
# usage: table.sh RESULTS.jsonl      as matrix.sh writes it
set -euo pipefail

jq -rs '
	def way(moment): [.hooks[] | select(.moment == moment)] |
		(map(select(.status == "on"))[0].attach // "-");
	(.[0].hooks | [.[].moment] | unique - ["tcp", "connect", "tcp state", "exec"] |
		map(select(startswith("udp ") | not))) as $moments |
	["kernel", "tier", "right", "wrong", "missing"] + $moments,
	["---", "---", "---:", "---:", "---:"] + [$moments[] | "---"],
	(.[] | . as $k | [.kernel, .tier, "\(.right + .holder)/\(.sessions)",
		.wrong, .missing] + [$moments[] | . as $m | $k | way($m)]) |
	"| " + (map(tostring) | join(" | ")) + " |"' "$@"
