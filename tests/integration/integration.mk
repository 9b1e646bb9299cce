# SPDX-License-Identifier: BSD-2-Clause
# What tests/integration needs beside its own programs.
TEST_BINS += $(B)/truth/truth $(B)/truth/score
