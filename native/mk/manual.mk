# SPDX-License-Identifier: BSD-2-Clause
# The man page and the completions, made from the option parsers. shtab writes the completions, so it takes
# a Python that has it; MANUAL=no leaves all of it out of bundle and install.

MANUAL_PYTHON ?= $(VENV)/bin/python
MANUAL_MADE   := build/manual/.made
MANUAL_PACKED := $(if $(filter no,$(MANUAL)),,$(MANUAL_MADE))

.PHONY: manual
manual: $(MANUAL_MADE)
$(MANUAL_MADE): scripts/manual.py $(shell find ../src -name '*.py' 2>/dev/null) \
		| $(if $(filter $(VENV)/%,$(MANUAL_PYTHON)),$(VENV)/.ready)
	$(call say,MANUAL,build/manual)$(MANUAL_PYTHON) scripts/manual.py $(@D)
	$(Q)touch $@
