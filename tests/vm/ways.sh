#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# In a test machine: does flownerd take the ways expected.txt has for this kernel and tier?
# usage: ways.sh MACHINE      the tier by DAEMON_OPTIONS, as without.sh says
. "$(dirname "$0")/../integration/lib.sh"

start_daemon
flowner doctor -j | jq -c --arg machine "$1" '{machine: $machine} + .' >"$T/result"
"$TREE/tests/vm/table.sh" check "$T/result" 2>"$T/said" || fail "$(<"$T/said")"
