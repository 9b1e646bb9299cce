#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Rules on cgroup, unit and container hold for what is started later, from its first call on: a
# process that connects as the very first thing in a cgroup made a moment before.
# timeout: 240
. "$(dirname "$0")/lib.sh"

# a unit is what stands below slices and nothing else
rmdir "$CGROUP"
CGROUP+=.slice
mkdir "$CGROUP"

TIMES=${TIMES:-5}
LONG=$(printf 'n%.0s' {1..250})
BELOW=/${CGROUP##*/}
ID=7$(printf "%063d" 0)

policy() { # TERM: who is of that is rejected
	cat <<-END >"$T/policy.yaml"
		mode: enforce
		rules:
		  - name: test
		    hooks: [connect]
		    remote: {port: 7001}
		    $1
		    verdict: reject
	END
	exits 0 flowner policy load "$T/policy.yaml"
}

newborn() { # DIRECTORY [TIMES]: "THROUGH DENIED"
	(
		echo "$BASHPID" >"$CGROUP/cgroup.procs"
		exec nsenter -t "$NETNS" -n "$BUILD/tests/newborn" "$1" "$CGROUP" 7001 \
			"${2:-$TIMES}"
	)
}

denies() { same "$1 in $2" "$(newborn "$2")" "0 $TIMES"; }   # WHAT DIRECTORY
lets_in() { same "$1 in $2" "$(newborn "$2")" "$TIMES 0"; } # WHAT DIRECTORY

start_daemon
own_netns
actor server
tell server listen tcp 127.0.0.1 7001
mkdir "$CGROUP/other" "$CGROUP/old.service" "$CGROUP/a-b.slice"
mkdir -p "$CGROUP/other/.old" "$CGROUP/other/...old/$LONG/$LONG"

policy "unit: born.service"
denies 'unit' "$CGROUP/born.service"
denies 'unit' "$CGROUP/a-b.slice/born.service"
lets_in 'what a user calls so' "$CGROUP/old.service/born.service"
lets_in 'what is no unit' "$CGROUP/other/born.service"
lets_in 'unit' "$CGROUP/born"
lets_in 'unit' "$CGROUP/born.service2"
lets_in 'unit' "$CGROUP/unborn.service"
lets_in 'unit' "$CGROUP/other/plain"

policy "not: {unit: born.service}"
lets_in 'not unit' "$CGROUP/born.service"
denies 'what a user calls so' "$CGROUP/old.service/born.service"
denies 'not unit' "$CGROUP/other.service"
denies 'not unit' "$CGROUP/plain"

policy "unit: old.service"
denies 'below a unit' "$CGROUP/old.service/child"
denies 'below a unit' "$CGROUP/old.service/a-slice"
lets_in 'beside a unit' "$CGROUP/child"

policy "cgroup: $BELOW/born"
denies 'cgroup' "$CGROUP/born"
lets_in 'cgroup' "$CGROUP/born2"
lets_in 'cgroup' "$CGROUP/other/born"
policy "cgroup: $BELOW/other/"
denies 'below a cgroup' "$CGROUP/other/born"
denies 'below a cgroup' "$CGROUP/other/born.service"
denies 'below a cgroup with a dot' "$CGROUP/other/.old/born"
denies 'below a cgroup with a dot' "$CGROUP/other/.old/.born"
denies 'below a long path' "$CGROUP/other/...old/$LONG/$LONG/born"
lets_in 'beside a cgroup' "$CGROUP/born"
policy "not: {cgroup: $BELOW/born}"
lets_in 'not cgroup' "$CGROUP/born"
denies 'not cgroup' "$CGROUP/born2"

# a rule by a path that the kernel side does not read to its end
policy "cgroup: $BELOW/other/$LONG"
denies 'cgroup by a long path' "$CGROUP/other/$LONG"
policy "not: {cgroup: $BELOW/other/$LONG}"
denies 'not cgroup by a long path' "$CGROUP/other/x"

# until the daemon has looked, what may be the container is denied: then it is let in
policy "container: $ID"
denies 'container' "$CGROUP/docker-$ID.scope"
lets_in 'container' "$CGROUP/some.scope"
policy "container: ${ID:0:12}"
denies 'container by 12 digits' "$CGROUP/$ID"
known() { # whether it is let in, some time after it was made
	mkdir -p "$CGROUP/docker-${ID/7/8}.scope"
	[[ $(newborn "$CGROUP/docker-${ID/7/8}.scope/below" 1) == '1 0' ]]
}
eventually 5 known
policy "not: {container: ${ID:0:12}}"
allowed() {
	mkdir -p "$CGROUP/docker-$ID.scope"
	[[ $(newborn "$CGROUP/docker-$ID.scope/below" 1) == '1 0' ]]
}
eventually 5 allowed
denies 'not container' "$CGROUP/plain"

# where there is no room to write one down, what is not written down is what is not known
policy "unit: old.service"
mkfifo "$T/fill.to" "$T/fill.from"
start_piped fill "$BUILD/tests/fill" "$PINS/policy/policy_values"
FILL=$PID
exec {room}>"$T/fill.to" {full}<"$T/fill.from"
read -r -t $((60 * TEST_SLOW)) line <&"$full" || fail "the map is not full"
same 'the map' "$line" full
denies 'below a unit, no room' "$CGROUP/old.service/child"
denies 'whatever, no room' "$CGROUP/whatever"
(($(flowner stats -j | jq .counters.cgroups_full) > 0)) || fail 'they are not counted'
exec {room}>&- {full}<&-
wait "$FILL" || fail "the map could not be filled: $?"
roomy() { [[ $(newborn "$CGROUP/whatever" 1) == '1 0' ]]; }
eventually 30 roomy
denies 'below a unit, room again' "$CGROUP/old.service/child"

# without a daemon
policy "unit: [born.service, old.service]"
kill_daemon
denies 'unit, no daemon' "$CGROUP/born.service"
denies 'below a unit, no daemon' "$CGROUP/old.service/child"
lets_in 'unit, no daemon' "$CGROUP/another.service"
mkdir "$CGROUP/born.service"
start_daemon
denies 'unit that came meanwhile' "$CGROUP/born.service/child"
same "what is named and there" "$(flowner policy show -j | jq -c .unresolved)" '[]'

# loading while cgroups come and go
policy "unit: born.service"
rmdir "$CGROUP/born.service"
newborn "$CGROUP/born.service" "$((TIMES * 10))" >"$T/many" &
many=$!
for ((i = 0; i < 10; i++)); do exits 0 flowner policy load "$T/policy.yaml"; done
wait "$many"
same "while policies were loaded" "$(<"$T/many")" "0 $((TIMES * 10))"

# a tracing program, which cannot be detached and put back as one of a cgroup can
census() { bpftool prog list -j | jq '[.[] | select(.name == "cgroup_born")] | length'; }
no_census() { [[ $(census) == 0 ]]; }
same "who tells of cgroups" "$(census)" 1
exits 0 flowner policy clear
eventually 5 no_census

# what the daemon hears of while a trial ends is not written by the policy that goes
past() { [[ $(date -u +%FT%TZ) > ${1%%.*}Z ]]; } # TIME: to the second, and one more
stopped() { grep -q '^State:.T' "/proc/$DAEMON/status"; }
policy "container: $ID"
exits 0 flowner policy clear
exits 0 flowner policy load "$T/policy.yaml" --try "$((3 * TEST_SLOW))s"
until=$(flowner policy show -j | jq -r .trial_ends)
kill -STOP "$DAEMON"
eventually 5 stopped
mkdir "$CGROUP/lxc.late"
eventually 20 past "$until"
kill -CONT "$DAEMON"
eventually 10 grep -q 'nobody confirmed the policy in time: none' "$T/flownerd.log"
same "what is shown" "$(flowner policy show)" 'no policy is loaded'
[[ ! -e $PINS/policy ]] || fail "pins of the policy are left: $(ls -R "$PINS/policy")"
