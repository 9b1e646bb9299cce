# SPDX-License-Identifier: BSD-2-Clause
#
#   make            build everything into build/, touch nothing else
#   make check      unit tests, no root
#   make deps       install what is missing (lists it first; DEPS=no forbids)
#   sudo make run   build as the tree's owner, start flownerd, show live sessions
#   sudo make test  unit and integration tests on the running kernel
#   make bench      what it costs, against bare and against tcplife (root)
#   SANITIZE=1      ASan + UBSan build of all of it, in build/san/

B := build$(if $(SANITIZE),/san)
CC := gcc
CLANG := clang
BPFTOOL := $(firstword $(wildcard /usr/sbin/bpftool /sbin/bpftool) bpftool)
PKG_CONFIG := pkg-config
MULTIARCH := $(shell $(CC) -print-multiarch 2>/dev/null)

VERSION := 0.1.0
WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings -Werror=switch
SAN := $(if $(SANITIZE),-fsanitize=address$(,)undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
, := ,
CFLAGS ?= -O2 -g
ALL_CFLAGS = -std=gnu11 $(WARN) $(CFLAGS) $(SAN) -D_GNU_SOURCE -DFLOWNER_VERSION='"$(VERSION)"' \
	-Iinclude -Isrc -I$(B) -MMD -MP
DAEMON_LIBS = -lbpf -lelf -lz -ljansson -lcyaml -lyaml -lmnl -lmicrohttpd
CLI_LIBS = -ljansson -lcyaml -lyaml
BPF_CFLAGS = -target bpf -O2 -g -Wall -Wextra -Werror -Wno-unused-parameter \
	$(if $(MULTIARCH),-I/usr/include/$(MULTIARCH)) -Iinclude -Ivmlinux -Ibpf -D__TARGET_ARCH_x86 -MMD -MP

BPF_SRC := $(wildcard bpf/*.bpf.c)
BPF_OBJ := $(BPF_SRC:bpf/%.bpf.c=$(B)/bpf/%.bpf.o)
# main files; everything else in src/ is a module either may link
MAINS := src/flownerd.c src/flowner.c
CLI_SRC := src/flowner.c $(wildcard src/cmd_*.c) $(wildcard src/client.c src/table.c)
# modules that need the skeleton: never linked into unit tests or the command line
SKEL_SRC := $(wildcard src/track.c)
MOD_SRC := $(filter-out $(MAINS) $(CLI_SRC) $(SKEL_SRC),$(wildcard src/*.c))
CLI_MOD := $(filter-out src/flowner.c,$(CLI_SRC))
UNIT := $(patsubst tests/unit/%.c,$(B)/unit/%,$(wildcard tests/unit/test_*.c))
o = $(patsubst src/%.c,$(B)/%.o,$(1))

.PHONY: all check clean
.DELETE_ON_ERROR:
all: $(B)/flownerd $(B)/flowner

$(B)/bpf/%.bpf.o: bpf/%.bpf.c | $(B)/bpf
	$(CLANG) $(BPF_CFLAGS) -c $< -o $@
$(B)/flowner.bpf.o: $(BPF_OBJ)
	$(BPFTOOL) gen object $@ $^
$(B)/flowner.skel.h: $(B)/flowner.bpf.o
	$(BPFTOOL) gen skeleton $< name flowner_bpf > $@
$(call o,$(SKEL_SRC)): $(B)/flowner.skel.h

$(B)/%.o: src/%.c | $(B)
	$(CC) $(ALL_CFLAGS) -c $< -o $@
$(B)/libmodules.a: $(call o,$(MOD_SRC))
	rm -f $@ && ar rcs $@ $^
$(B)/flownerd: $(call o,src/flownerd.c $(SKEL_SRC)) $(B)/libmodules.a
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^ $(DAEMON_LIBS)
$(B)/flowner: $(call o,$(CLI_SRC)) $(B)/libmodules.a
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^ $(CLI_LIBS)
$(B)/unit/%: tests/unit/%.c $(B)/libmodules.a $(call o,$(CLI_MOD)) | $(B)/unit
	$(CC) $(ALL_CFLAGS) -o $@ $< $(call o,$(CLI_MOD)) $(B)/libmodules.a $(DAEMON_LIBS) -lcmocka

check: $(UNIT)
	@for t in $(UNIT); do $$t || exit 1; done

$(B) $(B)/bpf $(B)/unit:
	mkdir -p $@
clean:
	rm -rf build
-include $(wildcard $(B)/*.d $(B)/bpf/*.d $(B)/unit/*.d)
