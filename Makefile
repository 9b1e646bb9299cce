# SPDX-License-Identifier: BSD-2-Clause
#
#   make             build everything into build/, touch nothing else
#   make check       unit tests, no root
#   make deps        install what is missing, listed first; DEPS=no forbids, LINT=1 adds the linters
#   sudo make run    build, start flownerd, show live sessions until Ctrl-C or for RUN_SECONDS=n
#   sudo make test   unit and integration tests on the running kernel; TESTS="a b" picks some
#   sudo make bench  what flownerd names and costs beside others; BENCH="--max 1.35" is a gate
#   sudo make install    put it under PREFIX, uninstall takes it away: packaging/install.mk
#   make deb         Debian packages of the last commit, in build/deb/: packaging/deb.sh
#   make lint        static analysis, format and the rules of the house; make format formats
#   make fuzz        see tests/fuzz/fuzz.mk
#   make surface     the kernel fields we read, as in vmlinux/surface.txt; surface-update writes it
#   make fresh-root  the commands of README.md in new minimal Debian roots (root, debootstrap)
#   SANITIZE=1       ASan + UBSan build of all of it, in build/san/; V=1 prints commands in full
#   ARCH=arm64       build for another architecture, in build/arm64/: see packaging/cross.mk
#
# tests/*/*.mk may add targets, TEST_BINS (built before `make test`), and flags of one unit test:
#   $(B)/unit/test_x: UNIT_LDFLAGS += -Wl,--wrap=bpf_map_lookup_elem

NATIVE := $(shell uname -m | sed 's/x86_64/amd64/; s/aarch64/arm64/')
ARCH := $(NATIVE)
CROSS := $(filter-out $(NATIVE),$(ARCH))
B := build$(if $(CROSS),/$(CROSS))$(if $(SANITIZE),/san)
CC := gcc
CXX := g++
CLANG := clang
PKG_CONFIG := pkg-config
# Ubuntu's bpftool in /usr/sbin is a wrapper that refuses kernels it does not know
BPFTOOL := $(lastword bpftool $(wildcard /usr/sbin/bpftool /usr/lib/linux-tools/*/bpftool))
BPF_TARGET := bpf
BPF_ARCH := $(patsubst amd64,x86,$(patsubst s390x,s390,$(ARCH)))

# Root in somebody else's tree compiles as its owner, so that no root-owned file is left in it.
TREE_UID := $(shell stat -c %u .)
TREE_GID := $(shell stat -c %g .)
ifeq ($(shell id -u)$(filter 0,$(TREE_UID)),0)
SHELL := setpriv
.SHELLFLAGS := --reuid=$(TREE_UID) --regid=$(TREE_GID) --clear-groups sh -c
endif
ROOT_TARGETS := deps run test bench fresh-root install uninstall
$(ROOT_TARGETS): private SHELL := /bin/sh
$(ROOT_TARGETS): private .SHELLFLAGS := -c

ifdef CROSS
include packaging/cross.mk
endif
MULTIARCH := $(shell $(CC) -print-multiarch 2>/dev/null)

VERSION := 0.1.0
PREFIX ?= /usr/local
, := ,
WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings \
	-Werror=switch
SAN := $(if $(SANITIZE),-fsanitize=address$(,)undefined -fno-sanitize-recover=undefined \
	-fno-omit-frame-pointer)
CFLAGS ?= -O2 -g
DEFINES := -std=gnu11 -D_GNU_SOURCE -DFLOWNER_VERSION='"$(VERSION)"' -Iinclude -Isrc -I$(B)
ALL_CFLAGS = $(DEFINES) $(WARN) $(CFLAGS) $(SAN) -MMD -MP
# where it was built is in the BTF's lines, but for the last of these
BPF_CFLAGS = -target $(BPF_TARGET) -O2 -g -Wall -Wextra -Werror -Wno-unused-parameter \
	-D__TARGET_ARCH_$(BPF_ARCH) $(if $(MULTIARCH),-I$(SYSROOT)/usr/include/$(MULTIARCH)) \
	-Iinclude -Ivmlinux -Ibpf -MMD -MP -fdebug-compilation-dir=.
DAEMON_LIBS = -lbpf -lelf -lz -ljansson -lcyaml -lyaml -lmnl -lmicrohttpd
CLI_LIBS = -ljansson -lcyaml -lyaml $(SCREEN_LIBS)
SCREEN_LIBS = -lncursesw -ltinfo

# destroy.bpf.c is an object of its own: kernels that lack what it calls refuse all of it
BPF_SRC := $(filter-out bpf/destroy.bpf.c,$(wildcard bpf/*.bpf.c))
BPF_OBJ := $(BPF_SRC:bpf/%.bpf.c=$(B)/bpf/%.bpf.o)
VERDICT_SRC := $(wildcard bpf/verdict/*.bpf.c)
VERDICT_OBJ := $(VERDICT_SRC:bpf/verdict/%.bpf.c=$(B)/bpf/verdict/%.bpf.o)
# main files and the command line's; everything else in src/ is a module that anything may link
CLI_SRC := $(addprefix src/cli/,flowner.c client.c table.c screen.c) $(wildcard src/cli/cmd_*.c)
SKELETONS := flowner destroy verdict match slow_tcp deny
# modules that need the skeleton: never linked into unit tests or the command line
SKEL_SRC := $(addprefix src/,kernel/track.c kernel/constants.c kernel/destroy.c daemon/confine.c \
	policy/enforce.c policy/policyprograms.c)
# what only the library has: it stands in for libbpf there
LIB_ONLY_SRC := src/lib/libflowner_bpf.c
SRC_DIRS := $(wildcard src/*)
MOD_SRC := $(filter-out src/daemon/flownerd.c $(CLI_SRC) $(SKEL_SRC) $(LIB_ONLY_SRC), \
	$(wildcard src/*/*.c))
