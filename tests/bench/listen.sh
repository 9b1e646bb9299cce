#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# `make bench`: what a listener costs with nothing attached, with flownerd, and with a policy.
# usage: listen.sh [--rounds N] [--listeners N] BUILD_DIR      how it is measured: rounds.sh
#
# `listen` is listen() alone, `listeners` a high rate of them: socket, bind, listen, close. In a
# network namespace of its own. Variants beside flownerd without a policy, and so without the hook:
#
#	no-match    the hook is there, the policy has no rule about it
#	allow       a rule permits it;  allow-1000: the last of a thousand does
#	audit       a rule would reject it: an event, equal ones joined
#	deny        a rule rejects it. Where this kernel can only undo a listen(), listen() succeeds
set -euo pipefail

rounds=7 listeners=5000
while (($# > 1)); do
	case $1 in
	--rounds) rounds=$2 ;;
	--listeners) listeners=$2 ;;
	*) echo "listen.sh: unknown option '$1'" >&2; exit 2 ;;
	esac
	shift 2
done
BUILD=$(realpath "${1:?BUILD_DIR}")
# shellcheck source=tests/integration/lib.sh
. "$(dirname "$0")/../integration/lib.sh"
# shellcheck source=tests/bench/rounds.sh
. "$(dirname "$0")/rounds.sh"

MODES=(listen listeners)
# shellcheck disable=SC2034 # for rounds.sh
VARIANTS=(bare control flownerd no-match allow allow-1000 audit deny)
PORT=7999 # of churn

rule() { # NAME PORT VERDICT
	local more=''
	[[ $3 != reject ]] || more=', allow_async: true'
	echo "- {name: $1, hooks: [listen], local: {port: $2}, verdict: $3$more}"
}

policy() { # VARIANT: none for some
	local i mode=enforce
	[[ $1 != audit ]] || mode=audit
	printf 'mode: %s\nrules:\n' "$mode"
	case $1 in
	no-match) rule other 1 allow ;;
	allow) rule this "$PORT" allow ;;
	allow-1000)
		for ((i = 1; i < 1000; i++)); do rule "other-$i" "$i" reject; done
		rule this "$PORT" allow
		;;
	audit | deny) rule this "$PORT" reject ;;
	*) return 1 ;;
	esac
}

measure() { # VARIANT
	local mode
	if [[ $1 != bare && $1 != control ]]; then
		start_daemon
		if policy "$1" >"$T/policy.yaml"; then
			# emulated, the first may take longer than the command waits
			flowner policy load "$T/policy.yaml" >/dev/null ||
				flowner policy load "$T/policy.yaml" >/dev/null
			flowner policy show -j >"$T/shown"
		fi
	fi
	for mode in "${MODES[@]}"; do
		in_cgroup nsenter -t "$NETNS" -n "$BUILD/tests/churn" "$mode" \
			$((listeners / 10)) >/dev/null # warm up
		in_cgroup nsenter -t "$NETNS" -n "$BUILD/tests/churn" "$mode" \
			"$listeners" >>"$T/$mode.$1"
	done
	[[ $1 == bare || $1 == control ]] || stop_daemon
}

way() { # of the hook on this kernel
	jq -r '.ways[] | select(.hook == "listen" and .status == "on") |
		"listen is judged by \(.attach); rejected: \(.sees)"' "$T/shown"
}

own_netns
rounds measure
tables
way
