# SPDX-License-Identifier: BSD-2-Clause
$(B)/tests/lookup: tests/bench/lookup.c $(B)/libflowner.a | $(B)/tests
	$(call say,CC  )$(CC) $(ALL_CFLAGS) -pthread -o $@ $(filter-out %.h,$^)
$(B)/tests/verdicts: tests/bench/verdicts.c $(B)/libmodules.a $(B)/match.skel.h | $(B)/tests
	$(call say,CC  )$(CC) $(ALL_CFLAGS) -o $@ $< $(B)/libmodules.a $(DAEMON_LIBS)
