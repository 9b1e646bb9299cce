#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What the matcher remembers while the memory of one question becomes that of another: threads ask
# more than there is room for, and no answer is that to another question. Without its seal one in a
# million is: seen in 9 of 10 runs.
# timeout: 300
. "$(dirname "$0")/lib.sh"

RUNS=${RUNS:-2000}

read -r known _ wrong _ < <("$BUILD/tests/answers" "$(($(nproc) * 2))" "$RUNS")
echo "$known known, $wrong wrong"
((known > RUNS)) || fail "only $known answers were known"
same "answers to another question" "$wrong" 0
