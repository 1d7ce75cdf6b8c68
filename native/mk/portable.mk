# SPDX-License-Identifier: BSD-2-Clause
# The same library for other machines and C libraries than this one's, with zig as cross compiler:
# `make portable` is `make PORTABLE=target all check wheel` for each target.

WHEELS_LOCK := vendor/wheels.lock
ZIG_VERSION := $(shell sed -n 's/^ziglang \([^ ]*\) .*/\1/p' $(WHEELS_LOCK) | head -n 1)
ZIG         := build/zig/$(ZIG_VERSION)/ziglang/zig
export ZIG_GLOBAL_CACHE_DIR := $(CURDIR)/build/zig/cache
export ZIG_LOCAL_CACHE_DIR  := $(ZIG_GLOBAL_CACHE_DIR)

$(ZIG): | $(VENV)/.ready
	$(Q)$(VENV)/bin/python scripts/wheels.py ziglang build/zig/$(ZIG_VERSION)

ifneq ($(PORTABLE),)

# A file of its own, so that tests and people can compile their programs with it too.
COMPILER := $(OUT)/cc
ZIG_TRIPLE := $(subst -glibc,-linux-gnu.,$(subst -musl,-linux-musl,$(PORTABLE)))
$(COMPILER): mk/portable.mk | $(ZIG)
	$(Q)mkdir -p $(@D)
	$(Q)printf '#!/bin/sh\nexec "$${0%%/*}/../../../%s" cc -target %s -g0 "$$@"\n' $(ZIG) $(ZIG_TRIPLE) > $@
	$(Q)chmod +x $@

# zig links musl as libc.so. The name that musllinux wheels have for it, and that every musl takes for
# itself, comes with a library of that name to link with: it need only define what we ask of libc.
ifneq ($(filter %-musl,$(PORTABLE)),)
MUSL := libc.musl-$(firstword $(subst -, ,$(PORTABLE))).so.1
LIBC := $(OUT)/obj/$(MUSL)
$(LIBC): $(LIBRARY_A)
	$(Q)nm --undefined-only $< | sed -n 's/^ *U \([a-z_]*[a-z0-9_]*\)$$/int \1;/p' > $(@D)/libc.c
	$(Q)$(CC) -shared -nostdlib -w -fno-builtin -Wl,-soname,$(MUSL) $(@D)/libc.c -o $@
endif

# BPF is the same on every machine: the build for this one makes it for all.
SKELETON := $(OUT)/bpf/tcpretrans.skel.h
.PHONY: skeleton
skeleton: $(SKELETON)
$(SKELETON): FORCE | setup
	+$(Q)$(MAKE) PORTABLE= skeleton
	$(Q)mkdir -p $(OUT) && ln -sfn ../../bpf $(OUT)/bpf

else

EACH_TARGET := $(PORTABLE_TARGETS:%=portable-%)
.PHONY: portable $(EACH_TARGET)
portable: $(EACH_TARGET)
	@$(PYTHON) scripts/portable_table.py --auditwheel $(VENV)/bin/auditwheel $(PORTABLE_TARGETS:%=build/portable/%)
$(EACH_TARGET): portable-%: $(SKELETON) $(SOURCES_READY) $(VENV)/.ready $(ZIG)
	+$(Q)$(MAKE) PORTABLE=$* all check wheel

endif
