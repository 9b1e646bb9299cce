#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A rule that names an executable means what its path leads to: a new version from the first call
# on, be it renamed there while flownerd does not get to run; and no file of the same name
# elsewhere, whatever is mounted where.
# timeout: 240
. "$(dirname "$0")/lib.sh"

TIMES=${TIMES:-40} # connections nobody accepts: listen() has room for 128
ACTOR=$BUILD/tests/actor

policy() { # ATTRIBUTE PATH...: who is of them, and only they, may go to 7001; they not to 7002
	local attribute=$1 paths
	shift
	paths=$(IFS=,; echo "$*")
	cat <<-END >"$T/policy.yaml"
		mode: enforce
		rules:
		  - name: nobody-else
		    hooks: [connect]
		    remote: {port: 7001}
		    not: {$attribute: [$paths]}
		    verdict: reject
		  - name: nor-they
		    hooks: [connect]
		    remote: {port: 7002}
		    $attribute: [$paths]
		    verdict: reject
	END
	exits 0 flowner policy load "$T/policy.yaml"
}

tries() { # COMMAND...: an actor is run by it; "PORT ANSWER PORT ANSWER"
	in_cgroup nsenter -t "$NETNS" -n "$@" 2>&1 <<-END | awk '{ printf "%s ", $1 }'
		connect tcp 127.0.0.1 7001
		connect tcp 127.0.0.1 7002
	END
}

is_named() { same "by $*" "$(tries "$@")" 'ok error '; }
is_not() { same "by $*" "$(tries "$@")" 'error ok '; }
is_named_now() { [[ $(tries "$@") == 'ok error ' ]]; }

new() { # PATH: another file there, by rename
	cp "$ACTOR" "$1.new"
	mv "$1.new" "$1"
}

own_mounts() { # COMMAND FILE: where COMMAND has mounted something only FILE sees
	is_not unshare -m sh -c "$1 && exec '$2'"
}

stop_following() { kill -STOP "$DAEMON"; }
follow_again() { kill -CONT "$DAEMON"; }

start_daemon
own_netns
actor server
tell server listen tcp 127.0.0.1 7001
tell server listen tcp 127.0.0.1 7002
mkdir "$T/bin" "$T/other" "$T/later" "$T/sticky"
chmod 1777 "$T/sticky"
AGENT=$T/bin/agent
for file in "$AGENT" "$T/bin/agent2" "$T/other/agent" "$T/sticky/agent"; do new "$file"; done

# --- one that stays ---

policy exe "$AGENT"
is_named "$AGENT"
is_not "$T/bin/agent2"
is_not "$T/other/agent"

# --- replaced while nobody looks ---

stop_following
for ((i = 0; i < 3; i++)); do
	new "$AGENT"
	is_named "$AGENT"
	is_not "$T/other/agent"
done
start_told between "$AGENT" # runs, and is replaced by one nobody sees either
new "$AGENT"
tell between connect tcp 127.0.0.1 7001
try between connect tcp 127.0.0.1 7002
same "one replaced unseen, to 7002" "${R[0]}" error
rm "$AGENT"
try between connect tcp 127.0.0.1 7002
same "one removed unseen, to 7002" "${R[0]}" error
cp "$ACTOR" "$AGENT"
is_named "$AGENT"
is_not "$T/bin/agent2"
follow_again
dismiss between

# --- the same name elsewhere, also with its new version unknown ---

elsewhere() {
	local quiet=$T/other/agent
	is_named "$AGENT"
	own_mounts "mount --bind '$quiet' '$AGENT'" "$AGENT"
	own_mounts "mount --bind '$T/other' '$T/bin'" "$AGENT"
	own_mounts "mount -t tmpfs none '$T/bin' && cp '$ACTOR' '$AGENT'" "$AGENT"
	# the file itself is what it is, whatever path leads there
	is_named unshare -m sh -c "mount --bind '$T/bin' '$T/other' && exec '$quiet'"
	is_named unshare -m sh -c "mount --bind '$AGENT' '$quiet' && exec '$quiet'"
}

elsewhere
stop_following
new "$AGENT"
elsewhere
follow_again

# a user's own mounts, where users may have some
chmod 711 "$T"
user=(setpriv --reuid 65534 --regid 65534 --clear-groups unshare -Urm)
if "${user[@]}" true 2>"$T/err"; then
	mine="mount -t tmpfs none '$T/other' && cp '$T/bin/agent2' '$T/other/agent'"
	is_not "${user[@]}" sh -c "mount --bind '$T/other' '$T/bin' && exec '$AGENT'"
	is_not "${user[@]}" sh -c "$mine && exec '$T/other/agent'"
	is_not "${user[@]}" sh -c "$mine && mount --bind '$T/other' '$T/bin' && exec '$AGENT'"
	is_not "${user[@]}" sh -c "$mine && mount --bind '$T/other/agent' '$AGENT' && exec '$AGENT'"
fi

# --- not there when the policy comes; behind a link; of a parent ---

policy exe "$T/later/agent"
matches "what is not there" "$(<"$T/err")" 'there is no such file'
stop_following
cp "$ACTOR" "$T/later/agent"
is_named "$T/later/agent"
is_not "$AGENT"
follow_again
ln -s bin/agent "$T/link"
policy exe "$T/link"
stop_following
new "$AGENT"
is_named "$T/link"
is_named "$AGENT"
follow_again
cp "$BASH" "$T/later/shell"
policy parent "$T/later/shell"
stop_following
cp "$BASH" "$T/later/shell.new"
mv "$T/later/shell.new" "$T/later/shell"
is_named "$T/later/shell" -c "'$AGENT'; true"
is_not "$BASH" -c "'$AGENT'; true"
follow_again

# --- where names prove nothing, a new file is a stranger until it has been seen ---

policy exe "$T/sticky/agent"
is_named "$T/sticky/agent"
stop_following
new "$T/sticky/agent"
is_not "$T/sticky/agent"
follow_again
eventually 10 is_named_now "$T/sticky/agent"

# --- under load ---

replaces() { # until it is told
	until [[ -e $T/enough ]]; do new "$AGENT"; done
}

policy exe "$AGENT"
replaces &
replacer=$!
for ((i = 0; i < TIMES; i++)); do
	is_named "$AGENT"
	is_not "$T/other/agent"
done
touch "$T/enough"
wait "$replacer"

# without a daemon nobody follows, and it is still the same place
kill_daemon
for ((i = 0; i < 3; i++)); do
	new "$AGENT"
	is_named "$AGENT"
	is_not "$T/other/agent"
done
exits 0 "$BUILD/flownerd" --detach --pin-dir "$PINS"
