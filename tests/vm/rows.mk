# SPDX-License-Identifier: BSD-2-Clause
#
#   sudo make break-rows    breaks each row of the hook table in turn and shows the test that fails;
#                           ROWS="accept_lsm exec_tp" picks some

TEST_BINS += $(B)/tests/break.so
$(B)/tests/break.so: tests/vm/break.c | $(B)/tests
	$(call say,CC  )$(CC) $(DEFINES) $(WARN) $(CFLAGS) -MMD -MP -shared -fPIC -o $@ $< \
		-lbpf -ldl
