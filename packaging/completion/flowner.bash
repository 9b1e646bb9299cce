# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# Completion of flowner for bash: commands, verbs, options and filters, and values that are few.
# @files and @users stand for bash's own, @value for one that cannot be guessed.

# list: bash

# Prints the command of the words before the cursor, with its verb, and after a comma the option
# that a value is due for.
_flowner_state() { # WORDS...
	local command='' option='' word
	for word; do
		case $word in
		=) ;; # --option=value is three words
		-*)
			option=$word
			[[ $(_flowner_values "$command" "$word") ]] || option=''
			continue
			;;
		*)
			if [[ ! $option && $(_flowner_words "${command:+$command }$word") ]]; then
				command+=${command:+ }$word
			fi
			option=''
			;;
		esac
	done
	echo "$command,$option"
}

_flowner() {
	local at=${COMP_WORDS[COMP_CWORD]} before=("${COMP_WORDS[@]:1:COMP_CWORD - 1}")
	local state words
	COMPREPLY=()
	[[ $at != '=' ]] || at=''
	state=$(_flowner_state "${before[@]}")
	if [[ ${state#*,} ]]; then
		words=$(_flowner_values "${state%,*}" "${state#*,}")
	elif [[ $at == -* ]]; then
		words=$(_flowner_words "${state%,*}" | tr ' ' '\n' | grep '^-')
	elif [[ ${before[0]-} == help ]]; then
		words=$(_flowner_words "${before[*]:1}" | tr ' ' '\n' | grep '^[a-z]')
	else
		words=$(_flowner_words "${state%,*}" | tr ' ' '\n' | grep -v '^-')
	fi
	case $words in
	*@files*)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$at")
		;;
	*@users*) mapfile -t COMPREPLY < <(compgen -u -- "$at") ;;
	*@value*) ;;
	*) mapfile -t COMPREPLY < <(compgen -W "$words" -- "$at") ;;
	esac
}
complete -F _flowner flowner
