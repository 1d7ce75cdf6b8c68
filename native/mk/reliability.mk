# SPDX-License-Identifier: BSD-2-Clause
# Trying to break it, at length, and the table of docs/reliability.md.

TRIED        := $(abspath $(OUT))/reliability/tried.json
FUZZ_SECONDS ?= 600

.PHONY: fuzz reliability
fuzz reliability: export RETRANS_TEST_FULL := 1
fuzz: export RETRANS_TEST_FUZZ_SECONDS := $(FUZZ_SECONDS)
fuzz: override ARGS += -m fuzz
reliability: export RETRANS_TEST_RELIABILITY := 1
reliability: export RETRANS_TEST_FUZZ_SECONDS := $(FUZZ_SECONDS)
reliability: override ARGS += -m 'reliability or fuzz'
reliability: export RETRANS_TRIED := $(TRIED)
fuzz reliability: $(NEEDED_BY_TESTS)
	$(Q)rm -f '$(TRIED)' && mkdir -p '$(dir $(TRIED))'
	@$(RUN_TESTS)
	$(if $(filter reliability,$@),@$(PYTHON) scripts/reliability.py '$(TRIED)' ../docs/reliability.md)
