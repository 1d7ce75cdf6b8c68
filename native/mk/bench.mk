# SPDX-License-Identifier: BSD-2-Clause
# The bench: what tracing costs, beside what others cost. Its small programs are not part of the library.

BENCH    := ../tests/bench/programs
BENCH_C  := $(patsubst $(BENCH)/%.c,%,$(filter-out %.bpf.c,$(wildcard $(BENCH)/*.c)))
BENCH_PROGRAMS := $(BENCH_C:%=$(OUT)/bench/%)
BENCH_SKELETONS := $(patsubst $(BENCH)/%.bpf.c,$(OUT)/bench/%.skel.h,$(wildcard $(BENCH)/*.bpf.c))

FLAGS_bench-bpf = $(FLAGS_bpf) -I$(BENCH)
$(OUT)/bench/%.bpf.o: $(BENCH)/%.bpf.c $(wildcard $(BENCH)/*.h) $(BPF_INPUTS) $(OUT)/flags/bench-bpf \
		| setup $(SOURCES_READY)
	$(call say,CLANG,$<)mkdir -p $(@D)
	$(Q)$(FLAGS_bench-bpf) -c $< -o $@

$(OUT)/bench/%.skel.h: $(OUT)/bench/%.bpf.o
	$(call say,SKEL,$@)$(BPFTOOL) gen skeleton $< name $*_bpf > $@

# Each is our library from the outside, and has a libbpf of its own beside it.
FLAGS_bench = $(CC) $(OUR_FLAGS) -Wno-unused-parameter -I$(BENCH) -isystem $(OUT)/bench $(CPPFLAGS) $(CFLAGS) $(LDFLAGS)
$(BENCH_PROGRAMS): $(OUT)/bench/%: $(BENCH)/%.c $(BENCH_SKELETONS) $(LIBRARY_A) $(DEPS_READY) $(OUT)/flags/bench
	$(call say,LINK,$@)$(FLAGS_bench) -o $@ $< $(LIBRARY_A) $(LINK_WITH)

.PHONY: bench
bench: all $(BENCH_PROGRAMS)
	@cd .. && $(PACKAGE_ENV) PYTHONPATH='$(REPO)/tests:$(REPO)/src' exec $(PYTHON) -m bench \
		$(RUNS:%=--runs %) $(ROWS:%=--row %) $(ARGS)

# What the guard of tests/bench/guard counts instructions of. It looks inside: the ring's reader is no
# exported function.
GUARD := $(OUT)/bench/paths
FLAGS_guard = $(CC) $(OUR_FLAGS) -no-pie $(CPPFLAGS) $(CFLAGS)
$(GUARD): ../tests/bench/guard/paths.c $(LIBRARY_A) $(OUT)/flags/guard
	$(call say,LINK,$@)mkdir -p $(@D)
	$(Q)$(FLAGS_guard) -o $@ $< $(OUT)/obj/helpers/ring.o $(LIBRARY_A)

# Rewrites the limits, after a change that is meant to cost more.
.PHONY: limits
limits: all $(GUARD)
	@cd .. && $(PACKAGE_ENV) PYTHONPATH='$(REPO)/tests:$(REPO)/src' exec $(PYTHON) -m bench.guard
