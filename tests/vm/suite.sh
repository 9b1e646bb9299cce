#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# In a test machine: all there is to run on one kernel. The verifier's budget; the programs of
# `make test`, every one; the ground truth in each tier.
# usage: suite.sh KERNEL [TIER...]     with tiers, see tiers.sh: the budget and the truth in those
#
# QUICK=1: see matrix.sh
#
# Emulation is slow: sessions by the thousand and not by the hundred thousand, and time.
export TEST_SLOW=${TEST_SLOW:-6} STORM=${STORM:-3000} REPEAT=${REPEAT:-1} KILLS=${KILLS:-3}
export MATCHES=${MATCHES:-200000} ROUNDS=${ROUNDS:-1}

status=0
part() { # COMMAND...
	local since=$SECONDS
	echo "=== $*"
	"$@" || status=1
	echo "=== $((SECONDS - since)) s"
}

kernel=${1:?usage: suite.sh KERNEL [TIER...]}
shift
part tests/vm/budget.sh "$kernel"
(($# > 0)) || part tests/run.sh build
# some 5000 processes that live for a moment
(($# > 0)) || [[ ${QUICK:-} ]] || part env STORM=24000 tests/run.sh build storm
(($# > 0)) || [[ ! ${QUICK:-} ]] || set -- stock lowest
part tests/vm/tiers.sh "$@"
exit "$status"
