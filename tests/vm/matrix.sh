#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# suite.sh on several kernels, a line for each: ok, or what failed; and what the truth came to in
# each tier and by which ways, as a table, compared with expected.txt. A tier without a result, or
# with fewer sessions than expected, is a failure.
# usage: matrix.sh KERNEL...
# KERNEL as in fetch.sh, or `here`: the running one, as root, and only what it has of itself.
#
#	TIERS="stock lowest"   only the verifier's budget and the truth in these, see tiers.sh
#	QUICK=1                the budget, those tests that tests/run.sh takes for this, and the
#	                       truth with all hooks and with the fewest
#	JOBS=2                 so many machines at a time (default 1); one keeps one core busy
#
# Each machine's whole output is in build/vm/KERNEL.txt.
set -euo pipefail
shopt -s inherit_errexit

VM=$(cd "$(dirname "$0")" && pwd)
OUT=$(cd "$VM/../.." && pwd)/build/vm
LINES_SHOWN=60
read -ra TIERS <<<"${TIERS:-}"

run() { # KERNEL
	if [[ $1 == here ]]; then
		cd "$VM/../.."
		SCOPE='' REPEAT=1 exec tests/vm/tiers.sh stock
	fi
	VM_TIMEOUT=${VM_TIMEOUT:-7200} exec "$VM/run.sh" "$1" \
		env CI=1 QUICK="${QUICK:-}" tests/vm/suite.sh "$1" "${TIERS[@]}"
}

failures() { # KERNEL
	awk '/^not ok/ { told = 1 }
		!/^(not ok|    )/ { told = 0 }
		told || /^(vm:|wrong |missing |extra|FAIL|    budget: )/' "$OUT/$1.txt"
}

# All of it, a line, and what failed. Told to stop, it stops the machine: an interrupt does not get
# to what runs in the background.
kernel() { # KERNEL
	local since=$SECONDS status=0 machine=''
	trap 'kill $machine; exit 143' TERM
	run "$1" >"$OUT/$1.txt" 2>&1 &
	machine=$!
	wait "$machine" || status=$?
	if ((status == 0)); then
		echo "ok $1 ($((SECONDS - since)) s)"
	else
		echo "not ok $1 (status $status, $((SECONDS - since)) s): see '$OUT/$1.txt'"
		failures "$1" | tail -n "$LINES_SHOWN" | cut -c 1-200 | sed 's/^/    /'
	fi
	return "$status"
}

stop_all() {
	local pids
	mapfile -t pids < <(jobs -p)
	((! ${#pids[@]})) || kill "${pids[@]}" 2>/dev/null || true
}

tiers() { # KERNEL: those it is to have a result of
	if [[ $1 == here ]]; then
		echo stock
	elif ((${#TIERS[@]})); then
		echo "${TIERS[*]}"
	elif [[ ${QUICK:-} ]]; then
		echo 'stock lowest'
	else
		echo 'stock no-lsm no-trampolines lowest'
	fi
}

# In whatever order the machine's jq writes keys.
results() { # KERNEL...
	local kernel said status=0
	for kernel; do
		if said=$(grep -as '^{.*"kernel":' "$OUT/$kernel.txt"); then
			jq -c --arg machine "$kernel" '{machine: $machine} + .' <<<"$said"
		else
			echo "matrix: no tier of $kernel says what it came to" >&2
			status=1
		fi
	done >"$OUT/results.jsonl"
	"$VM/table.sh" show "$OUT/results.jsonl"
	"$VM/table.sh" check "$OUT/results.jsonl" || status=1
	for kernel; do
		for tier in $(tiers "$kernel"); do echo "$kernel $tier"; done
	done | "$VM/table.sh" complete "$OUT/results.jsonl" || status=1
	return "$status"
}

main() {
	local kernel status=0 running=0 fetched=()
	(($#)) || { echo 'usage: matrix.sh KERNEL...' >&2; exit 2; }
	trap stop_all EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	mkdir -p "$OUT"
	for kernel; do
		rm -f "$OUT/$kernel.txt"
		if [[ $kernel == here ]] || "$VM/fetch.sh" "$kernel"; then
			fetched+=("$kernel")
		else # a mirror may have the one and not the other: the others are run
			echo "not ok $kernel: it cannot be fetched" >&2
			status=1
		fi
	done
	for kernel in "${fetched[@]}"; do
		if ((running == ${JOBS:-1})); then
			wait -n || status=1
			running=$((running - 1))
		fi
		kernel "$kernel" >&2 &
		running=$((running + 1))
	done
	while ((running--)); do wait -n || status=1; done
	results "$@" || status=1
	return "$status"
}

main "$@"
