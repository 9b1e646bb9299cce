#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# In a machine with systemd where the package was installed before it booted (VM_PREPARE): the
# service from the first moment of the boot until nothing is left of it. Then the one that `make
# install` has made (build/deploy/installed.tar).
. "$(dirname "$0")/../integration/lib.sh"

DEBS=$TREE/build/deb
PINS=/sys/fs/bpf/flowner
flowner() { query '0 1' command flowner "$@"; }
part() { echo "ok $*"; }

property() { systemctl show -P "$1" "${2:-flowner.service}"; } # PROPERTY [UNIT]
main_pid() { property MainPID; }
serves() { [[ $(property ActiveState) == active ]] && flowner stats >/dev/null; }
another_than() { serves && [[ $(main_pid) != "$1" ]]; } # PID

knows() { # ID ROLE: the flow is still the client's, and it was seen to begin
	same "role and owner of $1" \
		"$(flowner show -j "$1" | jq -r '"\(.flowner.role) \(.process.pid)"')" \
		"$2 ${ACTOR_PID[client]}"
}

connect() { # -> ID
	tell client connect tcp 127.0.0.1 8080
	ID=${R[2]}
}

balanced() {
	local entries
	entries=$(bpftool map dump pinned "$PINS/l7_connections" -j | jq length)
	same "opened - ended, entries" "$(($(stat_of opened) - $(stat_of ended)))" "$entries"
}

files() { # of the package that are there
	dpkg -L flowner 2>/dev/null | while read -r file; do
		[[ ! -f $file ]] || echo "$file"
	done
}

# --- after the boot ---
same "service" "$(property ActiveState) $(property SubState) $(property NRestarts)" \
	'active running 0'
ready=$(property ActiveEnterTimestampMonotonic)
(($(property ActiveEnterTimestampMonotonic network-pre.target) >= ready)) ||
	fail "network-pre.target was there before it was ready"
(($(property InactiveExitTimestampMonotonic systemd-networkd.service) >= ready)) ||
	fail "the network came before it was ready"
matches "what it says in the journal" "$(journalctl -u flowner -o cat)" \
	"tier '[a-z -]+', [0-9]+ sockets found open, answering at"
same "each line once" "$(journalctl -t flownerd -o cat | sort | uniq -d)" ''
rated=$(systemd-analyze security flowner.service --no-pager | tail -n 1)
matches "systemd-analyze security" "$rated" ': ([01]\.[0-9]|2\.[0-5]) '
part "ready before the network; $rated"

# --- a session, and who may see it ---
actor server
actor client
tell server listen tcp 127.0.0.1 8080
connect
first=$ID
matches "who" "$(flowner who tcp 127.0.0.1:8080)" "pid ${ACTOR_PID[server]}, user root"
knows "$first" opener
useradd flowner-member -G flowner
matches "a member of group flowner" "$(runuser -u flowner-member -- flowner list -H :8080)" \
	" ${ACTOR_PID[client]} "
exits 1 runuser -u nobody -- flowner list -H :8080
part "a session has its owner"

exits 0 "$TREE/packaging/debian/tests/service"
part "what the package tests of itself"

# --- restarted, killed, hung: what was open stays known, what opens meanwhile is seen ---
pid=$(main_pid)
tell client many 100 tcp 127.0.0.1 8080 20000
systemctl restart flowner &
restart=$!
for _ in {1..20}; do connect; done
wait "$restart"
another_than "$pid" || fail "it was not restarted"
knows "$first" opener
knows "$ID" opener
same "sockets found that were not seen to open" "$(stat_of seeded)" 0
balanced
part "restarted without loss"

pid=$(main_pid)
kill -KILL "$pid"
connect
eventually 30 another_than "$pid"
knows "$first" opener
knows "$ID" opener
same "restarts by itself" "$(property NRestarts)" 1
part "killed, and there again"

