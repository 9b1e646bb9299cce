# SPDX-License-Identifier: BSD-2-Clause
# What tests/integration needs beside its own programs. refuse.c is no program: it is preloaded.
TEST_BINS := $(filter-out $(B)/tests/refuse $(B)/tests/match.bpf $(B)/tests/slow_tcp.bpf \
	$(B)/tests/deny.bpf \
	$(if $(CROSS),$(B)/tests/threads),$(TEST_BINS)) \
	$(B)/tests/refuse.so $(B)/truth/truth $(B)/truth/score
$(B)/tests/refuse.so: tests/integration/refuse.c | $(B)/tests
	$(call say,CC  )$(CC) $(DEFINES) $(WARN) $(CFLAGS) -MMD -MP -shared -fPIC -o $@ $< -ldl
$(B)/tests/actor: tests/integration/actor.c $(B)/libflowner.a | $(B)/tests
	$(call say,CC  )$(CC) $(ALL_CFLAGS) -pthread -o $@ $(filter-out %.h,$^)
$(B)/tests/library: tests/integration/library.c $(B)/libflowner.a \
		$(B)/src/text/address.o | $(B)/tests
	$(call say,CC  )$(CC) $(ALL_CFLAGS) -pthread -o $@ $(filter-out %.h,$^)

# what redirect_proxy.sh has for a proxy: unpacked, not installed
.PHONY: proxy
proxy:
	@packaging/sysroot.sh $(NATIVE) build/proxy stunnel4

# the matcher of the policy alone
$(B)/bpf/match.bpf.o: tests/integration/match.bpf.c | $(B)/bpf
	$(call say,BPF )$(CLANG) $(BPF_CFLAGS) -c $< -o $@
$(B)/match.skel.h: $(B)/bpf/match.bpf.o
	$(call say,SKEL)$(BPFTOOL) gen skeleton $< name match_bpf > $@
$(B)/tests/match: tests/integration/match.c $(B)/libmodules.a $(B)/match.skel.h | $(B)/tests
	$(call say,CC  )$(CC) $(ALL_CFLAGS) -o $@ $< $(B)/libmodules.a $(DAEMON_LIBS)

$(B)/tests/answers: tests/integration/answers.c $(B)/match.skel.h | $(B)/tests
	$(call say,CC  )$(CC) $(ALL_CFLAGS) -pthread -o $@ $< $(DAEMON_LIBS)

$(B)/bpf/slow_tcp.bpf.o: tests/integration/slow_tcp.bpf.c | $(B)/bpf
	$(call say,BPF )$(CLANG) $(BPF_CFLAGS) -c $< -o $@
$(B)/slow_tcp.skel.h: $(B)/bpf/slow_tcp.bpf.o
	$(call say,SKEL)$(BPFTOOL) gen skeleton $< name slow_tcp_bpf > $@
$(B)/tests/slow_tcp: tests/integration/slow_tcp.c $(B)/slow_tcp.skel.h | $(B)/tests
	$(call say,CC  )$(CC) $(ALL_CFLAGS) -o $@ $< $(DAEMON_LIBS)

$(B)/bpf/deny.bpf.o: tests/integration/deny.bpf.c | $(B)/bpf
	$(call say,BPF )$(CLANG) $(BPF_CFLAGS) -c $< -o $@
$(B)/deny.skel.h: $(B)/bpf/deny.bpf.o
	$(call say,SKEL)$(BPFTOOL) gen skeleton $< name deny_bpf > $@
$(B)/tests/deny: tests/integration/deny.c $(B)/deny.skel.h | $(B)/tests
	$(call say,CC  )$(CC) $(ALL_CFLAGS) -o $@ $< $(DAEMON_LIBS)

# The library's own sources, so that ThreadSanitizer sees all of them. Not every cross compiler has
# one.
$(B)/tests/threads: tests/integration/threads.c $(LIB_SRC) include/flowner/flowner.h | $(B)/tests
	$(call say,TSAN)$(CC) $(DEFINES) $(WARN) $(CFLAGS) -fsanitize=thread -pthread -o $@ \
		$(filter %.c,$^)

$(B)/tests/identity: tests/integration/identity.c $(B)/libmodules.a | $(B)/tests
	$(call say,CC  )$(CC) $(ALL_CFLAGS) -o $@ $< $(B)/libmodules.a $(DAEMON_LIBS)

$(B)/tests/fill: tests/integration/fill.c | $(B)/tests
	$(call say,CC  )$(CC) $(ALL_CFLAGS) -o $@ $< $(DAEMON_LIBS)

$(B)/tests/herd: tests/integration/herd.c | $(B)/tests
	$(call say,CC  )$(CC) $(ALL_CFLAGS) -pthread -o $@ $<

$(B)/tests/storage_race: tests/integration/storage_race.c | $(B)/tests
	$(call say,CC  )$(CC) $(ALL_CFLAGS) -pthread -o $@ $< $(DAEMON_LIBS)
