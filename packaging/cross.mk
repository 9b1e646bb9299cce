# SPDX-License-Identifier: BSD-2-Clause
#
#   make ARCH=s390x test-build       everything for another architecture, into build/s390x/
#   packaging/deps.sh cross-s390x    installs what that needs beside `build`; arm64 is the other
#
# Debian's cross compiler, against Debian's libraries of that architecture, which
# packaging/sysroot.sh unpacks into build/sysroot/. Their bpftool is there too, and qemu-user runs
# it: bpftool of libbpf 1.1 neither links nor opens an object of a byte order that is not its own
# ("unsupported byte order", "Endian mismatch"). The same way for all, also where the order is ours.

TRIPLET := $(or $(patsubst arm64,aarch64,$(filter arm64 s390x,$(ARCH))), \
	$(error no cross build for '$(ARCH)'; there are arm64 and s390x))-linux-gnu
SYSROOT := $(CURDIR)/build/sysroot/$(ARCH)
CC := $(TRIPLET)-gcc --sysroot=$(SYSROOT)
CXX := $(TRIPLET)-g++ --sysroot=$(SYSROOT)
AR := $(TRIPLET)-ar
CLANG := clang --sysroot=$(SYSROOT)
PKG_CONFIG := PKG_CONFIG_LIBDIR=$(SYSROOT)/usr/lib/$(TRIPLET)/pkgconfig pkg-config
# for what runs while building
EMULATOR := qemu-$(TRIPLET:%-linux-gnu=%) -L $(SYSROOT)
BPFTOOL := $(EMULATOR) $(SYSROOT)/usr/sbin/bpftool
BPF_TARGET := $(if $(filter s390x,$(ARCH)),bpfeb,bpfel)

# make makes what it reads and starts over: only then are libraries looked for.
ifneq ($(MAKECMDGOALS),clean)
include $(SYSROOT).mk
$(SYSROOT).mk: packaging/deps.sh packaging/sysroot.sh
	@packaging/sysroot.sh $(ARCH) $(SYSROOT) bpftool \
		$$(packaging/deps.sh --list build test | grep -e '-dev$$') && touch $@
endif
