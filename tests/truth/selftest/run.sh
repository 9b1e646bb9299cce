#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# The scorer proved: a matching pair of fabricated files passes, and each way an agent can be wrong
# is found. Usage: run SCORE. A case edits the pair with sed and states the verdicts it must get.
# shellcheck disable=SC2016 # the dollars in single quotes are for sed
here=$(dirname "$0")
score=$1
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0

# verdicts NAME RC "RIGHT HOLDER WRONG MISSING EXTRA" NEEDLE [OPTION...]
verdicts() {
	name=$1 want_rc=$2 want=$3 needle=$4
	shift 4
	"$score" "$dir/truth" "$dir/report" --json "$@" >"$dir/json" 2>"$dir/talk"
	rc=$?
	total=$(sed 's/.*"total":{\([^}]*\)}\(.*\)/\1\2/' "$dir/json")
	got=$(for key in right holder wrong missing extra; do
		printf '%s\n' "$total" | sed "s/.*\"$key\":\([0-9]*\).*/\1/"
	done | paste -sd' ')
	if [ "$rc" = "$want_rc" ] && [ "$got" = "$want" ] && grep -q -- "$needle" "$dir/talk"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAILED: $name: exit $rc, '$got', want exit $want_rc, '$want', '$needle'"
		sed 's/^/	/' "$dir/talk" | cut -c1-200
	fi
}

# edit TRUTH_SED REPORT_SED: fresh copies of the pair, edited
edit() {
	sed "$1" "$here/truth.jsonl" >"$dir/truth"
	sed "$2" "$here/report.jsonl" >"$dir/report"
}

# report NAME REPORT_SED RC VERDICTS NEEDLE [OPTION...]
report() {
	name=$1 script=$2
	shift 2
	edit '' "$script"
	verdicts "$name" "$@"
}

on() { # an edit of the line of one flow
	printf '/"flow_id":"%s"/s/%s/%s/' "$1" "$2" "$3"
}

acceptor=0000000000001003 inetd=0000000000001004 first=0000000000001005 later=8000000000000007
queued=0000000000001006 refused=0000000000001007 own=0000000000002010

report 'all right' '' 0 '12 0 0 0 0' '^12 passed, 0 failed$'
report 'order of lines is no matter' '1!G;h;$!d' 0 '12 0 0 0 0' '^12 passed'

# every field of the identity, one at a time
one='11 0 1 0 0'
report 'wrong pid' "$(on $acceptor '"pid":101' '"pid":102')" 1 "$one" 'plain/v4: pid: 102, not 101'
report 'wrong start' "$(on $acceptor 15:00.004 15:00.504)" 1 "$one" 'start: off by 0.504 s'
report 'start within a tick' "$(on $acceptor 15:00.004 15:00.009)" 0 '12 0 0 0 0' '^12 passed'
report 'wrong uid' "$(on $acceptor '"id":"0"' '"id":"7"')" 1 "$one" 'uid: 7, not 0'
report 'wrong comm' "$(on $acceptor '"name":"server"' '"name":"serve"')" 1 "$one" 'comm: serve,'
report 'wrong exe' \
	"$(on $acceptor opt.server 'opt\/serv')" 1 "$one" 'exe: /opt/serv, not /opt/server'
