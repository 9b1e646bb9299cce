# SPDX-License-Identifier: BSD-2-Clause
#
# Manual and completions. A line `list: NAME` in their sources becomes the list of that name, which
# build/lists/lists writes from the tables by which the programs themselves parse and help.

MANUALS := $(patsubst packaging/man/%,$(B)/man/%,$(wildcard packaging/man/*.[1-8]))
COMPLETIONS := $(patsubst packaging/%,$(B)/%,$(wildcard packaging/completion/*))
LISTS := $(B)/lists/lists

all: $(MANUALS) $(COMPLETIONS)

$(B)/lists/%.o: packaging/lists/%.c | $(B)/lists
	$(call say,CC  )$(CC) $(ALL_CFLAGS) -c $< -o $@
$(LISTS): $(patsubst packaging/%.c,$(B)/%.o,$(wildcard packaging/lists/*.c)) $(CLI_MOD) \
		$(B)/libmodules.a
	$(call say,LINK)$(CC) $(SAN) $(LDFLAGS) -o $@ $^ $(CLI_LIBS)
$(B)/man/%: packaging/man/% $(LISTS) | $(B)/man
	$(call say,MAN )$(EMULATOR) $(LISTS) <$< >$@
$(B)/completion/%: packaging/completion/% $(LISTS) | $(B)/completion
	$(call say,COMP)$(EMULATOR) $(LISTS) <$< >$@

$(B)/lists $(B)/man $(B)/completion:
	@mkdir -p $@
-include $(wildcard $(B)/lists/*.d)
