# SPDX-License-Identifier: BSD-2-Clause
# BPF program -> object -> skeleton header, which the C library includes.

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
$(OUT)/bpf/compiled.o: bpf/tcpretrans.bpf.c $(OUT)/flags/bpf | setup $(SOURCES_READY)
	$(call say,CLANG,$<)mkdir -p $(@D)
	$(Q)$(FLAGS_bpf) -MD -MP -MF $(@:.o=.d) -MT $@ -c $< -o $@
-include $(OUT)/bpf/compiled.d

# `gen object` drops what only a debugger would read.
$(OUT)/bpf/tcpretrans.bpf.o: $(OUT)/bpf/compiled.o
	$(call say,BPF,$@)$(BPFTOOL) gen object $@ $<

$(SKELETON): $(OUT)/bpf/tcpretrans.bpf.o
	$(call say,SKEL,$@)echo "/* made from BPF sources with sha256 $(bpf_inputs_sum) */" > $@
	$(Q)$(BPFTOOL) gen skeleton $< name tcpretrans_bpf >> $@
endif
