#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Builds packaging/Dockerfile of the last commit with an engine of its own and no registry: what it
# begins with is a Debian root made here. Needs root. Writes the image as a tar.
# usage: image.sh FILE
set -euo pipefail
shopt -s inherit_errexit
PATH=$PATH:/usr/sbin:/sbin

FILE=$1
TREE=$(cd "$(dirname "$0")/../.." && pwd)
MOST_BYTES=15000000

die() { echo "image: $*" >&2; exit 1; }

# shellcheck source=tests/deploy/bootstrap.sh
. "$TREE/tests/deploy/bootstrap.sh"
# shellcheck source=tests/deploy/engine.sh
. "$TREE/tests/deploy/engine.sh"

import_base() {
	bootstrap "$work/root"
	tar -C "$work/root" -c . | docker import - flowner-base >/dev/null
	rm -rf --one-file-system "$work/root"
}

build() {
	mkdir "$work/tree"
	git -C "$TREE" archive HEAD | tar -C "$work/tree" -x
	docker build -q --network=host --build-arg BASE=flowner-base \
		-f "$work/tree/packaging/Dockerfile" -t flowner "$work/tree"
}

finish() {
	local status=$?
	trap - EXIT INT TERM
	engine_stop
	rm -rf --one-file-system "$work"
	exit "$status"
}

((EUID == 0)) || die "needs root"
work=$(mktemp -d -p /var/tmp flowner-image-XXXXXX)
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
engine_start "$work/engine"
import_base
build
bytes=$(docker image inspect -f '{{.Size}}' flowner)
echo "image: $bytes bytes"
((bytes < MOST_BYTES)) || die "more than $MOST_BYTES"
mkdir -p "${FILE%/*}"
docker save -o "$FILE" flowner
