# SPDX-License-Identifier: BSD-2-Clause
$(B)/tests/lookup: tests/bench/lookup.c $(B)/libflowner.a | $(B)/tests
	$(call say,CC  )$(CC) $(ALL_CFLAGS) -pthread -o $@ $(filter-out %.h,$^)
