#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A proxy as it comes from Debian, which knows nothing of us: stunnel asks for the original
# destination of what it accepts, and goes there with TLS. What it reaches is the other stunnel in
# here, which ends the TLS there and nowhere else. `make proxy` unpacks it.
. "$(dirname "$0")/lib.sh"

PROXY=$TREE/build/proxy
ORIGIN4=127.0.0.9 ORIGIN6=fd00::9

[[ -e $PROXY/packages ]] || skip 'needs stunnel4 in build/proxy: make proxy'
[[ $(type -P openssl) ]] || skip 'needs openssl'

# With its own libraries, by their own loader.
stunnel() { # NAME CONFIGURATION
	local loader
	loader=$(find "$PROXY/usr/lib/" -name 'ld-linux*.so*' -o -name 'ld64.so*' | head -n 1)
	printf 'foreground = yes\npid =\ndebug = 5\n%s\n' "$2" >"$T/$1.conf"
	start nsenter -t "$NETNS" -n "$loader" --library-path "${loader%/*}" \
		"$PROXY/usr/bin/stunnel4" "$T/$1.conf" 2>"$T/$1.log"
}

listens() { # ADDR PORT
	[[ -n $(in_netns ss -Hltn "src $1 and sport = :$2") ]]
}

proxies() {
	local address
	for address in 127.0.0.1 ::1; do
		cat <<-END
			[by-$address]
			client = yes
			accept = $address:3129
			transparent = destination
		END
	done
}

origins() {
	local address
	for address in "$ORIGIN4" "$ORIGIN6"; do
		cat <<-END
			[at-$address]
			cert = $T/cert.pem
			accept = $address:443
			connect = $address:8080
		END
	done
}

policy() {
	cat <<-END
		mode: enforce
		rules:
		  - {name: v4, hooks: [connect], proto: tcp, remote: {port: 443},
		     verdict: redirect, to: "127.0.0.1:3129"}
		  - {name: v6, hooks: [connect], proto: tcp, remote: {port: 443},
		     verdict: redirect, to: "[::1]:3129"}
	END
}

through() { # ORIGIN
	local fd server taken
	tell server listen tcp "$1" 8080
	server=${R[0]}
	tell client connect tcp "$1" 443
	fd=${R[0]}
	tell client peer "$fd"
	same "peer of who goes to $1" "${R[*]}" "$1 443"
	tell client send "$fd" 5
	tell server accept "$server"
	taken=${R[0]}
	tell server drain "$taken" 5
	tell server send "$taken" 7
	tell client drain "$fd" 7
	tell client close "$fd"
}

redirected() { # TIMES
	[[ $(flowner stats -j | jq .verdicts.connect_redirect_enforced) == "$1" ]]
}

start_daemon
own_netns
in_netns ip addr add "$ORIGIN6/128" dev lo
openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=test -keyout "$T/key.pem" \
	-out "$T/crt.pem" 2>"$T/openssl.log"
cat "$T/key.pem" "$T/crt.pem" >"$T/cert.pem"
stunnel proxy "$(proxies)"
P=$PID
stunnel origin "$(origins)"
for at in '127.0.0.1 3129' '[::1] 3129' "$ORIGIN4 443" "[$ORIGIN6] 443"; do
	# shellcheck disable=SC2086 # words
	eventually 20 listens $at
done
actor client
actor server
policy >"$T/policy.yaml"
exits 0 flowner policy load "$T/policy.yaml"
through "$ORIGIN4"
through "$ORIGIN6"
eventually 10 redirected 2 # its own went there, and not back to itself
nothing_lost
kill "$P" "$PID"
