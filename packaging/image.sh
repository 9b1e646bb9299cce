#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What a container needs of what is built here, in DIR: both programs without their symbols, and the
# shared libraries they load.
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
mkdir -p "$dir"/{etc,proc,run,sys,tmp}
