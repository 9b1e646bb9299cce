#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Boots the disk with systemd and runs there what says whether service, container and packages work.
# usage: machine.sh KERNEL DISK [service] [docker] [autopkgtest]      all when none is named
set -euo pipefail

TREE=$(cd "$(dirname "$0")/../.." && pwd)
INSTALL='DEBIAN_FRONTEND=noninteractive dpkg -i /flowner/build/deb/flowner_*.deb'
export VM_DISK VM_PREPARE VM_MODS='overlay inet_diag tcp_diag udp_diag' VM_TIMEOUT=1800
kernel=$1 VM_DISK=$(realpath "$2")
shift 2
(($#)) || set -- service docker autopkgtest

for name; do
	VM_PREPARE=''
	[[ $name != service ]] || VM_PREPARE=$INSTALL
	"$TREE/tests/vm/run.sh" "$kernel" env TEST_SLOW=6 bash "tests/deploy/$name.sh"
done
