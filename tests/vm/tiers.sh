#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# In a test machine: the ground truth once for each tier, the lower ones forced, all of the machine
# in scope. In the end the result of each as a line of JSON, as RESULTS gets it in truth.sh.
# usage: tiers.sh [TIER...]      of: stock no-lsm no-trampolines lowest; all when none is named
set -euo pipefail

status=0
export SCOPE=${SCOPE-machine} RESULTS
RESULTS=$(mktemp)
(($# > 0)) || set -- stock no-lsm no-trampolines lowest
for tier; do
	options=$(tests/vm/without.sh "$tier")
	read -ra options <<<"$options"
	bash tests/integration/truth.sh --accept auto "${options[@]}" || status=1
done
cat "$RESULTS"
rm "$RESULTS"
exit "$status"