report 'no exe' "$(on $acceptor '"executable":"[^"]*",' '')" 1 "$one" 'exe: absent'
report 'no owner' "$(on $acceptor '"process":{[^}]*},' '')" 1 "$one" 'pid: absent'
report 'wrong arguments' "$(on $acceptor '"-p"' '"-q"')" 1 "$one" 'args: differ'
report 'no arguments' "$(on $acceptor ',"args":\[[^]]*\]' '')" 0 '12 0 0 0 0' '^12 passed'
report 'wrong role' "$(on $acceptor '"role":"acceptor"' '"role":"opener"')" 1 "$one" 'role: opener'
report 'wrong reason' \
	"$(on $refused '"reason":"refused"' '"reason":"reset"')" 1 "$one" 'reason: reset'
report 'no reason' "$(on $refused ',"reason":"refused"' '')" 1 "$one" 'reason: absent'
report 'wrong local' \
	"$(on $acceptor '"local":{"ip":"127.0.0.1"' '"local":{"ip":"::1"')" 1 "$one" local
report 'wrong remote' "$(on $acceptor 4001 4009)" 1 "$one" remote
report 'wrong protocol' "$(on $acceptor '"tcp"' '"udp"')" 1 "$one" proto
report 'wrong namespace' \
	"$(on $acceptor '"netns_cookie":"1"' '"netns_cookie":"2"')" 1 "$one" netns
report 'accepted by nobody' \
	"$(on $queued 'accepted":false' 'accepted":true')" 1 "$one" nobody
report 'deleted is no part of the path' "$(on $acceptor opt.server 'opt\/server (deleted)')" \
	0 '12 0 0 0 0' '^12 passed'

# sessions that are not there, or not whole
report 'missing' "/\"$acceptor\"/d" 1 '11 0 0 1 0' 'missing plain/v4: no such flow'
report 'never closed' "$(on $acceptor '"close"' '"open"')" 1 '11 0 0 1 0' 'opened but never closed'
report 'still open, and that is right' "$(on $acceptor '"close"' '"open"')" 0 '12 0 0 0 0' \
	'^12 passed' --live
report 'another id for a first flow' "$(on $acceptor $acceptor 00000000000f1003)" \
	1 '11 0 0 1 1' 'no such flow'
report 'optional is optional' "/\"$own\"/d" 0 '11 0 0 0 0' '^11 passed'
report 'optional but wrong' "$(on $own '"pid":101' '"pid":5')" 1 "$one" 'own_entry/v4: pid: 5'
report 'nothing reported' 'd' 1 '0 0 0 11 0' '^0 passed, 11 failed$'

# later flows of one socket, and endpoints that repeat
report 'later flow with the id of the socket' "$(on $later $later $first)" \
	1 '10 0 1 1 0' 'wrong reconnect'
report 'later flow without its own number' "$(on $later $later 0000000000007777)" \
	1 "$one" 'flow_id: of the socket'
report 'repeated endpoints, first and last exchanged' \
	'/800000000000002/{s/"pid":101/"pid":0/;s/"pid":103/"pid":101/;s/"pid":0/"pid":103/;}' \
	1 '10 0 2 0 0' 'wrong reuse'
report 'repeated endpoints, one missing' '/8000000000000021/d' 1 '11 0 0 1 0' 'missing reuse'
report 'repeated endpoints, one too many' '/8000000000000021/{p;s/0021/0029/;}' \
	0 '12 0 0 0 1' '^extra'

# a true holder instead of the acceptor
one_holder='11 1 0 0 0'
holder=$(on $inetd '"pid":101' '"pid":103')
report 'holder, lowest tier' "$holder" 0 "$one_holder" '^12 passed, 0 failed$' --tier lowest
report 'holder, full tier' "$holder" 1 "$one" 'inetd/v4: pid: 103' --tier full
report 'holder, tier not said' "$holder" 1 "$one" 'inetd/v4: pid: 103'
report 'holder, accept seen by system call' "$holder" 1 "$one" 'pid: 103' --tier lowest \
	--accept-syscall
report 'not a holder' "$(on $inetd '"pid":101' '"pid":102')" 1 "$one" 'pid: 102' --tier lowest
report 'a holder where none was handed anything' "$(on $acceptor '"pid":101' '"pid":103')" 1 \
	"$one" 'pid: 103' --tier lowest

# accept after close changes the owner; an event before the close does not
interim=$(on $acceptor '"pid":101' '"pid":102')
report 'accept after close' "/$acceptor/{p;s/\"close\"/\"accept\"/;}" \
	0 '12 0 0 0 0' '^12 passed'
edit '' "$interim"
grep $acceptor "$here/report.jsonl" | sed 's/"close"/"accept"/' >>"$dir/report"
verdicts 'accept after close corrects the owner' 0 '12 0 0 0 0' '^12 passed'
edit '' ''
{ grep $acceptor "$here/report.jsonl" | sed 's/"close"/"open"/;s/"pid":101/"pid":102/'
  cat "$here/report.jsonl"; } >"$dir/report"
verdicts 'the close decides over the open' 0 '12 0 0 0 0' '^12 passed'
report 'plain list entries' 's/"action":"[a-z]*",//' 0 '12 0 0 0 0' '^12 passed'

# sockets older than the agent
existing=$(on $acceptor '"role":"acceptor"' '"role":"existing"')
report 'existing, but it was not' "$existing" 1 "$one" 'role: existing'
edit '/"cookie":"0000000000001003"/s/"flags":\[/&"pre"/' "$existing"
verdicts 'existing' 0 '12 0 0 0 0' '^12 passed'

# what was never made
extra='$p;$s/"flow_id":"[^"]*"/"flow_id":"000000000000beef"/'
report 'extra' "$extra" 0 '12 0 0 0 1' '^extra'
report 'extra, strict' "$extra" 1 '12 0 0 0 1' '^12 passed, 1 failed$' --strict
report 'a stranger is no extra' "$extra;\$s/\"pid\":101/\"pid\":999/" 0 '12 0 0 0 0' '^12 passed' \
	--strict

# a truth that proves nothing
edit '$s/"skipped"/"failed"/' ''
verdicts 'a scenario that broke down' 1 '12 0 0 0 0' '^12 passed, 1 failed$'
edit '2,$d' 'd'
verdicts 'no sessions' 1 '0 0 0 0 0' 'nothing is proved'

edit '' '$s/}$//'
"$score" "$dir/truth" "$dir/report" >/dev/null 2>&1
if [ $? = 2 ]; then
	passed=$((passed + 1))
else
	failed=$((failed + 1))
	echo 'FAILED: broken line'
fi

echo "$passed passed, $failed failed"
[ $failed = 0 ]
