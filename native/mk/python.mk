# SPDX-License-Identifier: BSD-2-Clause
# Running, testing and packing the Python package. All of it uses the self-contained library.

REPO := $(abspath ..)
PACKAGE_ENV = PYTHONPATH='$(REPO)/src' RETRANS_CTYPES_LIBRARY='$(CURDIR)/$(LIBRARY_SO)'

.PHONY: run test truth wheel sdist venv
venv: $(VENV)/.ready
$(VENV)/.ready: ../pyproject.toml scripts/venv.py | setup
	$(Q)$(PYTHON) scripts/venv.py ../pyproject.toml $(VENV)
	$(Q)touch $@

run: all
	@$(PACKAGE_ENV) exec $(PYTHON) -m retrans_ctypes $(ARGS)

# A test marked `truth` compares with ground truth; here it does so at length.
truth: TRUTH_ONLY := RETRANS_TEST_TRUTH=1
truth: override ARGS += -m truth
NEEDED_BY_TESTS = all check $(ORACLE) $(GUARD) $(VENV)/.ready
RUN_TESTS = cd .. && $(PACKAGE_ENV) RETRANS_TEST_ORACLE='$(CURDIR)/$(ORACLE)' $(TRUTH_ONLY) \
	$(if $(FULL),RETRANS_TEST_FULL=1) exec '$(CURDIR)/$(VENV)/bin/python' -m pytest $(ARGS)
test truth: $(NEEDED_BY_TESTS)
	@$(RUN_TESTS)

# One file each, made anew only when something in it changed.
PACKED := $(wildcard $(addprefix ../,pyproject.toml hatch_build.py README.md LICENSE)) \
	$(shell find ../src -name '*.py' -o -name '*.css' -o -name '*.js' -o -name py.typed 2>/dev/null)
SDIST_PACKED := $(shell find . ../docs ../tests -path ./build -prune -o -type f -print 2>/dev/null) \
	../CHANGELOG.md ../mkdocs.yml

WHEEL := build$(PORTABLE:%=/portable/%)/wheel/.made
SDIST := build/sdist/.made
wheel: $(WHEEL)
sdist: $(SDIST)
$(WHEEL): $(PACKED) $(LIBRARY_SO) $(SBOM_PACKED)
$(SDIST): $(PACKED) $(SDIST_PACKED) $(SKELETON)
$(WHEEL): KIND := wheel
$(SDIST): KIND := sdist
$(WHEEL) $(SDIST): | check $(VENV)/.ready
	$(Q)rm -rf $(@D)
	$(Q)$(VENV)/bin/python -m build --$(KIND) --no-isolation --outdir $(@D) ..
	$(Q)touch $@
