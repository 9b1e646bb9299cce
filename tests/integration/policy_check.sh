#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# `flowner policy check` and `flowner policy test`: exit status and words, without daemon and root;
# and the examples, each with what it allows and what it denies.
. "$(dirname "$0")/lib.sh"
EXAMPLES=$TREE/packaging/examples
# nobody must be able to reach the binary and the examples, wherever the tree is
cp "$BUILD/flowner" "$EXAMPLES"/policy-*.yaml "$T"
chmod -R a+rX "$T"
client=(env "FLOWNER_SOCKET=$T/no-daemon" setpriv --reuid=65534 --regid=65534 --clear-groups
	"$T/flowner" policy)

policy() { # TEXT: into p.yaml
	printf '%b' "$1" >"$T/p.yaml"
}

rule() { # REST: of one that says nothing but its name
	policy "rules:\n- name: a\n  hooks: [listen]\n  verdict: deny\n  $1\n"
}

# --- check: what is valid ---

for file in "$T"/policy-*.yaml; do
	exits 0 "${client[@]}" check "$file"
	matches "what is said of '$file'" "$(<"$T/out")" '^valid: [34] rules, 0 of them enforced'
done
policy ''
exits 0 "${client[@]}" check "$T/p.yaml"
mkdir "$T/policy.d"
cp "$T/policy-database.yaml" "$T/policy.d/20-b.yaml"
cp "$T/policy-listeners.yaml" "$T/policy.d/10-a.yaml"
echo 'not: [yaml' >"$T/policy.d/README"
exits 0 "${client[@]}" check "$T/policy.d" -j
same "rules of a directory" "$(jq -c '[.valid, .rules, .hooks]' "$T/out")" \
	'[true,7,["listen","connect"]]'
cp "$T/policy-database.yaml" "$T/policy.d/30-c.yaml"
refuses 1 "policy.d/30-c.yaml:6:11: the name 'shop-database' is already .* in .*20-b.yaml:6" \
	"${client[@]}" check "$T/policy.d"

# --- check: what is not, one line with the place and nothing else ---

invalid() { # REGEX
	refuses 1 "^flowner: $T/p.yaml:$1" "${client[@]}" check "$T/p.yaml"
}
policy 'mode: !x audit\n'
invalid "1:7: '!x' is a YAML tag"
rule 'exe: []'
invalid "5:8: an empty list"
rule "exe: ['']"
invalid "5:9: empty value"
rule 'colour: red'
invalid "5:3: unknown key 'colour'"
rule 'remote: {port: 80}'
invalid "5:18: 'remote.port' is not known yet at listen"
rule 'local: {addr: 10.1.2.3/8}'
invalid "5:17: '10.1.2.3/8' has bits set behind its prefix: the network is 10.0.0.0/8"
rule 'local: {port: 0-80}'
invalid "5:17: .*port 0"
rule 'user: [root, no-such-user]'
invalid "5:16: there is no user 'no-such-user'"
rule 'port_in_use_by_other: perhaps'
invalid "5:25: 'perhaps' is neither true nor false"
rule 'limit: {listeners: 0, per: process}'
invalid "5:22: '0' is not a number from 1 to 4096"
rule 'limit: {listeners: 5, per: thread}'
invalid "5:30: 'thread' is none of process, user, cgroup, exe"
rule 'limit: {listeners: 5}'
invalid "5:10: a limit needs both"
rule 'group: no-such-group'
invalid "5:10: there is no group 'no-such-group'"
policy 'rules: [{name: a, hooks: [connect], verdict: redirect}]\n'
invalid "1:46: redirect needs 'to: ADDR:PORT'"
policy 'rules: [{name: a, hooks: [connect], verdict: redirect, to: "127.0.0.1:80"}]\n'
exits 0 "${client[@]}" check "$T/p.yaml"
policy 'rules: [{name: a, hooks: [listen], verdict: redirect, to: "127.0.0.1:80"}]\n'
invalid "1:45: redirect is possible at connect or at bind, one of them in a rule"
policy 'rules: [{name: a, hooks: [lisen], verdict: block}]\n'
invalid "1:27: 'lisen' is not a hook"
policy 'rules: [{name: a, hooks: [listen], verdict: block}]\n'
invalid "1:45: 'block' is not a verdict"
policy "mode: \"\\\\e[31m\"\n"
invalid '1:7: .\?\[31m. is neither audit nor enforce'
exits 1 "${client[@]}" check -j "$T/p.yaml"
same "the same as JSON" "$(jq -c '[.valid, .place.line, .place.column]' "$T/out")" '[false,1,7]'

