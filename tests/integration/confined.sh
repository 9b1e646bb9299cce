#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# flownerd as packaging/flowner.service lets it be, as far as that goes without systemd: its
# capabilities, /sys read-only with the bpffs bound to another place, its group; it says that it is
# ready and alive, sees a session of another user, and leaves nothing.
. "$(dirname "$0")/lib.sh"

UNIT=$TREE/packaging/flowner.service.in
[[ -e $UNIT ]] || skip "no unit here"
setpriv --no-new-privs true || skip "setpriv cannot do that here"
[[ $(uname -r) != 5.* ]] || skip "before Linux 5.11 it needs the limits that systemd sets"

set_of_caps=-all,$(sed -n 's/^CapabilityBoundingSet=//p' "$UNIT" | sed 's/CAP_/+/g; s/ /,/g' |
	tr '[:upper:]' '[:lower:]')
group=$(getent group 65534 | cut -d : -f 1)
echo "group: $group" >"$T/flowner.yaml"
mkdir "$T/bpf"

# As systemd does it: what is bound first stays writable.
# shellcheck disable=SC2016 # the inner shell's arguments
confined='mount --bind /sys/fs/bpf "$1/bpf"
	mount -o remount,bind,ro /sys
	mount -o remount,bind,ro /sys/fs/bpf
	! mkdir "/sys/fs/bpf/${1##*/}-ro" 2>/dev/null || exit 1
	set_of_caps=$2 group=$3
	shift 3
	exec setpriv --bounding-set "$set_of_caps" --inh-caps -all --groups "$group" \
		--no-new-privs "$@"'

mkfifo "$T/notices"
# shellcheck disable=SC2016 # the inner shell's arguments
start sh -c 'exec "$0" "$1" >"$2"' "$BUILD/tests/notices" "$T/notify" "$T/notices"
exec 9<"$T/notices"
next_notice() { # but for how far a start is that takes long
	notice=STATUS=
	while [[ $notice == STATUS=* || $notice == EXTEND_TIMEOUT_USEC=* ]]; do
		read -r -t $((20 * TEST_SLOW)) -u 9 notice || fail "no notice comes"
	done
}
next_notice
same "the listener" "$notice" listening

NOTIFY_SOCKET=$T/notify WATCHDOG_USEC=200000 unshare --mount --propagation private \
	sh -euc "$confined" confined "$T" "$set_of_caps" "$group" \
	"$BUILD/flownerd" --config "$T/flowner.yaml" --policy-dir "$T/policy.d" \
	--cgroup "$CGROUP" --socket "$SOCK" --pin-dir "$T/bpf/${T##*/}" 2>>"$T/flownerd.log" &
DAEMON=$!
DAEMONS+=("$DAEMON")
eventually 60 answers_or_dead
same "bounding set" "$(awk '$1 == "CapBnd:" { print $2 }' "/proc/$DAEMON/status")" \
	000000c000081004
next_notice
same "the first notice" "$notice" 'READY=1'
next_notice
same "the next" "$notice" 'WATCHDOG=1'

own_netns
actor server
actor client
tell client uid 65534
tell server listen tcp 127.0.0.1 8080
tell client connect tcp 127.0.0.1 8080
same "the owner of a session" "$(flowner show -j "${R[2]}" |
	jq -r '"\(.process.pid) \(.user.id) \(.process.executable)"')" \
	"${ACTOR_PID[client]} 65534 $(realpath "$BUILD/tests/actor")"
same "who may read the maps" "$(stat -c '%U:%G %a' "$PINS/l7_connections")" "root:$group 640"

stop_daemon
[[ ! -e $PINS ]] || fail "'$PINS' is left"
until [[ $notice == STOPPING=1 ]]; do
	same "a notice of the living" "$notice" WATCHDOG=1
	next_notice
done
