# SPDX-License-Identifier: BSD-2-Clause
# What the libraries are made of: as a bill of materials for programs, and as tables for people.

# Of the libraries, and of what wheel and bundle hold: that is the .so alone, and perhaps packages beside it.
SBOM        := $(OUT)/sbom/libtcpretrans.cdx.json
SBOM_PACKED := $(OUT)/sbom/retrans_ctypes$(EXTRAS:%=-%).cdx.json
SBOM_TARGET := $(or $(PORTABLE),$(shell uname -m))$(LIBBPF_IS_SYSTEM:%=-%-libbpf)

.PHONY: sbom audit
sbom: $(SBOM) $(SBOM_PACKED)
$(SBOM): SBOM_OF = $(LIBRARY_SO) $(LIBRARY_A)
$(SBOM_PACKED): SBOM_OF = $(LIBRARY_SO) $(foreach extra,$(EXTRAS),$(EXTRA_PACKAGES_$(extra):%=--extra %))
$(SBOM) $(SBOM_PACKED): $(LIBRARY_SO) $(LIBRARY_A) $(LOCK) $(WHEELS_LOCK) scripts/sbom.py scripts/contents.py
	$(call say,SBOM,$@)$(PYTHON) scripts/sbom.py --version $(VERSION) --target $(SBOM_TARGET) \
		$(if $(LIBBPF_IS_SYSTEM),--system-libbpf $(shell $(PKG_CONFIG) --modversion libbpf)) $(SBOM_OF) --out $@

audit: $(LIBRARY_A)
	@$(PYTHON) scripts/audit.py --archive $(LIBRARY_A) --venv $(VENV)
