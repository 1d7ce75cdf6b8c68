# SPDX-License-Identifier: BSD-2-Clause
# Our C sources -> libtcpretrans.so and libtcpretrans.a, and the check of what came out.

MAP        := libtcpretrans.map
OBJECTS    := $(patsubst %.c,$(OUT)/obj/%.o,libtcpretrans.c $(sort $(wildcard helpers/*.c)))

OUR_FLAGS = $(CODE_FLAGS) -Wall -Wextra -Werror -I. -Ihelpers -isystem $(OUT)/bpf

ifdef LIBBPF_IS_SYSTEM
OUR_FLAGS += $(shell $(PKG_CONFIG) --cflags libbpf)
LINK_WITH  = $(shell $(PKG_CONFIG) --libs libbpf)
ARCHIVE_WITH :=
else
OUR_FLAGS += -DTCPRETRANS_PRIVATE_LIBBPF -include $(GLIBC_SHIM) -isystem $(INCLUDE)
LINK_WITH  = -L$(DEPS) -lbpf -lelf -lz
ARCHIVE_WITH = $(LINK_WITH)
endif

FLAGS_library = $(CC) $(OUR_FLAGS) $(CPPFLAGS) $(CFLAGS)
$(OUT)/obj/%.o: %.c $(OUT)/flags/library | setup $(SOURCES_READY) $(SKELETON)
	$(call say,CC,$<)mkdir -p $(@D)
	$(Q)$(FLAGS_library) -MD -MP -c $< -o $@
-include $(OBJECTS:.o=.d)

# Without gcc's start files, which nothing here needs: those of some systems say that they know no shadow
# stack, and then the whole library has none. zig knows neither flag and has both as they should be.
ONLY_GNU_LD := $(if $(PORTABLE),,-nostartfiles -Wl,-z,separate-code)
FLAGS_link = $(CC) -shared $(ONLY_GNU_LD) -Wl,--version-script=$(MAP) -Wl,-soname,libtcpretrans.so.$(ABI) \
	-Wl,--no-undefined -Wl,--gc-sections -Wl,--as-needed -Wl,--build-id=none -Wl,-z,relro \
	-Wl,-z,now -Wl,-z,noexecstack $(CFLAGS) $(LDFLAGS)
$(LIBRARY_SO): $(OBJECTS) $(DEPS_READY) $(LIBC) $(MAP) $(OUT)/flags/link
	$(call say,LINK,$@)$(FLAGS_link) -o $@ $(OBJECTS) $(LINK_WITH) $(LIBC)

# One object in which only our names are global, so that a program can have a libbpf of its own.
# `ld -r` takes what our objects need; gc-sections then drops what the exported functions don't.
EXPORTS := $(shell sed -n 's/^[[:space:]]*\(tcpretrans_[a-z_]*\);/\1/p' $(MAP))
FLAGS_archive = $(LD) -r --gc-sections $(EXPORTS:%=-u %)
$(LIBRARY_A): $(OBJECTS) $(DEPS_READY) $(OUT)/flags/archive
	$(call say,AR,$@)$(FLAGS_archive) -o $(OUT)/obj/all.o $(OBJECTS) $(ARCHIVE_WITH)
	$(Q)$(OBJCOPY) --wildcard --keep-global-symbol='tcpretrans_*' \
		$(OUT)/obj/all.o $(OUT)/obj/libtcpretrans.whole.o
	$(Q)rm -f $@ && $(AR) rcsD $@ $(OUT)/obj/libtcpretrans.whole.o

.PHONY: check
check: $(LIBRARY_SO) $(LIBRARY_A)
	@$(PYTHON) scripts/check.py --libbpf $(LIBBPF) $(PORTABLE:%=--target %) \
		$(if $(FORTIFY),,--without fortify) $(if $(BRANCHES),,--without branches) --header libtcpretrans.h --map $(MAP) \
		$(LIBRARY_SO) $(LIBRARY_A)
