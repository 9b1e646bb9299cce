# SPDX-License-Identifier: BSD-2-Clause
# What tests/integration needs beside its own programs. refuse.c is no program: it is preloaded.
TEST_BINS := $(filter-out $(B)/tests/refuse,$(TEST_BINS)) $(B)/tests/refuse.so \
	$(B)/truth/truth $(B)/truth/score
$(B)/tests/refuse.so: tests/integration/refuse.c | $(B)/tests
	$(call say,CC  )$(CC) $(DEFINES) $(WARN) $(CFLAGS) -MMD -MP -shared -fPIC -o $@ $< -ldl
$(B)/tests/library: tests/integration/library.c $(B)/libflowner.a $(B)/address.o | $(B)/tests
	$(call say,CC  )$(CC) $(ALL_CFLAGS) -pthread -o $@ $(filter-out %.h,$^)
