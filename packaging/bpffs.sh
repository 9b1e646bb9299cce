#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Mounts a bpffs at /sys/fs/bpf where there is none: bare chroots, some containers. Needs root.
set -euo pipefail

[[ $(stat -f -c %T /sys/fs/bpf 2>/dev/null) != bpf_fs ]] || exit 0
if ! mount -t bpf bpf /sys/fs/bpf; then
	echo "there is no bpffs at /sys/fs/bpf and it cannot be mounted: maps cannot be pinned" >&2
	exit 1
fi
