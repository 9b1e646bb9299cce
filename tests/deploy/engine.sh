# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# Sourced: a Docker engine of one's own that touches no network, and ends with the script.
#
#	engine_start DIR; docker images; engine_stop

docker() { timeout 300 /usr/bin/docker -H "unix://$ENGINE/sock" "$@"; }

engine_start() { # DIR
	local deadline=$((SECONDS + 300))
	ENGINE=$1
	mkdir -p "$ENGINE"
	dockerd --data-root="$ENGINE/data" --exec-root="$ENGINE/exec" -H "unix://$ENGINE/sock" \
		-p "$ENGINE/pid" --iptables=false --ip6tables=false --ip-forward=false \
		--ip-masq=false --bridge=none >"$ENGINE/log" 2>&1 &
	ENGINE_PID=$!
	until docker version >/dev/null 2>&1; do
		if ((SECONDS > deadline)) || ! kill -0 "$ENGINE_PID"; then
			tail -n 20 "$ENGINE/log" >&2
			die "dockerd does not come up"
		fi
		sleep 0.2 # lint: poll
	done
}

engine_stop() {
	[[ ${ENGINE_PID:-} ]] || return 0
	kill "$ENGINE_PID" || true
	wait "$ENGINE_PID" || true
	umount "$ENGINE/exec/netns/default" 2>/dev/null || true
	rm -rf --one-file-system "$ENGINE"
}
