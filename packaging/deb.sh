#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Debian packages of the last commit, into build/deb. Needs no root, no network, no BTF of a kernel;
# what must be installed is packaging/deps.sh build deb.
# usage: deb.sh            DEB_BUILD_OPTIONS="nocheck parallel=4" as with dpkg-buildpackage
#        deb.sh --twice    in two folders of different names: both must give the same files
set -euo pipefail
shopt -s inherit_errexit

cd "$(dirname "$0")/.."
out=build/deb
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

build() { # FOLDER
	mkdir -p "$1/flowner"
	git archive HEAD | tar -x -C "$1/flowner"
	cp -r "$1/flowner/packaging/debian" "$1/flowner/debian"
	(cd "$1/flowner" && dpkg-buildpackage -us -uc -b)
}

sums() { (cd "$1" && sha256sum ./*.deb); } # FOLDER

build "$work/one"
if [[ ${1:-} == --twice ]]; then
	build "$work/another/folder"
	diff <(sums "$work/one") <(sums "$work/another/folder")
	echo "deb: two folders, the same packages"
fi
mkdir -p "$out"
rm -f "$out"/*
cp "$work"/one/*.{deb,changes,buildinfo} "$out/"
sums "$out"
