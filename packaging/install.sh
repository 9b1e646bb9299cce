#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Behind `make install` and `make uninstall`: puts what the table INSTALLED of packaging/install.mk
# names below DESTDIR, or takes it away, with the directories that are ours alone.
# usage: install.sh install|uninstall DESTDIR NAME=VALUE...     for @NAME@ in sources *.in
set -euo pipefail

put() { # MODE SOURCE PLACE
	case $1:$2 in
	link:*) ln -sfn "$2" "$3" ;;
	*.in) sed "${words[@]}" "$2" | install -m "$1" /dev/stdin "$3" ;;
	*) install -m "$1" "$2" "$3" ;;
	esac
}

take_away() { # PLACE
	local dir=${1%/*}
	rm -f "$dest$1"
	while [[ $dir/ == */flowner/* ]] && rmdir "$dest$dir" 2>/dev/null; do
		dir=${dir%/*}
	done
}

each() { # VERB MODE SOURCES PLACE
	local verb=$1 mode=$2 place=$4 source
	for source in $3; do # a pattern
		[[ $mode == link || -e $source ]] || { echo "$source is missing" >&2; exit 1; }
		place=$4
		[[ $place != */ ]] || place+=$(basename "$source" .in)
		if [[ $verb == uninstall ]]; then
			take_away "$place"
		else
			mkdir -p "$dest${place%/*}"
			put "$mode" "$source" "$dest$place"
		fi
	done
}

verb=$1 dest=$2 words=()
for word in "${@:3}"; do
	words+=(-e "s|@${word%%=*}@|${word#*=}|g")
done
umask 022
while read -r mode sources place; do
	each "$verb" "$mode" "$sources" "$place"
done <<<"$INSTALLED"
# the dynamic linker's cache; of a package that is made this is the package's work
[[ -n $dest ]] || ldconfig
