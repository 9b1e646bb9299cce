# SPDX-License-Identifier: BSD-2-Clause
# An example of libflowner that names the owner of every packet, and what proves that it does.
# tests/integration/packets.sh runs them.
EXAMPLES := $(addprefix $(B)/tests/,packets sessions judge)
TEST_BINS += $(EXAMPLES) $(B)/tests/cplusplus
$(EXAMPLES): $(B)/tests/%: tests/example/%.c | $(B)/tests
	$(call say,CC  )$(CC) $(ALL_CFLAGS) -pthread -o $@ $(filter-out %.h,$^) $(EXAMPLE_LIBS)
$(B)/tests/packets: EXAMPLE_LIBS := -lpcap
$(B)/tests/packets: $(B)/libflowner.a

# The header in C++, and the shared library under its own name.
$(B)/tests/cplusplus: tests/example/cplusplus.cc include/flowner/flowner.h $(B)/libflowner.so
	$(call say,CXX )$(CXX) -std=c++11 -Wall -Wextra -Wpedantic -Werror $(CFLAGS) $(SAN) \
		-Iinclude -o $@ $< -L$(B) -lflowner -Wl,-rpath,'$$ORIGIN/..'
$(B)/tests/cplusplus: | $(B)/tests
# for BPF programs of others, which see only what is installed: include/flowner
KERNEL_EXAMPLES := $(B)/tests/rings $(B)/tests/flowid
TEST_BINS += $(KERNEL_EXAMPLES) $(B)/tests/flowid.bpf.o
$(KERNEL_EXAMPLES): $(B)/tests/%: tests/example/%.c | $(B)/tests
	$(call say,CC  )$(CC) -std=gnu11 -D_GNU_SOURCE -Iinclude $(WARN) $(CFLAGS) $(SAN) -MMD \
		-MP -o $@ $< -lbpf -lelf -lz
$(B)/tests/flowid.bpf.o: tests/example/flowid.bpf.c | $(B)/tests
	$(call say,BPF )$(CLANG) -target $(BPF_TARGET) -O2 -g -Wall -Wextra -Werror -Iinclude \
		$(if $(MULTIARCH),-I$(SYSROOT)/usr/include/$(MULTIARCH)) \
		-MMD -MP -c $< -o $@
