# SPDX-License-Identifier: BSD-2-Clause
# Trying to break it, at length, and the tables of docs/reliability.md.

TRIED        := $(abspath $(OUT))/reliability
FUZZ_SECONDS ?= 600

.PHONY: fuzz faults reliability
fuzz faults: export RETRANS_TEST_FULL := 1
fuzz faults: export RETRANS_TEST_RELIABILITY := 1
fuzz faults: export RETRANS_TRIED = $(TRIED)/$@.json
fuzz: export RETRANS_TEST_FUZZ_SECONDS := $(FUZZ_SECONDS)
fuzz: override ARGS += tests/fuzz
faults: override ARGS += -m reliability
fuzz faults: $(NEEDED_BY_TESTS)
	$(Q)mkdir -p '$(TRIED)' && rm -f '$(TRIED)/$@.json'
	@$(RUN_TESTS)

# What was tried by these two counts until they are run again.
reliability:
	+@$(MAKE) fuzz
	+@$(MAKE) faults
	@$(PYTHON) scripts/reliability.py ../docs/reliability.md '$(TRIED)/fuzz.json' '$(TRIED)/faults.json'
