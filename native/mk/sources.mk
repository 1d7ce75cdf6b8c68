# SPDX-License-Identifier: BSD-2-Clause
# The pinned sources: fetched, verified and unpacked, then compiled by mk/third-party.mk.
# With LIBBPF=system nobody needs them.

ifndef LIBBPF_IS_SYSTEM
SOURCES_READY := $(SRC)/.unpacked
DEPS_READY    := $(DEPS)/.ready
endif

LOCK     := vendor/libbpf/sources.lock
TARBALLS := $(shell awk '!/^#/ && NF { print $$3 }' $(LOCK))
TARBALLS_HERE := $(wildcard $(foreach folder,$(RETRANS_DIST) vendor/libbpf build/tarballs,\
	$(TARBALLS:%=$(folder)/%)))
export RETRANS_DIST RETRANS_MIRROR

# A tarball newer than what was unpacked from it is verified and unpacked again.
$(SRC)/.unpacked: $(LOCK) vendor/libbpf/NOTICE.in $(TARBALLS_HERE) | setup
	$(Q)$(PYTHON) scripts/sources.py unpack
	$(Q)mkdir -p $(INCLUDE) && ln -sfn ../src/libbpf/src $(INCLUDE)/bpf
	$(Q)touch $@

FLAGS_third-party = $(CC) $(CODE_FLAGS) $(CPPFLAGS) $(CFLAGS)
$(DEPS)/.ready: $(SRC)/.unpacked $(OUT)/flags/third-party $(GLIBC_SHIM) vendor/libbpf/glibc217.c \
		vendor/libbpf/libelf/config.h mk/third-party.mk
	$(call say,BUILD,libbpf libelf zlib):
	+$(Q)$(MAKE) -f mk/third-party.mk
	$(Q)touch $@
