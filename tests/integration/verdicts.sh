#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Every hook, family, protocol, verdict and mode, as cells of one table, in a cgroup and a network
# namespace of its own: what the application gets, what the other end gets, what went over the wire,
# what was told and what was counted. That a rejected attempt looks as it does is what flownerd says
# of this kernel, and is seen to be so.
# timeout: 600
# what it sees is the kernel's doing
. "$(dirname "$0")/lib.sh"

# --- the table ---

# Who is judged; then, when rejected and when not: what it gets, what the other end gets, and what
# there is on the wire. DENIED: the error that flownerd says this hook gives here.
#  attempt      hook        proto judged  rejected: it  the other    wire       else: it other wire
TABLE='
   bind         bind        tcp   server  DENIED        ECONNREFUSED refused    ok ok session
   bind         bind        udp   server  DENIED        ECONNREFUSED datagram   ok ok datagram
   bind_chosen  bind        tcp   server  DENIED        -            -          ok ok session
   bind_chosen  bind        udp   server  DENIED        -            -          ok ok datagram
   bind_later   bind        tcp   client  DENIED        -            -          ok ok session
   bind_later   bind        udp   client  DENIED        -            -          ok ok datagram
   listen       listen      tcp   server  DENIED        ECONNREFUSED refused    ok ok session
   connect      connect     tcp   client  DENIED        nothing      none       ok ok session
   connect      connect     udp   client  DENIED        nothing      none       ok ok datagram
   sendto       connect     udp   client  DENIED        nothing      none       ok ok datagram
   sendto_other connect     udp   client  DENIED        nothing      none       ok ok datagram
   arrive       recv_accept tcp   server  nothing       ETIMEDOUT    unanswered ok ok session
   arrive       recv_accept udp   server  nothing       ok           datagrams  ok ok datagrams
'

# The network type of the server's socket and of what is between the two; and what bind_chosen and
# bind_later (IP_BIND_ADDRESS_NO_PORT) bind to, for which a rule knows no port: the last digit is
# that of the verdict.
#  family  server            client            types      bind_chosen
FAMILIES='
   v4      127.0.0.1         127.0.0.1         ipv4 ipv4  127.0.0.7
   v6      ::1               ::1               ipv6 ipv6  fd00::7
   mapped  ::ffff:127.0.0.1  ::ffff:127.0.0.1  ipv4 ipv4  ::ffff:127.0.0.7
   dual    ::                127.0.0.1         ipv6 ipv4  -
'

VERDICTS=(reject proceed_soft proceed_hard)

declare -A WIRE=(
	[none]='^$'
	[refused]='^>syn <rst$'
	[unanswered]='^>syn( >syn)*$'
	[session]='^>syn <syn-ack >ack$'
	[datagram]='^>udp$'
	[datagrams]='^>udp >udp$'
)
declare -A ERROR=(
	['Permission denied']=EACCES
	['Operation not permitted']=EPERM
	['Connection refused']=ECONNREFUSED
	['Connection timed out']=ETIMEDOUT
	['Invalid argument']=EINVAL
)

# --- the policy: a port says hook and verdict, and each cell has its own ---

declare -A FIRST_PORT=([bind]=20000 [listen]=20250 [connect]=20500 [recv_accept]=20750)
VERDICT_PORTS=1000 HOOK_PORTS=250
CELL=0

ports() { # HOOK VERDICT: first
	echo $((FIRST_PORT[$1] + $2 * VERDICT_PORTS))
}

rule() { # NAME HOOK END TERMS VERDICT
	cat <<-END
		  - name: $1
		    hooks: [$2]
		    $3: {$4}
		    verdict: ${VERDICTS[$5]}
	END
	[[ $5 != 0 || $2 != listen ]] || echo '    allow_async: true'
}

policy() { # MODE
	local hook v end first
	echo "mode: $1"
	echo 'rules:'
	for v in "${!VERDICTS[@]}"; do
		for hook in bind listen connect recv_accept; do
			end=local
			[[ $hook != connect ]] || end=remote
			first=$(ports "$hook" "$v")
			rule "$hook-${VERDICTS[$v]}" "$hook" "$end" \
				"port: $first-$((first + HOOK_PORTS - 1))" "$v"
		done
		# the port is the kernel's to choose
		rule "bind_chosen-${VERDICTS[$v]}" bind local "addr: [127.0.0.7$v, \"fd00::7$v\"]" \
			"$v"
	done
}

