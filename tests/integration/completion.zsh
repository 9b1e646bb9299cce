# SPDX-License-Identifier: BSD-2-Clause
# Types each line and a TAB at an interactive zsh, and prints what it became, a line each.
# usage: zsh -f completion.zsh DIRECTORY_OF_COMPLETIONS LINE...
zmodload zsh/zpty

zpty -b shell zsh -f -i
zpty -w shell "PROMPT='' RPROMPT='' LISTMAX=1000
	unset zle_bracketed_paste
	fpath=(${(q)1} \$fpath)
	autoload -Uz compinit
	compinit -u -D
	bindkey '^I' complete-word
	show() { print -r -- \"BECAME<\$BUFFER>\"; BUFFER=''; }
	zle -N show
	bindkey '^X' show
	print READY''NOW"
zpty -r -m shell out '*READYNOW*'
for line in "${@:2}"; do
	zpty -w -n shell "$line"$'\t\x18'
	zpty -r -m shell out '*BECAME<*>*'
	out=${out##*BECAME<}
	print -r -- "${out%%>*}"
done
zpty -d shell
