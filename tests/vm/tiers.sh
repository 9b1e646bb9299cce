#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# In a test machine: truth.sh once for each tier, the lower ones forced.
# usage: tiers.sh [TIER...]      of: stock no-lsm no-trampolines lowest; all when none is named
set -euo pipefail

without() { # TIER
	case $1 in
	stock) ;;
	no-lsm) echo --without lsm ;;
	no-trampolines) echo --without lsm,fentry,fexit ;;
	lowest) echo --without lsm,fentry,fexit,kprobe,kretprobe ;;
	*) echo "tiers: no tier '$1'" >&2; return 1 ;;
	esac
}

status=0
(($# > 0)) || set -- stock no-lsm no-trampolines lowest
for tier; do
	read -ra options <<<"$(without "$tier")"
	tests/vm/truth.sh "${options[@]}" || status=1
done
exit "$status"
