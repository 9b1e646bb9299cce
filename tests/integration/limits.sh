#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What flownerd says a policy cannot do, or does later: it is so, and not otherwise.
. "$(dirname "$0")/lib.sh"

load() { # STATUS HOOK MORE: of a policy that rejects all there
	cat <<-END >"$T/policy.yaml"
		mode: enforce
		rules:
		  - name: nobody
		    hooks: [$2]
		    verdict: reject
		$3
	END
	exits "$1" flowner policy load "$T/policy.yaml"
}

answer() { # NAME COMMAND...: as `try`, in one line
	try "$@"
	echo "${R[*]}"
}

denied() { # WHAT ANSWER
	matches "$1" "$2" '^error (Permission denied|Operation not permitted)$'
}

doctor_says() { # TEXT
	[[ $(flowner doctor) == *"$1"* ]] || fail "doctor does not say '$1': $(flowner doctor)"
}

new() { # NAME PROTO: FD
	tell "$1" socket "$2" 4
	FD=${R[0]}
}

# What does not call bind() gets its port without the hook.
implicit_bind() {
	load 0 bind ''
	doctor_says 'connect(), listen() and sendto() on a socket that was not bound choose a port'
	new client tcp
	denied "bind()" "$(answer client bind "$FD" 127.0.0.1 7100)"
	tell client begin "$FD"
	same "listen() of a socket not bound: its port" "$((R[1] != 0))" 1
	new client tcp
	tell client call "$FD" 127.0.0.1 7000
	same "connect() of a socket not bound: its port" "$((R[1] != 0))" 1
	new client udp
	tell client sendto "$FD" 127.0.0.1 7000
}

packets_pass_by() {
	load 0 'connect, bind' ''
	doctor_says 'sockets of AF_PACKET pass by it'
	doctor_says 'proceed_hard lifts what others deny '
	new client tcp
	denied "connect()" "$(answer client call "$FD" 127.0.0.1 7000)"
	tell wire syn6 0 7000
	eventually 10 is_answered
}

is_answered() {
	tell wire seen 7000
	[[ ${R[*]} == *'<syn-ack'* ]]
}

# What this kernel can only undo is not done without a word that it may be.
late() {
	flowner policy show -j | jq -e 'any(.ways[];
		.hook == "listen" and .status == "on" and .late)' >"$T/out"
}

# Where other programs sit at the entry of kernel functions, this one can say no.
can_say_no() {
	flowner doctor -j | jq -e 'any(.hooks[]; .status == "on" and
		(.attach | test("^(fentry|lsm)/")))' >"$T/out"
}

asynchronous() {
	load 0 listen '    allow_async: true'
	! late || ! can_say_no || fail "listen() is undone where it could be denied"
	if late; then
		doctor_says 'listen() succeeds, accept() fails a moment later: EINVAL'
		exits 0 flowner policy clear
		load 4 listen ''
		matches "why not" "$(<"$T/err")" 'only deny after the fact.*allow_async: true'
		load 0 listen '    allow_async: true'
		window
	else
		doctor_says 'listen() fails: EACCES'
		load 0 listen ''
		new client tcp
		denied "listen()" "$(answer client begin "$FD")"
	fi
}

# Between listen() and its end nobody gets an answer but a refusal.
window() {
	local port
	for port in 7201 7202 7203 7204; do
		new client tcp
		tell client bind "$FD" 127.0.0.1 "$port"
		same "a connect() right after listen()" \
			"$(answer client window "$FD" 127.0.0.1 "$port")" \
			'error Connection refused'
		tell wire seen "$port"
		matches "on the wire" "${R[*]}" '^(>syn )+<rst$'
	done
}

start_daemon
own_netns
start_told wire "$BUILD/tests/wire"
actor client
actor server
tell server listen tcp :: 7000
implicit_bind
packets_pass_by
asynchronous
