# SPDX-License-Identifier: BSD-2-Clause
# libbpf, libelf and zlib as static libraries, from the unpacked sources, with no configure step.
# A make of its own, started by mk/library.mk: the lists of files exist only once they are unpacked.

MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:
include mk/common.mk

LIBS := $(DEPS)/libbpf.a $(DEPS)/libelf.a $(DEPS)/libz.a
all: $(LIBS)
.PHONY: all setup FORCE

LIBBPF_C := $(filter-out %/skel_internal.c,$(wildcard $(SRC)/libbpf/src/*.c))
LIBELF_C := $(wildcard $(SRC)/libelf/libelf/*.c) $(SRC)/libelf/lib/eu-search.c
ZLIB_C   := $(wildcard $(SRC)/zlib/*.c)

objects = $(sort $(patsubst $(SRC)/%.c,$(DEPS)/%.o,$(1)))
$(DEPS)/libbpf.a: $(call objects,$(LIBBPF_C)) $(DEPS)/glibc217.o
$(DEPS)/libelf.a: $(call objects,$(LIBELF_C))
$(DEPS)/libz.a:   $(call objects,$(ZLIB_C))

# _FILE_OFFSET_BITS and _LARGEFILE64_SOURCE stay undefined: on 64-bit machines they change nothing
# but the names, to symbols newer than glibc 2.17.
LIBBPF_FLAGS := -I$(SRC)/libbpf/include -I$(SRC)/libbpf/include/uapi
LIBELF_FLAGS := -DHAVE_CONFIG_H -Ivendor/libbpf/libelf -I$(SRC)/libelf/lib
ZLIB_FLAGS   := -DHAVE_UNISTD_H -DHAVE_STDARG_H -DHAVE_HIDDEN
EVERY_FLAGS  := $(CODE_FLAGS) -w -include $(GLIBC_SHIM) -I$(SRC)/libelf/libelf -I$(SRC)/zlib \
	$(CPPFLAGS) $(CFLAGS)

$(DEPS)/libbpf/%.o: EXTRA = $(LIBBPF_FLAGS)
$(DEPS)/libelf/%.o: EXTRA = $(LIBELF_FLAGS)
$(DEPS)/zlib/%.o:   EXTRA = $(ZLIB_FLAGS)

# Everything here is pinned, so what can change is: the pins, the flags, the shim and these rules.
ANYTHING := $(SRC)/.unpacked $(OUT)/flags/third-party $(GLIBC_SHIM) mk/third-party.mk

$(DEPS)/%.o: $(SRC)/%.c $(ANYTHING) vendor/libbpf/libelf/config.h
	@mkdir -p $(@D)
	$(Q)$(CC) $(EVERY_FLAGS) $(EXTRA) -c $< -o $@

$(DEPS)/glibc217.o: vendor/libbpf/glibc217.c $(ANYTHING)
	@mkdir -p $(@D)
	$(Q)$(CC) $(EVERY_FLAGS) -c $< -o $@

$(LIBS):
	$(call say,AR,$@)rm -f $@
	$(Q)$(AR) rcsD $@ $^
