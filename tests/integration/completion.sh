#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What bash and zsh offer where: bash's function called as bash does, zsh typed at in a terminal;
# every word that bash offers is taken by the program.
. "$(dirname "$0")/lib.sh"

[[ -e $BUILD/completion/flowner.bash ]] || skip "no completion here"
# shellcheck source=/dev/null
. "$BUILD/completion/flowner.bash"
touch "$T/policy-x.yaml"
cd "$T"

complete_bash() { # WORDS..., the last is at the cursor: into OFFERED
	COMP_WORDS=("$@")
	COMP_CWORD=$(($# - 1))
	_flowner || true
	OFFERED=${COMPREPLY[*]}
}

offers() { # WANTED WORDS...
	complete_bash "${@:2}"
	same "what bash offers after '${*:2}'" "$OFFERED" "$1"
}

# --- bash ---

offers 'list who show watch top abort policy doctor stats metrics help' flowner ''
offers 'show stats' flowner s
offers 'show stats' flowner --socket /x -j s
offers 'check test load add delete confirm show clear' flowner policy ''
offers 'check' flowner help policy ch
offers '--json' flowner doctor --j
offers '' flowner top --j
offers '--proto' flowner list --pro
offers '' flowner doctor --pro
offers '--local --lport --listening' flowner list --l
offers 'tcp udp' flowner list --proto ''
offers 'tcp udp' flowner list --proto =
offers 'udp' flowner watch -c 3 --proto = u
offers 'syn_sent syn_recv' flowner list --state sy
offers 'egress ingress' flowner list -j --direction ''
offers 'connect connect_authorization' flowner policy test --hook con
offers 'policy-x.yaml' flowner policy load --try 60s pol
offers 'policy-x.yaml' flowner policy add --for 10m pol
offers '--for --force' flowner policy add --fo
offers '' flowner policy delete ''
offers 'policy-x.yaml' flowner list --exe pol
offers 'root' flowner list --user roo
offers '' flowner list --lport ''
offers '' flowner show ''
offers '' flowner watch --since
offers 'tcp udp' flowner who ''

# what is offered is taken: but for the daemon that is not there, and what a command needs
takes() { # WORDS...
	local status=0
	FLOWNER_SOCKET=$T/none "$BUILD/flowner" "$@" >"$T/out" 2>"$T/err" || status=$?
	[[ $status == [0134] ]] || fail "'$*' is offered, and ends with $status: $(<"$T/err")"
}

value_for() { # COMMAND OPTION: one to try, nothing for a flag
	case $(_flowner_values "$1" "$2") in
	'') ;;
	@users) echo root ;;
	@files) echo "$T/none" ;;
	@value)
		case $2 in
		--since | --until | --at | --try) echo 1m ;;
		--local | --remote | --addr) echo 127.0.0.1 ;;
		--container) echo abcd ;;
		*) echo 1 ;;
		esac
		;;
	*) _flowner_values "$1" "$2" | cut -d ' ' -f 1 ;;
	esac
}

tried=0
for command in list who watch show abort doctor stats metrics; do
	complete_bash flowner "$command" -
	for option in $OFFERED; do
		[[ $option != --socket ]] || continue
		words=("$command" "$option")
		read -ra value < <(value_for "$command" "$option"; echo)
		words+=("${value[@]}")
		case $command in
		who) words+=(127.0.0.1:1) ;;
		show | abort) words+=(1) ;;
		esac
		takes "${words[@]}"
		tried=$((tried + 1))
	done
done
((tried > 80)) || fail "only $tried options were tried"
for state in $(_flowner_values list --state); do takes list --state "$state"; done

# --- zsh ---

if ! command -v zsh >/dev/null; then
	echo "no zsh here: its completion was not tried" >&2
	exit 0
fi

typed=() wanted=()
become() { # TYPED WANTED: what a TAB makes of it
	typed+=("$1")
	wanted+=("$2")
}

become 'flowner li' 'flowner list '
become 'flowner --vers' 'flowner --version '
become 'flowner list --js' 'flowner list --json '
become 'flowner doctor --pro' 'flowner doctor --pro'
become 'flowner list 10.0.0.1 --proto u' 'flowner list 10.0.0.1 --proto udp '
become 'flowner list --direction=e' 'flowner list --direction=egress '
become 'flowner watch -c 3 --dire' 'flowner watch -c 3 --direction='
become 'flowner --socket /x who t' 'flowner --socket /x who tcp '
become 'flowner policy conf' 'flowner policy confirm '
become 'flowner policy test --hook li' 'flowner policy test --hook listen '
become 'flowner policy add --cut pol' 'flowner policy add --cut policy-x.yaml '
become 'flowner policy check pol' 'flowner policy check policy-x.yaml '
become 'flowner help policy che' 'flowner help policy check '

timeout "$((60 * TEST_SLOW))" zsh -f "$TREE/tests/integration/completion.zsh" \
	"$BUILD/completion" "${typed[@]}" >"$T/became" || fail "zsh: $(<"$T/became")"
same "what zsh makes of them" "$(diff <(printf '%s\n' "${wanted[@]}") "$T/became")" ''
