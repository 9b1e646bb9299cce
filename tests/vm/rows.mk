# SPDX-License-Identifier: BSD-2-Clause
#
#   sudo make break-rows    breaks each row of the hook table in turn and shows the test that fails;
#                           ROWS="accept_lsm exec_tp" picks some
#   make vm-table           what the last `make test-vm` saw becomes expected.txt, budget.txt and
#                           the table of README.md

TEST_BINS += $(B)/tests/break.so

.PHONY: break-rows vm-table
break-rows: private SHELL := /bin/sh
break-rows: private .SHELLFLAGS := -c
break-rows:
	@packaging/deps.sh build test vm
	@+$(MAKE) --no-print-directory -s vm-build
	@tests/vm/rows.sh $(ROWS)
vm-table:
	@tests/vm/table.sh update build/vm/results.jsonl
	@tests/vm/budget.sh update

$(B)/tests/break.so: tests/vm/break.c | $(B)/tests
	$(call say,CC  )$(CC) $(DEFINES) $(WARN) $(CFLAGS) -MMD -MP -shared -fPIC -o $@ $< \
		-lbpf -ldl
