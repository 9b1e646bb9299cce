#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The manual and --help tell the same options of each command, the manual of a policy every word of
# one, that of the configuration every key; what has no such list is refused.
. "$(dirname "$0")/lib.sh"

[[ -e $BUILD/man/flowner.1 ]] || skip "no manual here"

helped() { sed -nE 's/^ +(-., )?(--[a-z0-9-]+).*/\2/p' | sort -u; }

# of the items of a page, or of those between COMMAND and the one after it
paged() { # PAGE [COMMAND]
	awk -v command="${2:-}" '
		/^\.It Cm / {
			name = substr($0, 8)
			sub(/ No .*/, "", name)
			here = name == command
		}
		/^\.S[hs] / { here = 0 }
		/^\.It Fl / && (here || command == "") {
			for (i = 2; i <= NF; i++) if ($i ~ /^-/) print "-" $i }' "$BUILD/man/$1" |
		sort -u
}

without() { comm -23 - <(echo "$1"); }

# --- flowner(1): globals and filters stand for themselves, the rest with its command ---

globals=$(flowner help doctor | helped)
all=$(flowner help | helped)
filters=$(sed -n '/^\.Ss Filters/,/^\.Sh/p' "$BUILD/man/flowner.1" | sed -n 's/^\.It .*Fl -/--/p' |
	cut -d ' ' -f 1 | sort -u)
same "filters in the manual" "$filters" \
	"$(flowner help list | helped | without "$globals" | without "$(paged flowner.1 list)")"
commands=0
while read -r command; do
	read -ra words <<<"$command"
	said=$(flowner help "${words[@]}" | helped)
	all+=$'\n'$said
	own=$(echo "$said" | without "$globals")
	if flowner help "${words[@]}" | grep -q '^Filters'; then
		own=$(echo "$own" | without "$filters")
	fi
	same "options of '$command' in the manual" "$(paged flowner.1 "$command")" "$own"
	commands=$((commands + 1))
done < <(flowner help | sed -nE '/^Commands:/,/^$/s/^  ([a-z]+) .*/\1/p' | grep -v '^help$'
	flowner help policy | sed -nE '/^Verbs:/,/^$/s/^  ([a-z]+) .*/policy \1/p')
same "commands in the manual" "$(grep -c '^\.It Cm [a-z]' \
	<(sed -n '/^\.Sh COMMANDS/,/^\.Ss/p' "$BUILD/man/flowner.1"))" "$commands"
same "options in all the manual" "$(paged flowner.1)" "$(sort -u <<<"$all")"

# --- flownerd(8), flowner.yaml(5), flowner-policy(5) ---

same "options of flownerd" "$(paged flownerd.8)" \
	"$("$BUILD/flownerd" --help | sed -nE 's/^ +(--[a-z-]+).*/\1/p' | sort)"

key() { sed -nE "s/^\.It Cm ([a-z_.]+)$/\1/p" "$BUILD/man/$1"; } # PAGE

while read -r where; do # a path: a word and no number
	printf '%s\n' "${where%.*}: {${where##*.}: '\$'}" >"$T/f.yaml"
	[[ $where == *.* ]] || echo "$where: ''" >"$T/f.yaml"
	exits 2 "$BUILD/flownerd" --config "$T/f.yaml"
	! grep -q 'unknown key' "$T/err" || fail "'$where' is in the manual: $(<"$T/err")"
done < <(key flowner.yaml.5)
same "keys of the configuration" "$(key flowner.yaml.5 | wc -l)" 22

(($(key flowner-policy.5 | wc -l) > 15)) || fail "words of a policy: $(key flowner-policy.5)"
page=$(<"$BUILD/man/flowner-policy.5")
for word in bind listen connect connect_authorization recv_accept reject deny proceed_soft allow \
	proceed_hard allow_hard not mode default rules name hooks verdict allow_async \
	allow_override addr port proto $(key flowner-policy.5 | grep -v '\.'); do
	grep -qE "^\.(It )?Cm (.* , )?$word( |$)" <<<"$page" || fail "'$word' is not explained"
done

# --- a page that asks for what there is not ---

echo '.\" list: nothing' >"$T/page"
refuses 1 "there is no list 'nothing'" "$BUILD/lists/lists" <"$T/page"