# --- what this kernel can, as flownerd says ---

declare -A DENIED

ways() {
	local hook late sees doctor
	doctor=$(flowner doctor)
	while read -r hook late sees; do
		[[ $doctor == *"policy: $hook by "*": $sees"* ]] ||
			fail "'$sees' is not in what doctor says: $doctor"
		DENIED[$hook]=${sees##*: }
		[[ $late == false ]] || DENIED[$hook]="ok ${sees##*: }" # listen(), then accept()
	done < <(flowner policy show -j |
		jq -r '.ways[] | select(.status == "on") | "\(.hook) \(.late) \(.sees)"')
	same "hooks that judge" "${#DENIED[@]}" "${#FIRST_PORT[@]}"
}

# --- attempts: IT is what the judged one gets, OTHER what the other end does ---

word() { # of the last answer
	local why="${R[*]:1}"
	if [[ ${R[0]} == ok ]]; then echo ok; else echo "${ERROR[$why]:-$why}"; fi
}

new() { # NAME ADDRESS: a socket of PROTO; FD and ID
	local family=4
	[[ $2 != *:* ]] || family=6
	tell "$1" socket "$PROTO" "$family"
	FD=${R[0]} ID=${R[2]}
}

serve() { # the server's socket, ready
	new server "$SERVER"
	tell server bind "$FD" "$SERVER" "$PORT"
	[[ $PROTO != tcp ]] || tell server begin "$FD"
}

visit() { # what a client gets, and then the server
	local server=$FD
	new client "$CLIENT"
	try client call "$FD" "$CLIENT" "$PORT"
	OTHER=$(word)
	[[ $OTHER == ok ]] || return 0
	if [[ $PROTO == tcp ]]; then
		try server accept "$server"
	elif tell client send "$FD" && [[ $IT == ok ]]; then
		try server recv "$server"
	else
		try client recv "$FD"
	fi
	OTHER=$(word)
}

attempt_bind() {
	local id
	new server "$SERVER"
	id=$ID
	try server bind "$FD" "$SERVER" "$PORT"
	IT=$(word)
	[[ $IT != ok || $PROTO != tcp ]] || tell server begin "$FD"
	visit
	ID=$id
}

attempt_bind_chosen() {
	local id CLIENT=$CHOSEN$V
	new server "$CLIENT"
	id=$ID
	try server bind "$FD" "$CLIENT" 0
	IT=$(word)
	OTHER=-
	if [[ $IT == ok ]]; then
		PORT=${R[2]}
		[[ $PROTO != tcp ]] || tell server begin "$FD"
		visit
	fi
	ID=$id
}

attempt_bind_later() { # connect() will choose the port
	local id server address=$CHOSEN$V
	new server "$SERVER"
	server=$FD
	tell server bind "$FD" "$SERVER" 0
	PORT=${R[1]}
	[[ $PROTO != tcp ]] || tell server begin "$FD"
	new client "$address"
	id=$ID
	tell client option "$FD" portless 1
	try client bind "$FD" "$address" 0
	IT=$(word)
	OTHER=-
	if [[ $IT == ok ]]; then
		same "the port until then" "${R[2]}" 0
		tell client call "$FD" "$CLIENT" "$PORT"
		[[ $PROTO == tcp ]] || tell client send "$FD"
		try server "$([[ $PROTO == tcp ]] && echo accept || echo recv)" "$server"
		OTHER=$(word)
	fi
	ID=$id
}

attempt_listen() {
	local id
	new server "$SERVER"
	id=$ID
	tell server bind "$FD" "$SERVER" "$PORT"
	try server begin "$FD"
	IT=$(word)
	if [[ $IT == ok && $MODE == enforce && $V == 0 ]]; then
		try server accept "$FD"
		IT+=" $(word)"
	fi
	visit
	ID=$id
}

attempt_connect() {
	local server
	serve
	server=$FD
	new client "$CLIENT"
	try client call "$FD" "$CLIENT" "$PORT"
	IT=$(word)
	OTHER=nothing
	if [[ $IT == ok && $PROTO == tcp ]]; then
		try server accept "$server"
		OTHER=$(word)
	elif [[ $IT == ok ]]; then
		tell client send "$FD"
		try server recv "$server"
		OTHER=$(word)
	fi
}

sent() { # SERVER_FD: to who serves, by FD
	try client sendto "$FD" "$CLIENT" "$PORT"
	IT=$(word)
	OTHER=nothing
	[[ $IT == ok ]] || return 0
	try server recv "$1"
	OTHER=$(word)
}

attempt_sendto() {
	local server
	serve
	server=$FD
	new client "$CLIENT"
	sent "$server"
}

attempt_sendto_other() { # than the one it is connected to
	local server
	serve
	server=$FD
	new client "$CLIENT"
	tell client call "$FD" "$CLIENT" 9
	sent "$server"
}

attempt_arrive() {
	local server id
	serve
	server=$FD id=$ID
	new client "$CLIENT"
	try client call "$FD" "$CLIENT" "$PORT"
	OTHER=$(word)
	IT=nothing
	if [[ $PROTO == udp ]]; then # two of them: the first is judged
		tell client send "$FD"
		tell client send "$FD"
	fi
	if [[ $MODE == audit || $V != 0 ]]; then
		[[ $PROTO == tcp ]] || tell server recv "$server"
		try server "$([[ $PROTO == tcp ]] && echo accept || echo recv)" "$server"
		IT=$(word)
	fi
	ID=$id
}

# --- a cell ---

declare -A COUNTED HITS

# Of SYNs without an answer each is judged. A datagram to a v4-mapped peer is always sent as if its
# address had been given (by the kernel), and so judged, also after connect().
judged() { # WIRE
	if [[ $1 =~ ${WIRE[unanswered]} ]]; then
		wc -w <<<"$1"
	elif [[ $ATTEMPT$FAMILY$1 == 'connectmapped>udp' ]]; then
		echo 2
	else
		echo 1
	fi
}

# What flownerd is to have told and counted of it.
expect() { # TIMES
	local verdict=${VERDICTS[$V]} enforced=true kind=enforced outcome=success
	local rule=$HOOK-$verdict role=null type=$SERVER_TYPE
	[[ $ATTEMPT != bind_[cl]* ]] || rule=bind_chosen-$verdict
	HITS[$rule]=$((${HITS[$rule]:-0} + $1))
	[[ $verdict != proceed_soft ]] || return 0
	[[ $MODE == enforce ]] || enforced=false kind=audited
	[[ $verdict != reject || $MODE == audit ]] || outcome=failure
	case $HOOK in
	listen) role=listener ;;
	connect) role=opener type=$PATH_TYPE ;;
	recv_accept) role=acceptor type=$PATH_TYPE ;;
	esac
	kind=${HOOK}_${verdict}_$kind
	COUNTED[$kind]=$((${COUNTED[$kind]:-0} + $1))
	[[ $ATTEMPT != bind_chosen ]] || PORT=chosen
	[[ $ATTEMPT != bind_later ]] || PORT=null
	echo "$rule $HOOK $verdict $enforced $outcome $PROTO $type ${ACTOR_PID[$JUDGED]} $ID" \
		"$role $PORT" >>"$T/wanted"
}

