#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Work does not add up: after thousands of sessions, requests and watchers the daemon has the
# descriptors it had before, and once its bounded tables are full it takes no more memory: STORM
# (default 80000) sessions fill them. In a SANITIZE=1 build LeakSanitizer looks at what is left at
# the end; lib.sh checks that for all tests.
. "$(dirname "$0")/lib.sh"

STORM=${STORM:-80000}

descriptors() { find "/proc/$DAEMON/fd" -mindepth 1 -printf '%l\n' | sed 's/[0-9]*\]$/]/' | sort; }
# The least of several looks: a sweep has a socket in each namespace for a moment.
at_rest() {
	local look least
	least=$(descriptors)
	for _ in {1..20}; do
		look=$(descriptors)
		((${#look} >= ${#least})) || least=$look
	done
	echo "$least"
}
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
		may_fail api '/v1/flows?all=1' --max-time 1 | head -c 1000 || true
		FLOWNER_SOCKET=$SOCK timeout 0.2 "$BUILD/flowner" watch -c 1 || true
	done >/dev/null 2>&1
}

# The daemon's last events; see RING in src/daemon/stream.c. The other tables are smaller.
all_is_full() { (($(flowner stats -j | jq .events) >= 65536)); }

round() { # SESSIONS
	in_cgroup "$BUILD/truth/truth" --only 'storm,churn,storm_udp,netns_plain' --storm "$1" \
		-o /dev/null
	requests
	eventually 20 nobody_asks
}

printf 'recent: {flows: 1000}\nlimits: {processes: 1000}\nreconcile: 1s\n' >"$T/config"
start_daemon --config "$T/config"
eventually 20 nobody_asks
before=$(at_rest)
round "$STORM"
filled=no
! all_is_full || filled=yes
resident=$(resident_kb)
round $((STORM / 10))
round $((STORM / 10))
grown=$(($(resident_kb) - resident))
echo "resident: $resident KiB, and $grown KiB more after more work; full before that: $filled"
same "descriptors" "$(at_rest)" "$before"
if [[ $filled == yes ]] && ! grep -q __asan_init "$BUILD/flownerd"; then
	((grown < 2048)) || fail "$grown KiB more"
fi
same "recent flows" "$(flowner stats -j | jq '.recent <= 1000')" true
idle() { [[ $(flowner stats -j | jq -c '[.maps[].entries]') == '[0,0,0,0]' ]]; }
eventually 40 idle
stop_daemon
