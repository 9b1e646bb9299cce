# SPDX-License-Identifier: BSD-2-Clause
#
# tests/truth: the ground truth generator, its scorer, and the scorer's own test.
#   make truth          build/truth/truth and build/truth/score
#   make check-truth    the scorer proved against fabricated pairs, no root
#
#   sudo build/truth/truth --self-check -n 3 -o t.jsonl     needs no agent
#   with an agent:  truth -n 3 --storm 20000 -o t.jsonl; sleep 1; flowner list -a -j >r.jsonl
#                   build/truth/score t.jsonl r.jsonl --strict [--tier lowest [--accept-syscall]]
#   older sockets:  truth --hold t.jsonl prints facts and READY, waits for a line "go"
#                   before it: score FACTS r.jsonl --live
#
# Wanted: liburing-dev (without it the io_uring scenarios report themselves as skipped).

TRUTH_SRC := $(filter-out tests/truth/score%.c,$(wildcard tests/truth/*.c))
SCORE_SRC := $(wildcard tests/truth/score*.c)
TRUTH_OBJ := $(TRUTH_SRC:tests/truth/%.c=$(B)/truth/%.o)
SCORE_OBJ := $(SCORE_SRC:tests/truth/%.c=$(B)/truth/%.o)
TRUTH_URING := $(shell $(or $(PKG_CONFIG),pkg-config) --exists liburing 2>/dev/null && echo yes)
# Static: it execs itself in storms, in a chroot and from memory, and runs in bare virtual machines.
TRUTH_STATIC := $(if $(SANITIZE),,-static)

.PHONY: truth check-truth
truth: $(B)/truth/truth $(B)/truth/score

$(B)/truth/%.o: tests/truth/%.c | $(B)/truth
	$(CC) $(ALL_CFLAGS) $(if $(TRUTH_URING),-DTRUTH_HAVE_URING) \
		$(if $(TRUTH_STATIC),-DTRUTH_IS_STATIC) -c $< -o $@
$(B)/truth/truth: $(TRUTH_OBJ)
	$(CC) $(SAN) $(LDFLAGS) $(TRUTH_STATIC) -o $@ $^ $(if $(TRUTH_URING),-luring) -lpthread
$(B)/truth/score: $(SCORE_OBJ)
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^ -ljansson
check-truth: $(B)/truth/score
	tests/truth/selftest/run.sh $<

$(B)/truth:
	mkdir -p $@
-include $(wildcard $(B)/truth/*.d)