mkdir -p /run/systemd/system/flowner.service.d
printf '[Service]\nWatchdogSec=5s\n' >/run/systemd/system/flowner.service.d/watchdog.conf
systemctl daemon-reload
systemctl restart flowner
pid=$(main_pid)
kill -STOP "$pid"
connect
eventually 60 another_than "$pid"
matches "the journal about it" "$(journalctl -u flowner -o cat)" 'Watchdog timeout'
knows "$first" opener
knows "$ID" opener
rm -r /run/systemd/system/flowner.service.d
systemctl daemon-reload
part "hung, and there again"

# --- policy and configuration ---
mkdir -p /etc/flowner/policy.d
cp /usr/share/doc/flowner/examples/policy-audit.yaml /etc/flowner/policy.d/
systemctl reload flowner
in_force() { [[ $(flowner policy show -j | jq -r .mode) == audit ]]; }
eventually 20 in_force
systemctl restart flowner
in_force || fail "the policy is gone after a restart: $(flowner policy show -j)"
rm /etc/flowner/policy.d/*
exits 0 flowner policy clear
echo 'colour: blue' >/etc/flowner/flowner.yaml
exits 1 systemctl restart flowner
same "wrong configuration" "$(property ActiveState) $(property ExecMainStatus)" 'failed 2'
matches "the journal about it" "$(journalctl -u flowner -o cat | tail -n 20)" \
	"flowner.yaml:1:1: unknown key 'colour'"
rm /etc/flowner/flowner.yaml
systemctl reset-failed flowner
systemctl start flowner
knows "$first" opener
part "policy and configuration"

# --- another version comes ---
newer=$T/newer
mkdir "$newer"
dpkg-deb -R "$DEBS"/flowner_*.deb "$newer/root"
sed -i 's/^Version: .*/&+newer/' "$newer/root/DEBIAN/control"
dpkg-deb -b "$newer/root" "$newer/flowner.deb" >/dev/null
pid=$(main_pid)
exits 0 apt-get -y install "$newer/flowner.deb"
another_than "$pid" || fail "the new version does not run"
matches "version" "$(dpkg-query -W -f '${Version}' flowner)" newer
knows "$first" opener
balanced
part "upgraded without loss"

# --- stopped, removed, purged ---
mine=$(objects_of_pins)
systemctl stop flowner
same "service" "$(property ActiveState)" inactive
[[ ! -e $PINS ]] || fail "pins are left: $(ls -R "$PINS")"
eventually 20 freed "$mine"
exits 3 flowner list
systemctl start flowner
mine=$(objects_of_pins)
echo 'poll: 50ms' >/etc/flowner/flowner.yaml
exits 0 apt-get -y remove flowner
same "configuration of a removed package" "$(</etc/flowner/flowner.yaml)" 'poll: 50ms'
[[ ! -e $PINS ]] || fail "pins are left: $(ls -R "$PINS")"
eventually 20 freed "$mine"
exits 0 apt-get -y install "$DEBS"/flowner_*.deb
serves || fail "an installed package does not serve"
files >"$T/files"
[[ -s $T/files ]] || fail "the package has no files"
kill -KILL "$(main_pid)"
exits 0 apt-get -y purge flowner
while read -r file; do [[ ! -e $file ]] || echo "$file"; done <"$T/files" >"$T/left"
same "files left" "$(<"$T/left")" ''
for left in /run/flowner "$PINS" /etc/systemd/system/*/flowner.service; do
	[[ ! -e $left ]] || fail "'$left' is left"
done
part "stopped, removed, purged: nothing is left"

# --- installed by make, as README.md has it ---
groupdel flowner
tar -C / -xf "$TREE/build/deploy/installed.tar"
hash -r
exits 0 systemd-sysusers
exits 0 systemd-tmpfiles --create
exits 0 systemctl daemon-reload
exits 0 systemctl enable --now flowner
serves || fail "what make has installed does not serve"
same "where from" "$(readlink "/proc/$(main_pid)/exe")" /usr/local/sbin/flownerd
connect
knows "$ID" opener
usermod -a -G flowner flowner-member
matches "a member of group flowner" "$(runuser -u flowner-member -- flowner list -H :8080)" \
	" ${ACTOR_PID[client]} "
exits 0 systemctl disable --now flowner
[[ ! -e $PINS ]] || fail "pins are left: $(ls -R "$PINS")"
part "installed by make"
