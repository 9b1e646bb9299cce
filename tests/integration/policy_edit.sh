#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Rules come into the policy in force and go out of it, one by one, by order or when their time is
# over, also where no daemon was there to see it. The others stay as they are: who connects all the
# time where one of them says no never gets through, and each try is one of its hits.
# timeout: 240
. "$(dirname "$0")/lib.sh"

NEVER=7001 PERMITTED=7002 OPEN=7003 OLD=7004
EDITS=$((TEST_SLOW > 1 ? 2 : 6))

rule() { # NAME PORT VERDICT [MORE]: a rule on its own line
	printf '  - {name: %s, hooks: [connect], remote: {port: %s}, verdict: %s%s}\n' \
		"$1" "$2" "$3" "${4:+, $4}"
}

rules() { # RULE...: a document
	printf 'rules:\n'
	printf '%s\n' "$@"
}

policy() { # FILE MODE RULE...
	printf 'mode: %s\n' "$2" >"$T/$1.yaml"
	rules "${@:3}" >>"$T/$1.yaml"
}

answer() { # NAME COMMAND...: as `try`, in one line
	try "$@"
	echo "${R[*]}"
}

lets_in() { # PORT
	try client connect tcp 127.0.0.1 "$1"
	matches "connect to $1" "${R[*]}" '^ok '
	tell client reset "${R[1]}"
}

rejects() { # PORT
	matches "connect to $1" "$(answer client connect tcp 127.0.0.1 "$1")" \
		'^error (Permission denied|Operation not permitted)$'
}

names() { flowner policy show -j | jq -r '[.rules[]?.name] | join(" ")'; }
of_rule() { flowner policy show -j | jq -r ".rules[]? | select(.name == \"$1\").$2"; } # NAME KEY
are() { [[ $(names) == "$1" ]]; } # NAMES
nanoseconds() { [[ $1 ]] && date -d "$1" +%s%N; } # TIME
is_past() { (($(date +%s%N) > $1)); } # NANOSECONDS

add() { # OPTIONS... RULE: by standard input
	rules "${@: -1}" | flowner policy add "${@:1:$# - 1}" -
}

briefly() { # NAME SECONDS RULE: UNTIL is when its time is over
	local n
	for n in 1 2 4 8 16; do # a policy takes its time to load
		exits 0 add --for "$(($2 * TEST_SLOW * n))s" "$3"
		UNTIL=$(of_rule "$1" until)
		[[ ! $UNTIL ]] || return 0 # else it was over before it was asked for
	done
	fail "no rule '$1' is there for $2 s"
}

refused() { # STATUS REGEX RULE: as refuses, for add
	rules "$3" >"$T/document"
	refuses "$1" "$2" flowner policy add - <"$T/document"
}

# The first that gets through to PORT does so when UNTIL is over, by the clock of the one who tries.
lets_in_after() { # PORT UNTIL
	local deadline=$((SECONDS + 20 * TEST_SLOW)) until
	until=$(nanoseconds "$2")
	while try client connect tcp 127.0.0.1 "$1" && [[ ${R[0]} != ok ]]; do
		((SECONDS < deadline)) || fail "still rejected long after $2"
	done
	((R[5] >= until)) || fail "let in $((until - R[5])) ns before $2"
	tell client reset "${R[1]}"
}

# --- in and out ---

in_and_out() {
	exits 0 flowner policy load "$T/base.yaml"
	rejects $NEVER
	lets_in $PERMITTED
	exits 0 add "$(rule now $PERMITTED reject)"
	matches "what add says" "$(<"$T/out")" '^1 rules added before all others
3 rules in force, mode enforce$'
	same "in force" "$(names)" 'now never permitted'
	rejects $PERMITTED # though there is a rule that permits it
	lets_in $OPEN
	same "where it stands" "$(of_rule now file):$(of_rule now line)" stdin:2
	same "its hits" "$(of_rule now hits) $(of_rule permitted hits)" '1 1'
	refused 4 "^flowner: stdin:2:5: the name 'never' is already that .*base.yaml:3" \
		"$(rule never $OPEN reject)"
	refused 4 'stdin:2:.*is not a verdict' "$(rule other $OPEN no)"
	refused 4 'stdin:1:7: empty value' ''
	refuses 1 "no rule 'nobody'" flowner policy delete nobody
	refuses 2 "for: '5' is not possible" flowner policy add --for 5 "$T/base.yaml"
	refuses 4 "cannot read '$T/none'" flowner policy add "$T/none"
	same "in force" "$(names)" 'now never permitted'
	exits 0 flowner policy delete now
	matches "what delete says" "$(<"$T/out")" '^2 rules in force, mode enforce$'
	lets_in $PERMITTED
	rejects $NEVER
	same "hits" "$(of_rule never hits) $(of_rule permitted hits)" '2 2'
	exits 0 flowner policy delete never
	lets_in $NEVER
	exits 0 add "$(rule 'a/b %2f ü' $OPEN reject)"
	rejects $OPEN
	exits 0 flowner policy delete 'a/b %2f ü'
	lets_in $OPEN
}

