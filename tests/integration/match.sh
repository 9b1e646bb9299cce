#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Random policies of 1 to 10000 rules: the matcher as it runs in the kernel agrees with an evaluator
# that reads the rules one by one, on MATCHES attempts (default: a million) at the borders of the
# rules. What it remembers is of one policy.
# timeout: 600
. "$(dirname "$0")/lib.sh"

"$BUILD/tests/match" "${MATCHES:-1000000}" "${MATCH_SEED:-$RANDOM}" >"$T/out" || fail "$(<"$T/out")"
cat "$T/out"