# --- usage ---

refuses 2 "a verb is missing" "${client[@]}"
refuses 2 "'policy' cannot 'chekc'" "${client[@]}" chekc x
refuses 2 "'policy check' needs FILE" "${client[@]}" check
refuses 2 "'--hook' is not an option" "${client[@]}" check "$T/p.yaml" --hook bind
refuses 4 "'?$T/none'?: cannot be read: No such file" "${client[@]}" check "$T/none"
refuses 2 "'test' needs '--hook'" "${client[@]}" test "$T/p.yaml"
refuses 2 "'lisen' is not what '--hook' takes" "${client[@]}" test "$T/p.yaml" --hook lisen
refuses 2 "is not what '--proto' takes" "${client[@]}" test "$T/p.yaml" --hook bind --proto sctp
refuses 2 "is not what '--local' takes" "${client[@]}" test "$T/p.yaml" --hook bind --local x
refuses 2 "is not what '--remote' takes" \
	"${client[@]}" test "$T/p.yaml" --hook connect --remote 10.0.0.0/8:80
refuses 4 "p.yaml:1:7" "${client[@]}" test "$T/p.yaml" --hook bind
policy ''
refuses 2 "'no-such-user' is not a user" \
	"${client[@]}" test "$T/p.yaml" --hook bind --user no-such-user

# --- test ---

tries() { # STATUS FILE OPTIONS...: what it says is in $T/out
	exits "$1" "${client[@]}" test "$T/$2" "${@:3}" -j
}

# What would be so in enforce, and that in audit nothing is denied: RULE VERDICT FILE OPTIONS...
would() {
	tries 0 "${@:3}"
	same "rule and verdict for '${*:3}'" \
		"$(jq -r '"\(.if_enforced.rule.name) \(.if_enforced.verdict)"' "$T/out")" "$1 $2"
	same "verdict as it is" "$(jq -r .as_it_is.verdict "$T/out")" proceed_soft
	sed 's/^mode: audit$/mode: enforce/' "$T/$3" >"$T/enforced.yaml"
	tries "$([[ $2 == reject ]] && echo 1 || echo 0)" enforced.yaml "${@:4}"
	same "rule and verdict in enforce" \
		"$(jq -r '"\(.as_it_is.rule.name) \(.as_it_is.verdict)"' "$T/out")" "$1 $2"
}

listeners() { would "$1" "$2" policy-listeners.yaml --hook listen "${@:3}"; }
for any in 0.0.0.0 '[::]'; do # the second is both families
	listeners web proceed_soft --exe /usr/sbin/nginx --local "$any:443"
	listeners sshd proceed_soft --exe /usr/sbin/sshd --local "$any:22"
	listeners nobody-else reject --exe /usr/sbin/nginx --local "$any:8080"
	listeners nobody-else reject --exe /tmp/nginx --local "$any:443"
	listeners nobody-else reject --exe /usr/bin/nc --local "$any:0"
	listeners nobody-else reject --local "$any:443"
	same "what was not given" "$(jq -c .not_given "$T/out")" '["exe"]'
done
listeners loopback proceed_soft --exe /usr/bin/nc --local 127.0.0.1:8080
listeners loopback proceed_soft --exe /usr/bin/nc --local '[::1]:8080'
listeners nobody-else reject --exe /usr/bin/nc --local '[fe80::1]:8080'
same "what the application sees" "$(jq -r .as_it_is.error "$T/out")" EACCES

cat <<-END >"$T/taken.yaml"
	mode: audit
	rules: [{name: taken, hooks: [listen], port_in_use_by_other: true, verdict: reject}]