rehearsed() { # is it what `policy test` says?
	local end=local address=$SERVER status=0
	[[ $HOOK != connect ]] || end=remote address=$CLIENT
	[[ $address != *:* ]] || address="[$address]"
	[[ $V != 0 ]] || status=1
	exits "$status" flowner policy test "$T/policy.yaml" --hook "$HOOK" --proto "$PROTO" \
		"--$end" "$address:$PORT"
}

cell() {
	local what="$ATTEMPT of $PROTO over $FAMILY, ${VERDICTS[$V]}, $MODE" wire times=1
	local it=$IT_ELSE other=$OTHER_ELSE wanted=$WIRE_ELSE
	PORT=$(($(ports "$HOOK" "$V") + CELL))
	[[ $MODE == audit || $V != 0 ]] ||
		it=${IT_REJECTED/DENIED/${DENIED[$HOOK]}} other=$OTHER_REJECTED \
			wanted=$WIRE_REJECTED
	"attempt_$ATTEMPT"
	same "$what: who is judged" "$IT" "$it"
	same "$what: the other end" "$OTHER" "$other"
	if [[ $wanted != - ]]; then
		tell wire seen "$PORT"
		wire=${R[*]}
		matches "$what: on the wire" "$wire" "${WIRE[$wanted]}"
		times=$(judged "$wire")
		[[ $IT != nothing ]] || echo "$PROTO $PORT" >>"$T/waiting"
		[[ ${QUICK:-} || $MODE == audit || $ATTEMPT == bind_[cl]* ]] || rehearsed
	fi
	expect "$times"
}

