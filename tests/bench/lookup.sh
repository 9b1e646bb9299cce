#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# `make bench`: what one look-up of libflowner costs, beside the bare bpf(2) call.
# usage: lookup.sh BUILD_DIR [ROUNDS]
BUILD=$(realpath "${1:?BUILD_DIR}")
# shellcheck source=tests/integration/lib.sh
. "$(dirname "$0")/../integration/lib.sh"

start_daemon
in_cgroup "$BUILD/tests/lookup" "$PINS" "${2:-9}"