not_for_others() {
	local what
	chmod 711 "$T" # others must reach the socket
	for what in '-X POST -d rules: http://flowner/v1/policy/rules' \
		'-X DELETE http://flowner/v1/policy/rules/never'; do
		# shellcheck disable=SC2086 # words
		same "$what of another user" "$(setpriv --reuid 65534 --clear-groups \
			curl -sS --max-time 20 --unix-socket "$SOCK" -o /dev/null \
			-w '%{http_code}' $what)" 403
	done
}

# --- the others meanwhile ---

without_a_gap() {
	local i hits
	exits 0 flowner policy load "$T/base.yaml"
	hammer $NEVER
	for ((i = 0; i < EDITS; i++)); do
		exits 0 add "$(rule "a$i" $PERMITTED reject)"
		rejects $PERMITTED
		exits 0 add "$(rule "b$i" $PERMITTED allow)"
		lets_in $PERMITTED
		exits 0 flowner policy delete "b$i"
		rejects $PERMITTED
		exits 0 flowner policy delete "a$i"
		lets_in $PERMITTED
	done
	briefly short 1 "$(rule short $PERMITTED reject)"
	lets_in_after $PERMITTED "$UNTIL"
	hammered
	same "hits of who tried so often" "$(of_rule never hits)" "$TRIED"
	hits=$(of_rule permitted hits)
	((hits == EDITS + 1)) || fail "$hits hits of the rule that permits"
	echo "$((EDITS * 4 + 2)) edits under $TRIED attempts"
}

another_hook() {
	local document late=$T/late.yaml
	printf 'rules:\n  - {name: late, hooks: [listen], local: {port: 7009}, %s}\n' \
		'verdict: reject, allow_async: true' >"$late"
	exits 0 flowner policy add "$late"
	document=$(flowner policy show -j)
	if [[ $(jq -r '.ways[] | select(.hook == "listen" and .status == "on") | .late' \
		<<<"$document") == false ]]; then
		same "listen()" "$(answer server listen tcp 127.0.0.1 7009)" \
			'error Permission denied'
	fi
	rejects $NEVER
	exits 0 flowner policy delete late
	tell server listen tcp 127.0.0.1 7009
	tell server close "${R[0]}"
	same "ways to judge listen()" "$(flowner policy show -j | jq '[.ways[] |
		select(.hook == "listen" and .status == "on")] | length')" 0
}

modes() {
	policy audited audit "$(rule never $NEVER reject)"
	exits 0 flowner policy load "$T/audited.yaml"
	lets_in $NEVER
	exits 0 add "$(rule as_they $OPEN reject)"
	matches "what add says" "$(<"$T/out")" '1 of them in audit'
	lets_in $OPEN
	exits 0 add "$(rule now $OPEN reject 'mode: enforce')"
	rejects $OPEN
	lets_in $NEVER
}

# --- for a time, and nobody there ---

for_a_time() {
	local until hits
	exits 0 flowner policy load "$T/base.yaml"
	exits 0 add --for 600s "$(rule long $PERMITTED reject)"
	matches "what add says" "$(<"$T/out")" '^1 rules added before all others, until 2'
	until=$(of_rule long until)
	matches "what is shown" "$(flowner policy show)" "UNTIL.*$until"
	exits 0 add "$(rule stays $OPEN reject)"
	exits 0 flowner policy delete permitted
	rejects $NEVER
	hits=$(of_rule never hits)
	kill_daemon
	rejects $PERMITTED
	rejects $NEVER
	start_daemon
	same "in force" "$(names)" 'stays long never'
	same "until" "$(of_rule long until | cut -c -19)" "${until:0:19}"
	same "until, of what stays" "$(of_rule stays until) $(of_rule stays added)" 'null true'
	same "hits" "$(of_rule never hits)" "$((hits + 1))"
	same "place" "$(of_rule never line)" 3
	rejects $PERMITTED
	exits 0 flowner policy delete long
	lets_in $PERMITTED
	hammer $NEVER
	briefly short 3 "$(rule short $PERMITTED reject)"
	until=$(nanoseconds "$UNTIL")
	kill_daemon
	rejects $PERMITTED
	eventually 10 is_past "$until"
	rejects $PERMITTED # until there is somebody to take it out
	start_daemon
	lets_in $PERMITTED
	matches "what it says" "$(<"$T/flownerd.log")" 'the time of 1 rules is over: 2 are in force'
	hammered
	same "in force" "$(names)" 'stays never'
	same "hits" "$(of_rule never hits)" "$((hits + 1 + TRIED))"
}