END
taken() { would "$1" "$2" taken.yaml --hook listen "${@:3}"; }
taken taken reject --port-in-use-by-other true
taken null proceed_soft --port-in-use-by-other false
taken taken reject
same "what was not given" "$(jq -c .not_given "$T/out")" '["port_in_use_by_other"]'
refuses 2 "'perhaps' is not true or false" \
	"${client[@]}" test "$T/taken.yaml" --hook listen --port-in-use-by-other perhaps

cat <<-END >"$T/limit.yaml"
	mode: audit
	rules:
	  - {name: five, hooks: listen, limit: {listeners: 5, per: process}, verdict: reject}
	  - {name: nine, hooks: listen, limit: {listeners: 9, per: user}, verdict: reject}
END
limit() { would "$1" "$2" limit.yaml --hook listen "${@:3}"; }
limit null proceed_soft --process-listeners 4 --user-listeners 8
limit five reject --process-listeners 5 --user-listeners 8
limit nine reject --process-listeners 0 --user-listeners 9
limit five reject
same "what was not given" "$(jq -c .not_given "$T/out")" '["limit per process"]'
refuses 2 "'many' is not a number of listeners" \
	"${client[@]}" test "$T/limit.yaml" --hook listen --user-listeners many

database() { would "$1" "$2" policy-database.yaml --hook connect --unit shop.service "${@:3}"; }
for address in 192.0.2.10 '[2001:db8::10]' '[::ffff:192.0.2.10]'; do
	database shop-database proceed_soft --remote "$address:5432"
	database shop-nothing-else reject --remote "$address:5433"
	database shop-nothing-else reject --remote "$address:5432" --proto udp
done
database shop-names proceed_soft --remote 127.0.0.53:53 --proto udp
database shop-nothing-else reject --remote 192.0.2.11:5432
would null proceed_soft policy-database.yaml --hook connect --unit other.service \
	--remote 192.0.2.11:5432
would shop-nothing-else reject policy-database.yaml --hook connect --remote 192.0.2.11:5432 \
	--cgroup /system.slice/shop.service/worker

policy 'mode: enforce\nrules: [{name: a, hooks: [bind], verdict: allow_hard, local: {port: 1},
  allow_override: true}, {name: b, hooks: [bind], verdict: allow_hard}]\n'
tries 0 p.yaml --hook bind --local 127.0.0.1:1
matches "one that lifts" "$(jq -r .as_it_is.otherwise "$T/out")" 'a cgroup below.*5.18'
tries 0 p.yaml --hook bind --local 127.0.0.1:2
same "one that does not" "$(jq -r .as_it_is.otherwise "$T/out")" null
policy 'rules: [{name: a, hooks: [listen], verdict: allow_hard, allow_override: true}]\n'
invalid "1:73: 'allow_override' goes with the hooks bind and connect only"

audit() { would "$1" "$2" policy-audit.yaml --hook "${@:3}"; }
audit a-listener reject listen --local '[::]:80'
audit a-connection-out reject connect --remote '[2001:db8::1]:80'
audit a-connection-out reject connect --remote 192.0.2.1:80 --proto udp
audit known-resolver proceed_soft connect --remote 127.0.0.53:53
audit null proceed_soft connect --remote '[::1]:80'
audit a-session-in reject recv_accept --remote 192.0.2.1:80 --local 192.0.2.2:80
audit null proceed_soft recv_accept --remote 127.0.0.1:80 --local 127.0.0.1:80

# --- what people read ---

exits 0 "${client[@]}" test "$T/policy-listeners.yaml" --hook listen --local '[::]:25'
for line in "rule: +none; what no rule is for may proceed" \
	"in audit: +nobody-else \($T/policy-listeners.yaml:2[0-9]\)" \
	"not given: +exe - taken for what restricts more" "listen\(\) fails with EACCES" \
	"is refused \(ECONNREFUSED\)"; do
	matches "the answer" "$(<"$T/out")" "$line"
done

# --- the page: what it shows is so ---

sed -n 's/^ *\$ \(flowner policy check .*\)/\1/p' "$TREE/packaging/doc/policy.md" >"$T/shown"
[[ -s $T/shown ]] || fail "the page shows no 'flowner policy check'"
while read -r -a command; do
	(cd "$TREE" && exits 0 "$BUILD/${command[0]}" "${command[@]:1}")
done <"$T/shown"
