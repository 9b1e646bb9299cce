# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# Sourced: variants measured in turn, round by round, as a table. Every round runs every variant
# once, so that a slow minute of the machine hits all of them; a ratio is a variant's time over that
# of the bare run of the same round, and the median of those is shown with the lowest and the
# highest. `control` is bare a second time: what it shows beside 1.00 is noise.
#
# $T/MODE.VARIANT has the nanoseconds, a line a round; $T/VARIANT.why, why it was not run. Of its
# user: T, rounds, VARIANTS, MODES.

median_row() { # MODE VARIANT -> "median_ns median_ratio lowest highest"
	paste "$T/$1.bare" "$T/$1.$2" | awk '
		function sort(a, n,   i, j, v) {
			for (i = 2; i <= n; i++) {
				v = a[i]
				for (j = i - 1; j && a[j] > v; j--) a[j + 1] = a[j]
				a[j + 1] = v
			}
		}
		function median(a, n) {
			return (a[int((n + 1) / 2)] + a[int((n + 2) / 2)]) / 2
		}
		{ ns[NR] = $2; ratio[NR] = $2 / $1 }
		END {
			sort(ns, NR); sort(ratio, NR)
			printf "%.0f %.2f ", median(ns, NR), median(ratio, NR)
			printf "%.2f %.2f\n", ratio[1], ratio[NR]
		}'
}

rounds() { # COMMAND: with each variant
	local round variant
	# shellcheck disable=SC2154 # of its user
	for ((round = 1; round <= rounds; round++)); do
		echo "round $round of $rounds" >&2
		for variant in "${VARIANTS[@]}"; do "$1" "$variant"; done
	done
}

table() { # MODE
	local variant ns ratio low high
	printf '\n%-14s %10s %8s %8s %8s   (%s rounds)\n' "$1" ns ratio lowest highest "$rounds"
	for variant in "${VARIANTS[@]}"; do
		if [[ -e $T/$variant.why ]]; then
			printf '%-14s not run: %s\n' "$variant" "$(<"$T/$variant.why")"
		elif [[ -e $T/$1.$variant ]]; then
			read -r ns ratio low high < <(median_row "$1" "$variant")
			printf '%-14s %10s %8s %8s %8s\n' "$variant" "$ns" "$ratio" "$low" "$high"
			[[ $variant != control ]] || echo "$ratio" >>"$T/controls"
		fi
	done
}

tables() {
	local mode
	echo "$(uname -sr), $(nproc) CPUs, load $(cut -d' ' -f1 /proc/loadavg)"
	for mode in "${MODES[@]}"; do table "$mode"; done
	awk '$1 < 0.95 || $1 > 1.05 { noisy = 1 } END { exit !noisy }' "$T/controls" &&
		printf '\nA control is not near 1.00: this machine was too busy to measure on.\n'
	true
}
