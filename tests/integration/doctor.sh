#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Of hooks that are missing, doctor says why, and how to get them; what it says is what this host
# itself says of the matter. Where --accept syscall is advised, it helps.
. "$(dirname "$0")/lib.sh"

MODULES='' # security modules in use, as the kernel lists them

rows() { # JQ-FILTER of one hook
	flowner doctor -j | jq -r ".hooks[] | $1"
}

of() { # ATTACH FIELD
	flowner doctor -j | jq -r --arg attach "$1" --arg field "$2" \
		'[.hooks[] | select(.attach == $attach)] | if length == 0 then
		error("there is no hook \($attach)") else .[] | .[$field] // "" end'
}

find_modules() { # securityfs is not mounted everywhere, and nobody else is to see it mounted
	MODULES=$(unshare -m sh -c "mount -t securityfs none '$T' && cat '$T/lsm'" || true)
}

told_once() { # each reason in one line of the text, with all the hooks it is the reason for
	local attach why line
	flowner doctor >"$T/text"
	while IFS=$'\t' read -r attach why; do
		line=$(grep -F ": $why" "$T/text" | grep '^missing: ') || fail "no line has '$why'"
		same "lines with '$why'" "$(wc -l <<<"$line")" 1
		[[ ${line%%: "$why"*} == *" $attach"* ]] || fail "'$line' is not of $attach"
	done < <(rows 'select(.why) | [.attach, .why] | @tsv')
	same "lines of what is missing" "$(grep -c '^missing: ' "$T/text")" \
		"$(rows 'select(.why) | [.why, .remedy] | @tsv' | sort -u | wc -l)"
}

said_at_start() { # one line: the tier, and each loss in it once
	local lost line
	lost=$(rows '.lost // empty' | sort -u)
	line=$(grep "tier '[a-z A-Z]*' leaves out" "$T/flownerd.log" || true)
	if [[ ! $lost ]]; then
		same "what is left out" "$line" ''
		return
	fi
	same "lines about what is left out" "$(wc -l <<<"$line")" 1
	matches "its tier" "$line" "tier '$(flowner doctor -j | jq -r .tier)' leaves out"
	while read -r loss; do
		same "of '$loss'" "$(grep -oF "$loss" <<<"$line" | wc -l)" 1
	done <<<"$lost"
}

lsm() {
	local status modules
	status=$(of lsm/sock_graft status)
	[[ $status == silent && $MODULES && $MODULES != *bpf* ]] || return 0
	modules=$(tr , '\n' <<<"$MODULES" | grep -vx capability | paste -sd ,)
	# flownerd sees the list only where it is mounted for all
	if [[ -e /sys/kernel/security/lsm ]]; then
		same "how to get LSM" "$(of lsm/sock_graft remedy)" "boot with lsm=$modules,bpf"
	else
		matches "how to get LSM" "$(of lsm/sock_graft remedy)" "'bpf' in lsm="
	fi
}

kprobes() {
	[[ ! -e /sys/bus/event_source/devices/kprobe ]] || return 0
	[[ $(of kprobe/__sk_free status) == refused ]] || return 0 # --without
	same "how to get kprobes" "$(of kprobe/__sk_free remedy)" \
		'run a kernel with CONFIG_KPROBE_EVENTS'
}

# What accept() leaves out here, where it does: the program on every system call does not.
accepts() {
	local lost
	lost=$(rows 'select(.moment == "accept").lost // empty' | sort -u)
	if [[ -z $lost ]]; then
		same "the dear way, when none misses it" "$(of tp_btf/sys_exit why)" ''
		return
	fi
	matches "how accept() is seen in full" "$(of tp_btf/sys_exit remedy)" '--accept syscall'
	stop_daemon
	start_daemon --accept syscall
	same "what is lost of accept() then" \
		"$(rows 'select(.moment == "accept").lost // empty')" ''
	same "and what is advised" "$(of tp_btf/sys_exit remedy)" ''
}

# Why listen() is not denied in a better way: LSM's own reason, and of fmod_ret the one of a hook of
# the same kind.
policy() {
	local why
	cat >"$T/policy.yaml" <<-END
		rules:
		  - {name: late, hooks: [listen], verdict: reject, allow_async: true}
	END
	exits 0 flowner policy load "$T/policy.yaml"
	flowner doctor >"$T/text"
	case $(grep -o '^note: policy: listen by [a-z_]*' "$T/text") in
	*sockops)
		why=$(of fentry/security_sock_graft why)
		[[ ! $why ]] || grep -qF \
			"note: policy: listen not by fmod_ret/security_socket_listen: $why" \
			"$T/text" || fail "nothing of fmod_ret: $(<"$T/text")" ;;
	*fmod_ret)
		grep -q '^note: policy: listen not by lsm/socket_listen: .*; boot with ' \
			"$T/text" || fail "nothing of LSM: $(<"$T/text")" ;;
	*lsm)
		! grep -q '^note: policy: listen not by' "$T/text" ||
			fail "the best way is not enough: $(<"$T/text")" ;;
	*) fail "nothing of listen(): $(<"$T/text")" ;;
	esac
	exits 0 flowner policy clear
}

find_modules
start_daemon
same "reasons for what is on" \
	"$(rows 'select(.why and (.status == "on" or .status == "not needed")).attach' |
		grep -v '^kprobe/' || true)" ''
same "remedies without a reason" "$(rows 'select(.remedy and (.why | not)).attach')" ''
same "losses without a reason" "$(flowner doctor -j | jq -r '.hooks |
	map(select(.why).moment) as $explained |
	.[] | select(.lost and (.moment | IN($explained[]) | not)).attach')" ''
told_once
said_at_start
lsm
kprobes
policy
accepts
stop_daemon

start_daemon --without lsm,kprobe/__sk_free
same "why --without is without" "$(of lsm/sock_graft why)" '--without names it'
same "the same of another" "$(of kprobe/__sk_free why)" '--without names it'
told_once
stop_daemon
