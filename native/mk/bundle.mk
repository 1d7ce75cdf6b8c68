# SPDX-License-Identifier: BSD-2-Clause
# One file to carry to a host where nothing can be installed: a folder in a tar, or a .pyz.
# For another machine than this one, ARCH or PORTABLE names it, and the portable library is packed.

EXTRAS ?=
KNOWN_EXTRAS := metrics
EXTRA_PACKAGES_metrics := prometheus-client
ifneq ($(filter-out $(KNOWN_EXTRAS),$(EXTRAS)),)
$(error EXTRAS knows only: $(KNOWN_EXTRAS))
endif

ifneq ($(and $(LIBBPF_IS_SYSTEM),$(filter bundle pyz,$(MAKECMDGOALS))),)
$(error a bundle contains the pinned libbpf: LIBBPF=system is for this machine alone)
endif

BUNDLE_TARGET := $(or $(PORTABLE:%-glibc2.17=%),$(shell uname -m))
BUNDLE := build/bundle/retrans-ctypes-$(VERSION)-$(BUNDLE_TARGET)$(EXTRAS:%=-%)
EXTRA_FOLDERS := $(foreach extra,$(EXTRAS),$(EXTRA_PACKAGES_$(extra):%=build/extras/%))

.PHONY: bundle pyz
ifeq ($(filter-out $(BUNDLE_TARGET),$(ARCH)),)
bundle: $(BUNDLE).tar.gz
pyz: $(BUNDLE).pyz
else
bundle pyz:
	+$(Q)$(MAKE) PORTABLE=$(ARCH)-glibc2.17 ARCH= $@
endif

# Always packed anew, which takes no time and gives the same bytes.
$(BUNDLE).tar.gz: KIND := tar
$(BUNDLE).tar.gz: $(MANUAL_PACKED)
$(BUNDLE).pyz: KIND := pyz
$(BUNDLE).tar.gz $(BUNDLE).pyz: check $(SBOM_PACKED) $(EXTRA_FOLDERS:%=%/.ready) FORCE
	$(Q)$(PYTHON) scripts/bundle.py $(KIND) --library $(LIBRARY_SO) --licences build/licenses --sbom $(SBOM_PACKED) \
		--version $(VERSION) --target $(BUNDLE_TARGET) $(EXTRA_FOLDERS:%=--extra %/unpacked) \
		$(if $(MANUAL_PACKED),--manual $(dir $(MANUAL_MADE))) $@

build/extras/%/.ready: $(WHEELS_LOCK) | $(VENV)/.ready
	$(Q)mkdir -p $(@D)
	$(Q)$(VENV)/bin/python scripts/wheels.py $* $(@D)/unpacked
	$(Q)touch $@