say = $(if $(V),,@$(info $(1) $@))
o = $(patsubst %.c,$(B)/%.o,$(1))
CLI_MOD := $(call o,$(filter-out src/cli/flowner.c,$(CLI_SRC)))
UNIT := $(patsubst tests/unit/%.c,$(B)/unit/%,$(wildcard tests/unit/test_*.c))
TEST_BINS := $(patsubst tests/integration/%.c,$(B)/tests/%, \
	$(filter-out %.bpf.c,$(wildcard tests/integration/*.c)))

.PHONY: all check clean deb lint format surface surface-update test-build $(ROOT_TARGETS)
.DELETE_ON_ERROR:
all: $(B)/flownerd $(B)/flowner

include src/lib/libflowner.mk packaging/manuals.mk packaging/install.mk
-include $(wildcard tests/*/*.mk)

# --- the kernel side: several sources, one object, one skeleton ---
$(B)/bpf/%.bpf.o: bpf/%.bpf.c | $(B)/bpf
	$(call say,BPF )$(CLANG) $(BPF_CFLAGS) -c $< -o $@
$(B)/flowner.bpf.o: $(BPF_OBJ)
	$(call say,LINK)$(BPFTOOL) gen object $@ $^
$(B)/flowner.skel.h: $(B)/flowner.bpf.o
	$(call say,SKEL)$(BPFTOOL) gen skeleton $< name flowner_bpf > $@
$(B)/destroy.skel.h: $(B)/bpf/destroy.bpf.o
	$(call say,SKEL)$(BPFTOOL) gen skeleton $< name destroy_bpf > $@
# the programs with verdicts: loaded when a policy is
$(B)/bpf/verdict/%.bpf.o: bpf/verdict/%.bpf.c | $(B)/bpf/verdict
	$(call say,BPF )$(CLANG) $(BPF_CFLAGS) -c $< -o $@
$(B)/verdict.bpf.o: $(VERDICT_OBJ)
	$(call say,LINK)$(BPFTOOL) gen object $@ $^
$(B)/verdict.skel.h: $(B)/verdict.bpf.o
	$(call say,SKEL)$(BPFTOOL) gen skeleton $< name verdict_bpf > $@
$(call o,$(SKEL_SRC)): $(patsubst %,$(B)/%.skel.h,flowner destroy verdict)

# --- daemon and command line ---
$(B)/src/%.o: src/%.c | $(SRC_DIRS:%=$(B)/%)
	$(call say,CC  )$(CC) $(ALL_CFLAGS) -c $< -o $@
$(B)/libmodules.a: $(call o,$(MOD_SRC))
	$(call say,AR  )rm -f $@ && $(AR) rcs $@ $^
$(B)/flownerd: $(call o,src/daemon/flownerd.c $(SKEL_SRC)) $(B)/libmodules.a
	$(call say,LINK)$(CC) $(SAN) $(LDFLAGS) -o $@ $^ $(DAEMON_LIBS)
$(B)/flowner: $(call o,$(CLI_SRC)) $(B)/libmodules.a
	$(call say,LINK)$(CC) $(SAN) $(LDFLAGS) -o $@ $^ $(CLI_LIBS)

# --- tests ---
$(B)/unit/%: tests/unit/%.c $(CLI_MOD) $(B)/libmodules.a | $(B)/unit
	$(call say,CC  )$(CC) $(ALL_CFLAGS) $(UNIT_LDFLAGS) -o $@ $(filter-out %.h src/%.c,$^) \
		$(DAEMON_LIBS) $(SCREEN_LIBS) -lcmocka
$(B)/tests/%: tests/integration/%.c | $(B)/tests
	$(call say,CC  )$(CC) $(ALL_CFLAGS) -o $@ $<
$(B)/tests/churn: tests/bench/churn.c | $(B)/tests
	$(call say,CC  )$(CC) $(ALL_CFLAGS) -o $@ $<

check: $(UNIT)
	@for t in $(UNIT); do $$t || exit 1; done
test-build: all $(UNIT) $(TEST_BINS)
test:
	@packaging/deps.sh build test
	@+$(MAKE) --no-print-directory test-build
	@tests/run.sh $(B) $(TESTS)
run:
	@packaging/deps.sh build
	@+$(MAKE) --no-print-directory all
	@packaging/run.sh $(B)
bench:
	@packaging/deps.sh build bench
	@+$(MAKE) --no-print-directory all $(addprefix $(B)/tests/,churn lookup sessions verdicts)
	@tests/bench/compare.sh $(B)
	@tests/bench/bench.sh $(BENCH) $(B)
	@tests/bench/lookup.sh $(B)
	@tests/bench/listen.sh $(B)
	@$(B)/tests/verdicts
fresh-root:
	@packaging/deps.sh fresh-root
	@tests/fresh-root.sh
deps:
	@packaging/deps.sh build test $(if $(LINT),lint) && echo 'deps: nothing is missing'
deb:
	@packaging/deb.sh
lint:
	@packaging/deps.sh build test lint
	@+$(MAKE) --no-print-directory $(addprefix $(B)/,$(addsuffix .skel.h,$(SKELETONS))) \
		$(MANUALS) $(COMPLETIONS)
	@tests/lint.sh $(BPFTOOL) $(B)/flowner.bpf.o $(DEFINES)
surface: $(B)/flowner.bpf.o
	@tests/surface.sh check $(BPFTOOL) $<
surface-update: $(B)/flowner.bpf.o
	@tests/surface.sh update $(BPFTOOL) $<

format:
	clang-format -i $(wildcard include/*/*.h src/*/*.[ch] bpf/*.[ch] bpf/*/*.[ch] \
		tests/*/*.[ch] packaging/*/*.[ch])

$(B) $(B)/bpf $(B)/bpf/verdict $(B)/unit $(B)/tests $(SRC_DIRS:%=$(B)/%):
	@mkdir -p $@
clean:
	rm -rf build
-include $(wildcard $(B)/src/*/*.d $(B)/bpf/*.d $(B)/bpf/verdict/*.d $(B)/unit/*.d $(B)/tests/*.d)
