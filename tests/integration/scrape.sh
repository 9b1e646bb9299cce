#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Metrics on TCP: off if not asked for, nothing but GET /metrics, in both texts and both families,
# and nobody who is slow or asks for much keeps others from theirs.
# timeout: 180
[[ ${ALONE:-} ]] || ALONE=1 exec unshare -n bash "$0" "$@" # ports of its own
. "$(dirname "$0")/lib.sh"
ip link set lo up
OPEN='application/openmetrics-text; version=1.0.0; charset=utf-8'
PLAIN='text/plain; version=0.0.4; charset=utf-8'

at() { # ADDRESS: listen there from now on
	[[ ! $DAEMON ]] || stop_daemon
	echo "metrics: {listen: '$1'}" >"$T/config"
	start_daemon --config "$T/config"
}

# what curl says of an answer: "STATUS TYPE"; head and body are in $T/head and $T/body
asks() { # ADDRESS PATH [CURL OPTIONS...]
	curl -sS --max-time 20 -D "$T/head" -o "$T/body" -w '%{http_code} %{content_type}' \
		"${@:3}" "http://$1$2"
}

names() { grep -v '^#' | sed 's/ [0-9.]*$//' | grep -v flowner_scrapes_total; } # samples

scrapes() { api /metrics | sed -n "s/^flowner_scrapes_total{outcome=\"$1\"} //p"; } # OUTCOME

# --- not asked for ---

start_daemon
same "sockets that listen" "$(ss -Hltn)" ''
same "metrics of it" "$(api /metrics | grep -c scrapes)" 0

# --- asked for in vain ---

daemon=("$BUILD/flownerd" --socket "$T/second" --pin-dir "$PINS-second" --cgroup "$CGROUP")
for address in 127.0.0.1 :9499 '*:9499' localhost:9499 127.0.0.1:0 10.0.0.0/8:9499 '::1:9499'; do
	echo "metrics: {listen: '$address'}" >"$T/config"
	refuses 2 "config:1:[0-9]+: metrics.listen: '[^']*' is not an address and a port" \
		"${daemon[@]}" --config "$T/config"
done
at 127.0.0.1:9499
refuses 1 "cannot serve metrics at '127.0.0.1:9499': Address already in use" \
	"${daemon[@]}" --config "$T/config"
[[ ! -e $T/second && ! -e $PINS-second ]] || fail "it left something"

# --- who is served, and what ---

served() { # ADDRESS TO-ASK
	at "$1"
	same "what is said at '$1'" "$(asks "$2" /metrics)" "200 $OPEN"
	same "its end" "$(tail -n 1 "$T/body")" '# EOF'
	same "its names" "$(names <"$T/body")" "$(api /metrics | names)"
	same "HEAD" "$(asks "$2" /metrics -I)" "200 $OPEN"
	same "what comes with it" "$(sed '1,/^\r$/d' "$T/body")" ''
	same "the older text" "$(asks "$2" /metrics -H 'Accept: text/plain')" "200 $PLAIN"
	grep -q '^# TYPE flowner_flows_total counter$' "$T/body" || fail "no older text"
	same "Prometheus takes both" "$(asks "$2" /metrics -H \
		'Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5')" "200 $OPEN"
}
served '[::1]:9499' '[::1]:9499'
served '[::]:9499' '127.0.0.1:9499'
same "an address that is not this host's" "$(grep -c 'no address' "$T/flownerd.log")" 0
at 192.0.2.1:9499
matches "its line" "$(<"$T/flownerd.log")" "'192.0.2.1:9499' is no address of this host yet"
ip address add 192.0.2.1/32 dev lo
same "when it is" "$(asks 192.0.2.1:9499 /metrics)" "200 $OPEN"
served 127.0.0.1:9499 127.0.0.1:9499
in_cgroup curl -s -o /dev/null http://127.0.0.1:9499/metrics
same "a scrape is a session as any" "$(flowner list --closed --rport 9499 -j |
	jq -r .process.name)" curl

# --- the same with Prometheus' own eyes ---

check_with_promtool() {
	curl -sS -H 'Accept: text/plain' http://127.0.0.1:9499/metrics >"$T/plain"
	promtool check metrics <"$T/plain" >"$T/out" 2>&1 || fail "promtool: $(<"$T/out")"
	same "what it finds" "$(<"$T/out")" ''
	curl -sS http://127.0.0.1:9499/metrics | sed '/^#/! s/$/ 1700000000/' >"$T/open"
	(cd "$T" && promtool tsdb create-blocks-from openmetrics "$T/open" "$T/blocks") \
		>"$T/out" 2>&1 || fail "promtool: $(<"$T/out")"
}
if command -v promtool >/dev/null; then
	check_with_promtool
else
	echo "no promtool (Debian's package prometheus): its checks are left out"
fi

# --- what is not there ---

refused=0
for path in / /metrics/ /metricsx //metrics /v1/{flows,stats,events,policy} /favicon.ico; do
	same "GET $path" "$(asks 127.0.0.1:9499 "$path" --path-as-is)" "404 text/plain"
	refused=$((refused + 1))
done
for method in POST PUT DELETE OPTIONS PATCH NONSENSE; do
	same "$method" "$(asks 127.0.0.1:9499 /metrics -X "$method")" "404 text/plain"
	refused=$((refused + 1))
done
same "a body" "$(asks 127.0.0.1:9499 /metrics --data x)" "404 text/plain"
same "counted" "$(scrapes refused)" $((refused + 1))
same "a GET with a query" "$(asks 127.0.0.1:9499 '/metrics?name=x')" "200 $OPEN"
large=$(printf '%09000d' 0)
matches "a request of 9 KB" "$(asks 127.0.0.1:9499 "/metrics?$large" || true)" '^(4..|000) '

# --- who is slow ---

dropped() { [[ $(scrapes dropped) == "$1" ]]; } # COUNT

# Each says a byte a second, and so has never been silent for long.
drip() {
	local fd
	exec {fd}<>/dev/tcp/127.0.0.1/9499
	for _ in {1..60}; do
		{ printf 'G' >&"$fd"; } 2>/dev/null || return 0
		sleep 1 # lint: poll
	done
}
trap '' PIPE
for _ in {1..16}; do drip & done
taken() { (($(ss -Htn state established '( sport = 9499 )' | wc -l) >= 16)); }
eventually 10 taken
answers || fail "the socket does not answer while they drip"
SECONDS=0
same "whoever comes then" "$(asks 127.0.0.1:9499 /metrics)" "200 $OPEN"
((SECONDS <= 15 * TEST_SLOW)) || fail "after $SECONDS s"
eventually 15 dropped 16
stop_daemon
wait