# --- all of them ---

table() {
	while read -r FAMILY SERVER CLIENT SERVER_TYPE PATH_TYPE CHOSEN; do
		[[ $FAMILY ]] || continue
		while read -r ATTEMPT HOOK PROTO JUDGED IT_REJECTED OTHER_REJECTED \
			WIRE_REJECTED IT_ELSE OTHER_ELSE WIRE_ELSE; do
			[[ $ATTEMPT ]] || continue
			[[ $ATTEMPT != bind_[cl]* || $CHOSEN != - ]] || continue
			CELL=$((CELL + 1))
			for V in "${!VERDICTS[@]}"; do cell; done
		done <<<"$TABLE"
	done <<<"$FAMILIES"
}

# --- what was told and counted ---

watched() { (($(flowner stats -j | jq .streams.open) > 0)); }

told() { # as expect() writes it; equal ones are joined
	jq -r 'select(.event.action == "verdict") |
		.flowner.port = (if .flowner.hook == "connect" then .flowner.remote
			else .flowner.local end).port |
		if (.rule.name | startswith("bind_chosen")) and .flowner.port >= 1024 then
			.flowner.port = "chosen" else . end |
		"\(.rule.name) \(.flowner.hook) \(.flowner.verdict) \(.flowner.enforced)" +
		" \(.event.outcome) \(.network.transport) \(.network.type) \(.process.pid)" +
		" \(.flowner.flow_id) \(.flowner.role) \(.flowner.port)"' "$T/events" | sort -u
}

all_told() { (($(told | wc -l) >= $(wc -l <"$T/wanted"))); }

told_in_all() {
	local differs
	soon 20 all_told || true
	differs=$(diff <(sort -u "$T/wanted") <(told)) || fail "wanted (<), told (>): $differs"
}

# Nothing came to where it was rejected, to the end.
nothing_came() {
	local proto port
	[[ -s $T/waiting ]] || fail "nobody was rejected when he arrived"
	while read -r proto port; do
		same "in the queue of $proto $port" \
			"$(in_netns ss -Hna "--$proto" "sport = :$port" |
				awk 'NR == 1 { print $2 }')" 0
	done <"$T/waiting"
}

counted() {
	local name
	for name in "${!COUNTED[@]}"; do
		same "$name" "$(flowner stats -j | jq ".verdicts.$name")" "${COUNTED[$name]}"
	done
	same "other verdicts" \
		"$(flowner stats -j | jq '.verdicts | length')" "${#COUNTED[@]}"
}

run() { # MODE
	MODE=$1 CELL=0 HITS=()
	: >"$T/waiting"
	policy "$MODE" >"$T/policy.yaml"
	exits 0 flowner policy load "$T/policy.yaml"
	ways
	actor server
	actor client
	table
	told_in_all
	[[ $MODE == audit ]] || nothing_came
	rules_hit
	dismiss client
	dismiss server
}

main() {
	start_daemon
	own_netns
	in_netns sysctl -qw net.ipv4.tcp_syn_retries=1
	for V in "${!VERDICTS[@]}"; do in_netns ip addr add "fd00::7$V/128" dev lo; done
	start_told wire "$BUILD/tests/wire"
	: >"$T/wanted"
	FLOWNER_SOCKET=$SOCK "$BUILD/flowner" watch -j >"$T/events" 2>"$T/watch.err" &
	WATCH=$!
	eventually 10 watched
	run enforce
	run audit
	counted
	exits 0 flowner policy clear
	refuses 1 'no policy is loaded' flowner policy clear
	nothing_lost
	terminate "$WATCH"
	echo "$(wc -l <"$T/wanted") verdicts told; $(wc -l <<<"$TABLE$FAMILIES") rows"
}
main
