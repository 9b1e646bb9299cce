#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Another product's programs, in a cgroup below, deny everything: what becomes of it under each
# verdict of ours. Only proceed_hard with allow_override lifts it, where this kernel can.
. "$(dirname "$0")/lib.sh"

BELOW=$CGROUP/below

# The second digit of a port says which rule is meant.
policy() { # OVERRIDE: whether there is one that lifts
	local hook end
	echo 'mode: enforce'
	echo 'rules:'
	for hook in bind connect; do
		end=local
		[[ $hook == bind ]] || end=remote
		rule "$hook" "$end" reject 0 ''
		rule "$hook" "$end" proceed_soft 1 ''
		rule "$hook" "$end" proceed_hard 2 ''
		[[ -z $1 ]] || rule "$hook" "$end" proceed_hard 3 'allow_override: true'
	done
}

rule() { # HOOK END VERDICT DIGIT MORE
	cat <<-END
		  - name: $1-$4
		    hooks: [$1]
		    $2: {port: 7${4}00-7${4}99}
		    verdict: $3
		    ${5:-mode: enforce}
	END
}

gets() { # DIGIT CALL FAMILY: the word is in W
	local to=127.0.0.1 port=7${1}00 proto=tcp
	[[ $3 == 4 ]] || to=::1 port=7${1}01
	[[ $2 != sendto ]] || proto=udp
	[[ $2 != bind ]] || port=7${1}50 # the other ports are the server's
	tell client socket "$proto" "$3"
	fd=${R[0]}
	try client "$2" "$fd" "$to" "$port"
	word
	try client close "$fd"
}

word() { # of the last answer
	case "${R[*]}" in
	ok*) W=ok ;;
	*'Permission denied') W=EACCES ;;
	*'Operation not permitted') W=EPERM ;;
	*) W=${R[*]} ;;
	esac
}

expect() { # DIGIT WANTED
	local call family
	for call in bind call sendto; do
		for family in 4 6; do
			gets "$1" "$call" "$family"
			same "$call of IPv$family under rule $1, $WHO" "$W" "$2"
		done
	done
}

start_daemon
own_netns
mkdir "$BELOW"
actor server
# shellcheck disable=SC2016 # its own words
actor client sh -c 'echo "$$" >"$0/cgroup.procs" && exec "$@"' "$BELOW"
for ((digit = 0; digit < 4; digit++)); do
	tell server listen tcp 127.0.0.1 "7${digit}00"
	tell server listen tcp ::1 "7${digit}01"
done

policy '' >"$T/policy.yaml"
exits 0 flowner policy load "$T/policy.yaml"
DENIED=$(flowner policy show -j | jq -r '.ways[] | select(.hook == "connect") | .sees')
DENIED=${DENIED##*: }
policy lifts >"$T/lifts.yaml"
if [[ $DENIED == EACCES ]]; then # the kernel lets programs choose the error: also none
	exits 0 flowner policy load "$T/lifts.yaml"
	LIFTED=ok
else
	refuses 4 'lifts.yaml:[0-9]*:[0-9]*: on this kernel allow_override can do nothing.*5.18' \
		flowner policy load "$T/lifts.yaml"
	LIFTED=''
fi

WHO='nobody else'
expect 0 "$DENIED"
expect 1 ok
expect 2 ok
[[ -z $LIFTED ]] || expect 3 ok

WHO='another product below'
start_told other "$BUILD/tests/deny"
tell other deny "$BELOW"
expect 0 "$DENIED"
expect 1 EPERM
expect 2 EPERM
[[ -z $LIFTED ]] || expect 3 ok

# in audit it lifts nothing, and no kernel refuses it
cat <<-END >"$T/audit.yaml"
	rules:
	  - name: all
	    hooks: [bind, connect]
	    verdict: proceed_hard
	    allow_override: true
END
exits 0 flowner policy load "$T/audit.yaml"
WHO='another product below, ours in audit'
expect 3 EPERM
