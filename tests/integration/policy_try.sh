#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# POST /v1/policy/check and /v1/policy/test say of the same text what `flowner policy check -j` and
# `test -j` say, byte for byte; neither changes what is in force.
. "$(dirname "$0")/lib.sh"

encoded() { jq -rn --arg text "$1" '$text | @uri'; } # TEXT: for a query

# POST of FILE as the body, its name in the query; what comes is in $T/body, the status in $STATUS
post() { # WHAT FILE [QUERY]
	STATUS=$(api "/v1/policy/$1?file=$(stat -c %s "$2"):$(encoded "$2")${3:-}" -X POST \
		--data-binary "@$2" -o "$T/body" -w '%{http_code}')
}

checked() { # FILE
	post check "$1"
	if may_fail flowner policy check -j "$1" >"$T/out"; then
		same "status for '$1'" "$STATUS" 200
		same "what is said of '$1'" "$(<"$T/body")" "$(<"$T/out")"
	else
		same "status for '$1'" "$STATUS" 422
		same "what is said of '$1'" "$(jq -r .error "$T/body")" "$(jq -r \
			'"\(.place.file):\(.place.line):\(.place.column): \(.error)"' "$T/out")"
	fi
}

tried() { # FILE WORD=VALUE...: the attempt; its query is in $QUERY
	local file=$1 word
	shift
	QUERY=''
	for word; do QUERY+="&${word%%=*}=$(encoded "${word#*=}")"; done
	post test "$file" "$QUERY"
	may_fail flowner policy test -j "$file" "${@/#/--}" >"$T/out" 2>"$T/err" || true
	[[ -s $T/out ]] || fail "$*: $(<"$T/err")"
	same "status of '$*'" "$STATUS" 200
	same "what is said of '$*'" "$(<"$T/body")" "$(<"$T/out")"
}

status_for() { # UID GID WHAT [CURL OPTIONS...]: whose POST it is
	setpriv --reuid "$1" --regid "$2" --clear-groups curl -sS --max-time 20 -X POST \
		--unix-socket "$SOCK" -o "$T/body" -w '%{http_code}' "${@:4}" \
		"http://flowner/v1/policy/$3"
}

printf 'group: nogroup\n' >"$T/flowner.yaml"
start_daemon --config "$T/flowner.yaml"
policies=("$TREE"/packaging/examples/policy-*.yaml)
((${#policies[@]} > 2)) || fail "no examples"
for file in "${policies[@]}"; do checked "$file"; done
wrong=0
while IFS= read -r text; do
	wrong=$((wrong + 1))
	printf '%b' "$text" >"$T/wrong.yaml"
	checked "$T/wrong.yaml"
	same "status" "$STATUS" 422
done <<'END'
mode: !x audit\n
rules:\n- name: a\n  hooks: [listen]\n  verdict: deny\n  colour: red\n
rules: [{name: a, hooks: [lisen], verdict: deny}]\n
rules: [{name: a, hooks: [bind], user: no-such-user, verdict: deny}]\n
END
same "wrong ones" "$wrong" 4

examples=$TREE/packaging/examples
tried "$examples/policy-listeners.yaml" hook=listen exe=/usr/sbin/nginx local=0.0.0.0:443
tried "$examples/policy-listeners.yaml" hook=listen 'local=[::]:0'
same "what was not given" "$(jq -c .not_given "$T/body")" '["exe"]'
tried "$examples/policy-database.yaml" hook=connect unit=shop.service remote=192.0.2.10:5433 \
	proto=udp
tried "$examples/policy-database.yaml" hook=connect cgroup=/system.slice/shop.service/worker
tried "$examples/policy-audit.yaml" hook=recv_accept remote=192.0.2.1:80 user=root
cat <<'END' >"$T/to.yaml"
mode: enforce
rules: [{name: to, hooks: [connect], exe: /bin/sh, verdict: redirect, to: "127.0.0.1:3129"}]
END
tried "$T/to.yaml" hook=connect "exe=$(realpath /bin/sh)" remote=192.0.2.1:80 interface-type=wifi
same "where to" "$(jq -r .as_it_is.to "$T/body")" 127.0.0.1:3129

# --- without a body: what is in force; none of this was ---

same "in force" "$(flowner policy show -j | jq .loaded)" false
same "what no rule is for" "$(api '/v1/policy/test?hook=connect' -X POST |
	jq -c '[.as_it_is.rule, .as_it_is.verdict]')" '[null,"proceed_soft"]'
said=$(<"$T/out")
exits 0 flowner policy load "$T/to.yaml"
same "by what is in force" "$(api "/v1/policy/test?${QUERY#&}" -X POST)" "$said"

# --- who may: root; without a body the group, too ---

chmod 711 "$T" # others must reach the socket
touch "$T/body"
chmod 666 "$T/body"
same "a member of the group" "$(status_for 65534 65534 'test?hook=bind')" 200
same "his own text" "$(status_for 65534 65534 'test?hook=bind' -d 'mode: audit')" 403
same "his own text, only checked" "$(status_for 65534 65534 check -d 'mode: audit')" 403
same "nobody" "$(status_for 65534 65533 'test?hook=bind')" 403
same "nobody's text" "$(status_for 65534 65533 check -d 'mode: audit')" 403
same "in force" "$(flowner policy show -j | jq -r '.rules[0].name')" to
