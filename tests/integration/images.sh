#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The record of a process image is there from its first socket on, and gone as soon as the image
# and its sessions are: by exec and by exit, without the sweep.
. "$(dirname "$0")/lib.sh"

images() { # PID: how many records
	map processes | jq --argjson pid "$1" '[.[] | select(.formatted.key.pid == $pid)] | length'
}
images_are() { [[ $(images "$1") == "$2" ]]; } # PID COUNT
text_is_equal() { [[ $(map process_text | jq length) == $(map processes | jq length) ]]; }

printf 'reconcile: 1h\n' >"$T/config"
start_daemon --config "$T/config"
# The server's end stays open: now and then the kernel keeps the other one in FIN_WAIT_2 for as long
# as this, by default a minute.
own_netns
in_netns sysctl -qw net.ipv4.tcp_fin_timeout=1
actor server
actor client
tell server listen tcp 127.0.0.1 0
port=${R[1]}
pid=${ACTOR_PID[client]}
same "before its first socket" "$(images "$pid")" 0

for image in first second third; do
	tell client connect tcp 127.0.0.1 "$port"
	same "its own image, the $image" "$(images "$pid")" 1
	tell client exec
	eventually 10 images_are "$pid" 0
done
tell client connect tcp 127.0.0.1 "$port"
dismiss client
eventually 10 images_are "$pid" 0
same "the other process" "$(images "${ACTOR_PID[server]}")" 1
eventually 10 text_is_equal
