#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# While one daemon takes over from another each hook of the cgroup has a program of both for a
# moment. Every scenario of tests/truth with each of them there twice: what the first one did is not
# done again.
# timeout: 240
TWICE=1 REPEAT=1 exec bash "$(dirname "$0")/truth.sh" --accept auto
