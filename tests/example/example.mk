# SPDX-License-Identifier: BSD-2-Clause
# An example of libflowner that names the owner of every packet, and what proves that it does.
# tests/integration/packets.sh runs them.
EXAMPLES := $(addprefix $(B)/tests/,packets sessions judge)
TEST_BINS += $(EXAMPLES) $(B)/tests/cplusplus
CXX := g++
$(EXAMPLES): $(B)/tests/%: tests/example/%.c | $(B)/tests
	$(call say,CC  )$(CC) $(ALL_CFLAGS) -pthread -o $@ $(filter-out %.h,$^) $(EXAMPLE_LIBS)
$(B)/tests/packets: EXAMPLE_LIBS := -lpcap
$(B)/tests/packets: $(B)/libflowner.a

# The header in C++, and the shared library under its own name.
$(B)/tests/cplusplus: tests/example/cplusplus.cc include/flowner/flowner.h $(B)/libflowner.so
	$(call say,CXX )$(CXX) -std=c++11 -Wall -Wextra -Wpedantic -Werror $(CFLAGS) $(SAN) \
		-Iinclude -o $@ $< -L$(B) -lflowner -Wl,-rpath,'$$ORIGIN/..'
$(B)/tests/cplusplus: | $(B)/tests
