#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Work does not add up: after thousands of sessions, requests and watchers the daemon has the
# descriptors it had before, and once its bounded tables are full it takes no more memory. In a
# SANITIZE=1 build LeakSanitizer looks at what is left at the end; lib.sh checks that for all tests.
. "$(dirname "$0")/lib.sh"

descriptors() { find "/proc/$DAEMON/fd" -mindepth 1 -printf '%l\n' | sed 's/[0-9]*\]$/]/' | sort; }
resident_kb() { awk '$1 == "VmRSS:" { print $2 }' "/proc/$DAEMON/status"; }
nobody_asks() { [[ -z $(ss -Hx state connected src "$SOCK") ]]; }

requests() { # of every kind, some of them refused, in one go
	local path
	for path in flows 'flows?all=1&addr=127.0.0.1' 'flows?pid=x' flows/1 flows/x doctor stats \
		'who?proto=tcp&local=127.0.0.1:1&remote=127.0.0.1:2' ../metrics none; do
		printf 'url = "http://flowner/v1/%s"\noutput = /dev/null\n' "$path"
	done >"$T/urls"
	for _ in {1..20}; do curl -sS --unix-socket "$SOCK" -K "$T/urls"; done
	# readers that go away in the middle, and one that never asks
	for _ in {1..5}; do
		api '/v1/flows?all=1' --max-time 1 | head -c 1000 || true
		FLOWNER_SOCKET=$SOCK timeout 0.2 "$BUILD/flowner" watch -c 1 || true
	done >/dev/null 2>&1
}

round() { # SESSIONS
	in_cgroup "$BUILD/truth/truth" --only 'storm,churn,storm_udp,netns_plain' --storm "$1" \
		-o /dev/null
	requests
	eventually 20 nobody_asks
}

printf 'recent: {flows: 1000}\nlimits: {processes: 1000}\nreconcile: 1s\n' >"$T/config"
start_daemon --config "$T/config"
eventually 20 nobody_asks
before=$(descriptors)
round 80000 # what is bounded is full afterwards: events held, recent flows, images of processes
resident=$(resident_kb)
round 8000
round 8000
grown=$(($(resident_kb) - resident))
echo "resident: $resident KiB, and $grown KiB more after more work"
same "descriptors" "$(descriptors)" "$before"
grep -q __asan_init "$BUILD/flownerd" || ((grown < 2048)) || fail "$grown KiB more"
same "recent flows" "$(flowner stats -j | jq '.recent <= 1000')" true
idle() { [[ $(flowner stats -j | jq -c '[.maps[].entries]') == '[0,0,0,0]' ]]; }
eventually 40 idle
stop_daemon
