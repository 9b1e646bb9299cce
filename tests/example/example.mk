# SPDX-License-Identifier: BSD-2-Clause
# An example of libflowner that names the owner of every packet, and what proves that it does.
# tests/integration/packets.sh runs them.
EXAMPLES := $(addprefix $(B)/tests/,packets sessions judge)
TEST_BINS += $(EXAMPLES)
$(EXAMPLES): $(B)/tests/%: tests/example/%.c | $(B)/tests
	$(call say,CC  )$(CC) $(ALL_CFLAGS) -pthread -o $@ $(filter-out %.h,$^) $(EXAMPLE_LIBS)
$(B)/tests/packets: EXAMPLE_LIBS := -lpcap
$(B)/tests/packets: $(B)/libflowner.a
