# SPDX-License-Identifier: BSD-2-Clause
# Fuzz targets of tests/fuzz/native: our C and the pinned libbpf and libelf with libFuzzer's coverage,
# AddressSanitizer and, our part, UndefinedBehaviorSanitizer. With LIBBPF=system there are none.

ifndef LIBBPF_IS_SYSTEM
FUZZ      := $(OUT)/fuzz
FUZZ_C    := ../tests/fuzz/native
FUZZ_BUILT := $(patsubst $(FUZZ_C)/%.c,$(FUZZ)/%,$(wildcard $(FUZZ_C)/*.c))
FUZZ_SANITIZE := -U_FORTIFY_SOURCE -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address
FUZZ_OURS := $(FUZZ_SANITIZE) -fsanitize=undefined -fno-sanitize-recover=undefined

FLAGS_fuzz-deps = $(CLANG) $(CODE_FLAGS) $(FUZZ_SANITIZE)
$(FUZZ)/deps/.ready: $(SRC)/.unpacked $(OUT)/flags/fuzz-deps $(OUT)/flags/third-party $(GLIBC_SHIM) \
		vendor/libbpf/glibc217.c vendor/libbpf/libelf/config.h mk/third-party.mk
	$(call say,BUILD,libbpf libelf zlib for fuzzing):
	+$(Q)$(MAKE) -f mk/third-party.mk DEPS=$(FUZZ)/deps CC='$(CLANG)' CFLAGS='$(FUZZ_SANITIZE)'
	$(Q)touch $@

# An archive, so that a target takes what it tries and can play the rest itself.
FUZZ_OBJECTS := $(patsubst $(OUT)/obj/%,$(FUZZ)/obj/%,$(OBJECTS))
FLAGS_fuzz = $(CLANG) $(OUR_FLAGS) $(FUZZ_OURS)
$(FUZZ)/obj/%.o: %.c $(OUT)/flags/fuzz | setup $(SOURCES_READY) $(SKELETON)
	@mkdir -p $(@D)
	$(Q)$(FLAGS_fuzz) -MD -MP -c $< -o $@
$(FUZZ)/ours.a: $(FUZZ_OBJECTS)
	$(call say,AR,$@)rm -f $@ && $(AR) rcsD $@ $^
-include $(FUZZ_OBJECTS:.o=.d)

# What a target plays itself, in place of the kernel or of libbpf.
WRAP_kernel_text := open read close
WRAP_btf_core := syscall
WRAP_buffers := clock_gettime perf_buffer__buffer

$(FUZZ_BUILT): $(FUZZ)/%: $(FUZZ_C)/%.c $(wildcard $(FUZZ_C)/*.h) $(FUZZ)/ours.a $(FUZZ)/deps/.ready $(OUT)/flags/fuzz
	$(call say,LINK,$@)$(FLAGS_fuzz) -fsanitize=fuzzer -o $@ $< $(WRAP_$*:%=-Wl,--wrap=%) \
		$(FUZZ)/ours.a -L$(FUZZ)/deps -lbpf -lelf -lz

.PHONY: fuzz-targets
fuzz-targets: $(FUZZ_BUILT)
endif
