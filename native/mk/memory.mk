# SPDX-License-Identifier: BSD-2-Clause
# The program of tests/memory, which drives the whole API: linked with our sources and the pinned libraries,
# all compiled anew for sanitizers; `plain`, for valgrind, takes the libraries as they are.

MEMORY      := $(OUT)/memory
EXERCISE    := ../tests/memory
EXERCISE_C  := $(patsubst $(EXERCISE)/%,%,$(wildcard $(EXERCISE)/*.c))
LIBRARY_C   := $(OBJECTS:$(OUT)/obj/%.o=%.c)
# What glibc checks too the sanitizers must see first.
CHECKED      = -g -fno-omit-frame-pointer -U_FORTIFY_SOURCE
CHECKED_address := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all
CHECKED_thread  := -O1 -fsanitize=thread
CHECKED_plain   := -Og

FLAGS_memory = $(CC) $(OUR_FLAGS) $(CHECKED)

# A build of each kind, in a folder of its own.
define checked_build
FLAGS_memory-$(1) = $$(FLAGS_memory) $$(CHECKED_$(1))
$(MEMORY)/$(1)/deps/.ready: $(SRC)/.unpacked $(OUT)/flags/memory-$(1) $(DEPS_READY)
	$(call say,BUILD,libbpf libelf zlib for $(1)):
	$(Q)rm -rf $$(@D) && mkdir -p $$(@D)
	+$(Q)$$(MAKE) -f mk/third-party.mk DEPS=$$(@D) CFLAGS='$$(CHECKED_$(1)) $$(CHECKED)'
	$(Q)touch $$@

$(MEMORY)/$(1)/%.o: %.c $(OUT)/flags/memory-$(1) | setup $(SOURCES_READY) $(SKELETON)
	$(call say,CC,$$@)mkdir -p $$(@D)
	$(Q)$$(FLAGS_memory-$(1)) -MD -MP -c $$< -o $$@
$(MEMORY)/$(1)/test/%.o: $(EXERCISE)/%.c $(OUT)/flags/memory-$(1)
	$(call say,CC,$$@)mkdir -p $$(@D)
	$(Q)$$(FLAGS_memory-$(1)) -MD -MP -c $$< -o $$@

OBJECTS_$(1) := $(LIBRARY_C:%.c=$(MEMORY)/$(1)/%.o) $(EXERCISE_C:%.c=$(MEMORY)/$(1)/test/%.o)
-include $$(OBJECTS_$(1):.o=.d)
$(MEMORY)/$(1)/exercise: $$(OBJECTS_$(1)) $(if $(filter plain,$(1)),$(DEPS_READY),$(MEMORY)/$(1)/deps/.ready)
	$(call say,LINK,$$@)$$(FLAGS_memory-$(1)) -pthread -o $$@ $$(OBJECTS_$(1)) \
		-L$(if $(filter plain,$(1)),$(DEPS),$(MEMORY)/$(1)/deps) -lbpf -lelf -lz
endef
CHECKED_KINDS := address thread plain
$(foreach kind,$(CHECKED_KINDS),$(eval $(call checked_build,$(kind))))

.PHONY: sanitizers
sanitizers: $(CHECKED_KINDS:%=$(MEMORY)/%/exercise)
