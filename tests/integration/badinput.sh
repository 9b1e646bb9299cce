#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What people and kernels do wrong: one line that says what, the right exit status, and nothing left
# behind half attached.
. "$(dirname "$0")/lib.sh"
ROOT=${CGROUP%/*} # where cgroup2 is mounted

# By its links: bpftool 7.1 shows nothing of a cgroup on 5.10.
attached() {
	bpftool link show -j | jq -c --argjson cgroup "$(stat -c %i "$CGROUP")" \
		'[.[] | select(.cgroup_id == $cgroup)] | sort_by(.id)'
}
as_before() { [[ $(attached) == "$before" ]]; }

nothing_left() { # AFTER-WHAT
	[[ ! -e $PINS ]] || fail "$1 left pins: $(ls -R "$PINS")"
	[[ ! -e $SOCK ]] || fail "$1 left its socket"
	soon 10 as_before || # the kernel frees what nobody holds in its own time
		same "what is attached after $1" "$(attached)" "$before"
}

# In a mount namespace of its own, after SETUP.
elsewhere() { # SETUP COMMAND...
	unshare -m --propagation private bash -ec "$1"$'\nexec "$@"' bash "${@:2}"
}

daemon=(timeout $((30 * TEST_SLOW)) "$BUILD/flownerd" --socket "$SOCK" --pin-dir "$PINS")
scoped=("${daemon[@]}" --cgroup "$CGROUP")
client=(env "FLOWNER_SOCKET=$SOCK" "$BUILD/flowner")
before=$(attached)

# --- flowner ---

refuses 2 "^flowner: there is no command 'lsit': try 'flowner --help'$" "${client[@]}" lsit
refuses 2 "a command is missing" "${client[@]}"
refuses 2 "'--no-such' is not an option" "${client[@]}" list --no-such
refuses 2 "'--pid' needs a value" "${client[@]}" list --pid
refuses 2 "'-x' is not an option" "${client[@]}" list -x
for address in 10.1.2 10.1.2.3/33 10.1.2.3:65536 '[::1' ::1/129 10.1.2.3:x 1.2.3.4:0 %; do
	refuses 2 "is not an address" "${client[@]}" list "$address"
done
for id in 0 nothing 11112222333344445; do
	refuses 2 "is not a flow id" "${client[@]}" show "$id"
done
for time in yesterday 10 5y @x 2026-13-01T00:00:00Z; do
	refuses 2 "is not a time" "${client[@]}" list --since "$time"
	refuses 2 "is not a time" "${client[@]}" who tcp 1.2.3.4:5 --at "$time"
done
refuses 2 "'--pid'|is not" "${client[@]}" list --pid x
refuses 2 "is not" "${client[@]}" list --lport 0
refuses 2 "is not" "${client[@]}" list --proto sctp
refuses 2 "is not" "${client[@]}" list --state open
refuses 2 "is not" "${client[@]}" list --direction up
refuses 2 "is not ADDR:PORT" "${client[@]}" who tcp 1.2.3.4
refuses 2 "'who' needs" "${client[@]}" who tcp
refuses 2 "unexpected argument" "${client[@]}" show 1 2
for command in list 'show 1' 'who :1' 'watch -H' doctor stats metrics; do
	# shellcheck disable=SC2086 # words
	refuses 3 "no daemon at '$SOCK'" "${client[@]}" --socket "$SOCK" $command
done
exits 2 "$BUILD/flowner" --socket "$(printf '/%0200d' 1)" list
: >"$T/file"
refuses 3 "no daemon at" "$BUILD/flowner" --socket "$T/file" list

# --- flownerd: usage ---

refuses 2 "unknown option '--no-such'" "${daemon[@]}" --no-such
refuses 2 "no value for '--config'" "${daemon[@]}" --config
refuses 2 "unexpected argument 'x'" "${daemon[@]}" x
refuses 2 "takes 'syscall' or 'auto'" "${daemon[@]}" --accept magic
refuses 2 "takes 'container' or 'host'" "${daemon[@]}" --scope galaxy

# --- flownerd: its configuration ---

bad_config() { # REGEX TEXT
	printf '%b' "$2" >"$T/config"
	refuses 2 "$1" "${scoped[@]}" --config "$T/config"
	nothing_left "configuration '$2'"
}
refuses 2 "cannot read '$T/none': No such file" "${scoped[@]}" --config "$T/none"
bad_config "config:1:1: .*lmits" 'lmits: {flows: 100}\n'
bad_config "config:2:10: limits.flows: 'lots' is not a count" 'limits:\n  flows: lots\n'
bad_config "config:1:17: limits.flows: '1' is out of range" 'limits: {flows: 1}\n'
bad_config "config:1:7: poll: '5' is not a duration" 'poll: 5\n'
bad_config "config:2:10: on_stop: 'explode' is not detach or keep" 'poll: 50ms\non_stop: explode\n'
bad_config "config:[12]:[0-9]+: did not find expected" 'limits: [1, 2\n'
bad_config "config:1:19: metrics.listen: '::9499' is not an address and a port" \
	'metrics: {listen: "::9499"}\n'
bad_config "config:1:9: socket: 'here' is not an absolute path" 'socket: here\n'

# --- flownerd: what the system lacks ---

refuses 4 "not permitted: run as root, or with the capabilities" \
	setpriv --bounding-set -all --inh-caps -all "${scoped[@]}"
nothing_left "missing capabilities"
mkdir "$T/empty"
refuses 4 "no type information in '/sys/kernel/btf/vmlinux'" \
	elsewhere "mount --bind '$T/empty' /sys/kernel/btf" "${scoped[@]}"
nothing_left "missing BTF"
refuses 1 "no cgroup2 filesystem is mounted: mount one" \
	elsewhere "umount -l '$ROOT'" "${daemon[@]}"
nothing_left "missing cgroup2"
refuses 1 "cannot open the cgroup '$T/nowhere': No such file" "${daemon[@]}" --cgroup "$T/nowhere"
refuses 1 "'$T' is not a cgroup2 directory" "${daemon[@]}" --cgroup "$T"
nothing_left "a wrong cgroup"
refuses 4 "'$T/pins' is not on a bpf filesystem: mount one" "${scoped[@]}" --pin-dir "$T/pins"
refuses 4 "is not on a bpf filesystem" elsewhere "mount -t tmpfs none /sys/fs/bpf" "${scoped[@]}"
nothing_left "a missing bpffs"
refuses 1 "cannot create '$PINS': Read-only file system" elsewhere \
	"mount --bind /sys/fs/bpf /sys/fs/bpf; mount -o remount,ro,bind /sys/fs/bpf" "${scoped[@]}"
nothing_left "a read-only bpffs"
mkdir "$PINS-other"
bpftool map create "$PINS-other/theirs" type array key 4 value 4 entries 1 name theirs
mode=$(stat -c %a "$PINS-other")
refuses 1 "'$PINS-other' has entries that are not flownerd's" "${scoped[@]}" --pin-dir "$PINS-other"
refuses 1 "'$PINS-other' has entries that are not flownerd's" \
	"$BUILD/flownerd" --detach --pin-dir "$PINS-other"
[[ -e $PINS-other/theirs ]] || fail "another's pin was removed"
same "mode of another's directory" "$(stat -c %a "$PINS-other")" "$mode"
rm -r "$PINS-other"
nothing_left "another's directory"
refuses 1 "cannot listen at '/proc/x/sock'" "${scoped[@]}" --socket /proc/x/sock
refuses 1 "cannot listen at '$T/file': File exists" "${scoped[@]}" --socket "$T/file"
nothing_left "a socket that cannot be"

# --- flownerd: a private cgroup namespace ---

refuses 4 "in a private cgroup namespace, where only this container could be seen" \
	unshare -C "${daemon[@]}"
nothing_left "a private cgroup namespace"
# as in a container: its cgroup is the root of what it sees
start unshare -C -m --propagation private bash -ec \
	"umount -l '$ROOT'; mount -t cgroup2 none '$ROOT'; exec \"\$@\"" bash \
	"$BUILD/flownerd" --socket "$SOCK" --pin-dir "$PINS" --scope container 2>"$T/flownerd.log"
container=$PID
DAEMON=$container
eventually 30 answers_or_dead
actor inside
tell inside listen tcp 127.0.0.1 0
same "what the container sees" "$(flowner list -j | jq -r .process.pid)" "${ACTOR_PID[inside]}"
dismiss inside
kill "$container"
wait "$container" || fail "flownerd --scope container ended with $?: $(<"$T/flownerd.log")"
nothing_left "--scope container"

# --- flownerd: a kernel that refuses ---

refusing() { # VARIABLE=VALUE... COMMAND...
	env LD_PRELOAD="$BUILD/tests/refuse.so" \
		ASAN_OPTIONS="${ASAN_OPTIONS:-}:verify_asan_link_order=0" "$@"
}
refuses 4 "the kernel refuses the program 'track_sockops': Permission denied" \
	refusing REFUSE_PROGRAM=track_sockops REFUSE_ERRNO=13 "${scoped[@]}"
nothing_left "a refused program"
refuses 1 "the kernel refuses the program 'udp_egress': Argument list too long" \
	refusing REFUSE_PROGRAM=udp_egress REFUSE_ERRNO=7 "${scoped[@]}"
nothing_left "a program too long"
refuses 4 "cannot attach 'track_sockops' to 'sockops'" \
	refusing REFUSE_LINK=track_sockops REFUSE_ERRNO=1 "${scoped[@]}"
nothing_left "the first link refused"
refuses 4 "cannot attach 'udp_post_bind4' to 'cgroup/post_bind4'" \
	refusing REFUSE_LINK=udp_post_bind4 REFUSE_ERRNO=1 "${scoped[@]}"
nothing_left "a later link refused"
refuses 1 "cannot (pin|load|use)" \
	refusing REFUSE_PIN=/socket_to_process REFUSE_ERRNO=28 "${scoped[@]}"
nothing_left "a map that cannot be pinned"
refuses 1 "cannot pin '$PINS/links/udp_release.*': No space left on device" \
	refusing REFUSE_PIN=/links/udp_release REFUSE_ERRNO=28 "${scoped[@]}"
nothing_left "a link that cannot be pinned"

# --- flownerd: another one ---

start_daemon
there=$(attached)
refuses 1 "another flownerd uses '$PINS'" "${scoped[@]}" --socket "$T/second"
refuses 1 "another flownerd listens at '$SOCK'" "${scoped[@]}" --pin-dir "$PINS-second"
refuses 1 "another flownerd uses '$PINS'" "$BUILD/flownerd" --detach --pin-dir "$PINS"
[[ ! -e $T/second && ! -e $PINS-second ]] || fail "a second flownerd left something"
same "what the first has attached" "$(attached)" "$there"
answers || fail "the first does not answer any more"

# --- pins of another layout ---

set_meta() { # BYTE VALUE: of the one value of meta
	mapfile -t bytes < <(map meta | jq -r '.[0].value[]')
	bytes[$1]=$2
	bpftool map update pinned "$PINS/meta" key 0 0 0 0 value "${bytes[@]}"
}
lowest=0 # byte of the layout's number
little_endian || lowest=3
kill_daemon
set_meta "$lowest" 99
refuses 1 "pinned by a flownerd with another layout \(99-.*, this one has [0-9].*--detach" \
	"${scoped[@]}"
mine=$(grep -o 'this one has [0-9]*' "$T/err")
set_meta "$lowest" "${mine##* }"
shape=$(map meta | jq -r '.[0].value[16]')
set_meta 16 $((shape ^ 1)) # somebody changed a record and forgot to say so
refuses 1 "another layout .*--detach" "${scoped[@]}"
[[ -e $PINS/meta && -e $PINS/links/track_sockops ]] || fail "pins of another layout were removed"
same "what it has attached" "$(attached)" "$there"
exits 0 "$BUILD/flownerd" --detach --pin-dir "$PINS"
rm -f "$SOCK"
nothing_left "--detach"
start_daemon
stop_daemon
nothing_left "all of it"
