# SPDX-License-Identifier: BSD-2-Clause
# BPF programs -> objects -> skeletons, all in one header, which the C library includes.

SKELETON   := $(OUT)/bpf/tcpretrans.skel.h
BPF_INPUTS := $(sort $(wildcard bpf/*.c bpf/*.h)) tcpretrans_event.h

# An sdist brings the skeleton, so that its builder needs neither clang nor bpftool. The first line
# of each skeleton says which sources it was made from.
SHIPPED_SKELETON := $(wildcard vendor/bpf/tcpretrans.skel.h)
bpf_inputs_sum = $$(cat $(BPF_INPUTS) | sha256sum | cut -c1-64)

FLAGS_bpf = $(CLANG) -target bpf -mcpu=v2 -O2 -g -fno-unwind-tables -Wall -Wextra -Werror \
	-Wno-unused-parameter -ffile-prefix-map='$(CURDIR)'=. -Ibpf -I. $(if $(LIBBPF_IS_SYSTEM),,-isystem $(INCLUDE))

.PHONY: skeleton
skeleton: $(SKELETON)

ifneq ($(SHIPPED_SKELETON),)
$(SKELETON): $(SHIPPED_SKELETON) $(BPF_INPUTS)
	$(call say,SHIPPED,$<)mkdir -p $(@D)
	$(Q)head -n 1 $< | grep -q "$(bpf_inputs_sum)" || { echo >&2 "$<: was made from other BPF" \
		"sources than these; delete it to compile them (needs clang and bpftool)"; exit 1; }
	$(Q)cp $< $@
else
# One for each way of reading the kernel's structs: typed, by helper, and not at all.
BPF_OBJECTS := $(patsubst %,$(OUT)/bpf/%.bpf.o,typed untyped tracefs)

$(OUT)/bpf/typed.o:   bpf/tcpretrans.bpf.c
$(OUT)/bpf/typed.o:   BPF_EXTRA = -DTYPED
$(OUT)/bpf/untyped.o: bpf/tcpretrans.bpf.c
$(OUT)/bpf/tracefs.o: bpf/tracefs.bpf.c
$(BPF_OBJECTS:.bpf.o=.o): $(OUT)/flags/bpf | setup $(SOURCES_READY)
	$(call say,CLANG,$@)mkdir -p $(@D)
	$(Q)$(FLAGS_bpf) $(BPF_EXTRA) -MD -MP -MF $(@:.o=.d) -MT $@ -c $(filter %.bpf.c,$^) -o $@
-include $(BPF_OBJECTS:.bpf.o=.d)

# `gen object` drops what only a debugger would read.
$(BPF_OBJECTS): %.bpf.o: %.o
	$(call say,BPF,$@)$(BPFTOOL) gen object $@ $<

$(SKELETON): $(BPF_OBJECTS)
	$(call say,SKEL,$@)echo "/* made from BPF sources with sha256 $(bpf_inputs_sum) */" > $@
	$(Q)for object in $^; do name=$$(basename $$object .bpf.o); \
		$(BPFTOOL) gen skeleton $$object name $${name}_bpf >> $@ || exit 1; done
endif
