#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What a container needs of what is built here, in DIR: both programs without their symbols, the
# shared libraries they load, and the terminals `flowner top` may be shown on.
# usage: image.sh DIR
set -euo pipefail
shopt -s inherit_errexit

build=$(dirname "$0")/../build
dir=$1

put() { # MODE FILE PLACE
	install -D -m "$1" "$2" "$dir$3"
}

put 0755 "$build/flownerd" /usr/sbin/flownerd
put 0755 "$build/flowner" /usr/bin/flowner
strip "$dir/usr/sbin/flownerd" "$dir/usr/bin/flowner"
ldd "$build/flownerd" "$build/flowner" | grep -oE '/[^ ]+\.so[^ ]*' | sort -u |
	while read -r library; do put 0755 "$library" "$library"; done
for term in ansi linux rxvt-unicode-256color screen screen-256color tmux tmux-256color vt100 vt220 \
	xterm xterm-256color; do
	entry=${term:0:1}/$term # below one of these, as the distribution has it
	for from in /lib/terminfo /usr/share/terminfo; do
		[[ ! -e $from/$entry ]] || { put 0644 "$from/$entry" "$from/$entry"; break; }
	done
done
mkdir -p "$dir"/{etc,proc,run,sys,tmp}
