# SPDX-License-Identifier: BSD-2-Clause
# The oracle: what tests of reasons and waiting times take for the truth. Not part of the library.

ORACLE     := $(OUT)/truth/oracle
TRUTH      := ../tests/truth
ORACLE_BPF := $(OUT)/truth/oracle.bpf.o

FLAGS_oracle-bpf = $(FLAGS_bpf) -I$(TRUTH)
$(ORACLE_BPF): $(TRUTH)/oracle.bpf.c $(TRUTH)/oracle.h bpf/kernel_types.h $(OUT)/flags/oracle-bpf \
		| setup $(SOURCES_READY)
	$(call say,CLANG,$<)mkdir -p $(@D)
	$(Q)$(FLAGS_oracle-bpf) -c $< -o $@

$(OUT)/truth/oracle.skel.h: $(ORACLE_BPF)
	$(call say,SKEL,$@)$(BPFTOOL) gen skeleton $< name oracle_bpf > $@

FLAGS_oracle = $(CC) $(OUR_FLAGS) -isystem $(OUT)/truth $(CPPFLAGS) $(CFLAGS) $(LDFLAGS)
$(ORACLE): $(TRUTH)/oracle.c $(OUT)/truth/oracle.skel.h $(DEPS_READY) $(OUT)/flags/oracle
	$(call say,LINK,$@)$(FLAGS_oracle) -o $@ $< $(LINK_WITH)
