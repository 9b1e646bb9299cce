# SPDX-License-Identifier: BSD-2-Clause
#
#   make fuzz                      each tests/fuzz/fuzz_*.c for FUZZ_SECONDS, with clang's libFuzzer
#   build/fuzz/fuzz_address FILE   a finding (left in build/fuzz/), once more
#
# What was found to lead somewhere new is kept in build/fuzz/corpus, where the next run begins.
# All modules are built once more, instrumented, as a library: a harness needs no list of sources.
# What it defines itself stands in for the module's. Warnings are left to the real build.

FUZZ_SECONDS ?= 10
FUZZ_MAX_LEN ?= 256
$(B)/fuzz/fuzz_config.run: FUZZ_MAX_LEN := 4096
$(B)/fuzz/fuzz_intake.run: FUZZ_MAX_LEN := 16384
$(B)/fuzz/fuzz_order.run: FUZZ_MAX_LEN := 4096
$(B)/fuzz/fuzz_past.run: FUZZ_MAX_LEN := 4096
$(B)/fuzz/fuzz_policy.run: FUZZ_MAX_LEN := 4096
$(B)/fuzz/fuzz_policy.run: FUZZ_SEEDS := packaging/examples
$(B)/fuzz/fuzz_text_record.run: FUZZ_MAX_LEN := 16384

FUZZ := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_OBJ := $(MOD_SRC:src/%.c=$(B)/fuzz/obj/%.o)
FUZZ_CFLAGS = $(DEFINES) -O1 -g -fno-omit-frame-pointer -MMD -MP \
	-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined

.PHONY: fuzz $(FUZZ:=.run)
fuzz: $(FUZZ:=.run)
$(FUZZ:=.run): %.run: %
	@mkdir -p $(B)/fuzz/corpus/$(<F)
	@$< -max_total_time=$(FUZZ_SECONDS) -max_len=$(FUZZ_MAX_LEN) -timeout=20 \
		-print_final_stats=1 -dict=tests/fuzz/fuzz.dict -artifact_prefix=$(B)/fuzz/ \
		$(B)/fuzz/corpus/$(<F) $(FUZZ_SEEDS) >$<.log 2>&1 || { cat $<.log; exit 1; }
	@sed -n 's/stat::number_of_executed_units: */$(<F): inputs without a finding: /p' $<.log | \
		grep '[1-9]' || { cat $<.log; exit 1; }

$(FUZZ): $(B)/fuzz/%: tests/fuzz/%.c $(B)/fuzz/libmodules.a
	$(CLANG) $(FUZZ_CFLAGS) -fsanitize=fuzzer -o $@ $(filter %.c %.a,$^) $(DAEMON_LIBS)
$(B)/fuzz/libmodules.a: $(FUZZ_OBJ)
	rm -f $@ && ar rcs $@ $^
$(FUZZ_OBJ): $(B)/fuzz/obj/%.o: src/%.c | $(SRC_DIRS:src/%=$(B)/fuzz/obj/%)
	$(CLANG) $(FUZZ_CFLAGS) -c $< -o $@
$(SRC_DIRS:src/%=$(B)/fuzz/obj/%):
	mkdir -p $@
-include $(wildcard $(B)/fuzz/*.d $(B)/fuzz/obj/*/*.d)
