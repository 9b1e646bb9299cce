# SPDX-License-Identifier: BSD-2-Clause
#
# libflowner: the same sources as the daemon's modules, compiled once more for a shared library.
# Nothing but flowner_*() is to be seen of it, in libflowner.a too: it is linked to one object
# first, so that its own bpf_map_lookup_elem() does not meet libbpf's.

SOVERSION := 0
LIB_SRC := $(wildcard src/lib/*.c) \
	$(addprefix src/,text/address.c text/response.c host/dial.c flow/flowtext.c flow/intake.c \
		kernel/mapread.c)
LIB_OBJ := $(LIB_SRC:src/%.c=$(B)/pic/%.o)
LIB_FILES := $(B)/libflowner.so $(B)/libflowner.a
OBJCOPY := $(TRIPLET:%=%-)objcopy

all: $(LIB_FILES)

$(B)/pic/%.o: src/%.c | $(SRC_DIRS:src/%=$(B)/pic/%)
	$(call say,PIC )$(CC) $(ALL_CFLAGS) -fPIC -fvisibility=hidden -pthread -c $< -o $@
$(B)/libflowner.so.$(SOVERSION): $(LIB_OBJ) src/lib/libflowner.map
	$(call say,LINK)$(CC) $(SAN) $(LDFLAGS) -shared -pthread -Wl,-soname,$(@F) \
		-Wl,--version-script=src/lib/libflowner.map $(if $(SANITIZE),,-Wl,-z,defs) \
		-o $@ $(LIB_OBJ)
$(B)/libflowner.so: $(B)/libflowner.so.$(SOVERSION)
	@ln -sf $(<F) $@
$(B)/libflowner.a: $(LIB_OBJ)
	$(call say,AR  )rm -f $@ && $(CC) -r -nostdlib -o $(B)/pic/all.o $(LIB_OBJ) && \
		$(OBJCOPY) --localize-hidden $(B)/pic/all.o && $(AR) rcs $@ $(B)/pic/all.o

$(SRC_DIRS:src/%=$(B)/pic/%):
	@mkdir -p $@
-include $(wildcard $(B)/pic/*/*.d)
