# SPDX-License-Identifier: BSD-2-Clause
# It runs the binary of its build and does not link it.
$(B)/unit/test_cmd: | $(B)/flowner