# --- none before, none after ---

of_no_policy() {
	exits 0 flowner policy clear
	refuses 1 'no policy is loaded' flowner policy delete never
	exits 0 add "$(rule only $OPEN reject 'mode: enforce')"
	rejects $OPEN
	lets_in $NEVER
	exits 0 flowner policy delete only
	same "what delete says" "$(<"$T/out")" 'no policy is in force any more'
	lets_in $OPEN
	same "what is shown" "$(flowner policy show)" 'no policy is loaded'
	[[ ! -e $PINS/policy ]] || fail "pins of the policy are left: $(ls -R "$PINS/policy")"
	briefly only 1 "$(rule only $OPEN reject 'mode: enforce')"
	lets_in_after $OPEN "$UNTIL"
	eventually 10 are ''
	# what was loaded stays, for its defaults
	printf 'default: {connect: reject}\nmode: enforce\n%s\n' \
		"$(rules "$(rule permitted $PERMITTED allow)")" >"$T/defaults.yaml"
	exits 0 flowner policy load "$T/defaults.yaml"
	lets_in $PERMITTED
	exits 0 flowner policy delete permitted
	matches "what delete says" "$(<"$T/out")" '^0 rules in force, mode enforce'
	rejects $PERMITTED
	exits 0 flowner policy clear
}

# --- trials and reloads ---

on_trial() {
	local until said
	exits 0 flowner policy load "$T/base.yaml"
	briefly short 1 "$(rule short $OPEN reject)"
	until=$(nanoseconds "$UNTIL")
	said=$(grep -c 'the time of' "$T/flownerd.log")
	policy other enforce "$(rule other $OPEN reject)"
	exits 0 flowner policy load "$T/other.yaml" --try "$((3 * TEST_SLOW))s"
	refused 4 'a policy is on trial' "$(rule now $PERMITTED reject)"
	refuses 4 'a policy is on trial' flowner policy delete other
	rejects $OPEN
	eventually 20 are 'never permitted'
	is_past "$until" || fail "the trial ended before what was added had its time"
	lets_in $OPEN
	rejects $NEVER
	# what had its time was not even there for a moment
	same "what it says" "$(grep -c 'the time of' "$T/flownerd.log")" "$said"
}

loads_replace() {
	mkdir -p "$T/policy.d"
	cp "$T/base.yaml" "$T/policy.d/"
	exits 0 add --for 600s "$(rule now $PERMITTED reject)"
	exits 0 flowner policy delete never
	same "in force" "$(names)" 'now permitted'
	kill -HUP "$DAEMON"
	eventually 10 are 'never permitted'
	lets_in $PERMITTED
	rejects $NEVER
}

# --- what lives ---

what_lives() {
	local old new
	exits 0 flowner policy clear
	tell client connect tcp 127.0.0.1 $OLD
	old=${R[0]}
	policy old enforce "$(rule old $OLD reject)"
	exits 0 flowner policy load "$T/old.yaml"
	tell client connect tcp 127.0.0.1 $OPEN
	new=${R[0]}
	exits 0 add "$(rule now $OPEN reject)"
	matches "what add says of it" "$(<"$T/out")" '1 live listeners and sessions would not be'
	same "it lives" "$(answer client send "$new")" ok
	exits 0 flowner policy delete now
	exits 0 add --cut "$(rule now $OPEN reject)"
	matches "what add says of it" "$(<"$T/out")" '1 live listeners and sessions cut, 0 left'
	same "it is cut" "$(answer client recv "$new")" 'error Software caused connection abort'
	same "what another rule rejects lives" "$(answer client send "$old")" ok
}

start_daemon
own_netns
actor server
actor client
for port in $NEVER $PERMITTED $OPEN $OLD; do tell server listen tcp 127.0.0.1 "$port"; done
policy base enforce "$(rule never $NEVER reject)" "$(rule permitted $PERMITTED allow)"
in_and_out
not_for_others
without_a_gap
another_hook
modes
for_a_time
of_no_policy
on_trial
loads_replace
what_lives
