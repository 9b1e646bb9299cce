# SPDX-License-Identifier: BSD-2-Clause
#
#   sudo make test-vm    all tests on stock kernels in emulated machines: KERNELS="5.10 6.1" picks
#                        some, TIERS="stock lowest" the truth alone in these, QUICK=1 what matters
#                        to a kernel most (see matrix.sh), JOBS=2 machines at a time; root only to
#                        install what is missing
#   make vm-build        what the machines run, ARCH=arm64 for those; then by hand, without root:
#   tests/vm/run.sh 6.1 tests/run.sh build scope    one integration test on 6.1
#   tests/vm/run.sh 6.1 build/unit/test_netns       one unit test
#   tests/vm/run.sh 6.1 build/tests/verify          what its verifier says to each program

TEST_BINS += $(B)/tests/verify
KERNELS ?= 5.10 6.1 6.12 new arm64-6.1 arm64-6.12 s390x-6.12
FOREIGN := $(filter-out $(NATIVE),$(foreach arch,arm64 s390x, \
	$(if $(filter $(arch)-%,$(KERNELS)),$(arch))))

.PHONY: test-vm vm-build vm-matrix $(FOREIGN:%=vm-build-%)
test-vm: private SHELL := /bin/sh
test-vm: private .SHELLFLAGS := -c
test-vm:
	@packaging/deps.sh build test vm $(FOREIGN:%=vm-%) $(FOREIGN:%=cross-%)
	@+$(MAKE) --no-print-directory vm-matrix
vm-build: test-build truth
$(FOREIGN:%=vm-build-%): vm-build-%:
	@+$(MAKE) --no-print-directory ARCH=$* vm-build
vm-matrix: vm-build $(FOREIGN:%=vm-build-%)
	@TIERS="$(TIERS)" tests/vm/matrix.sh $(KERNELS)

$(B)/tests/verify: tests/vm/verify.c $(call o,src/kernel/constants.c) $(B)/libmodules.a | $(B)/tests
	$(call say,CC  )$(CC) $(ALL_CFLAGS) -o $@ $(filter-out %.h,$^) $(DAEMON_LIBS)
$(B)/tests/verify: $(B)/flowner.skel.h $(B)/verdict.skel.h
