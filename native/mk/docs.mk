# SPDX-License-Identifier: BSD-2-Clause
# The documentation as a site, and its page that is written from the docstrings.

SITE := build/site

.PHONY: docs api-page
docs: $(VENV)/.ready
	$(call say,SITE,$(SITE))
	$(Q)NO_MKDOCS_2_WARNING=true $(VENV)/bin/mkdocs build --strict --clean --config-file ../mkdocs.yml --site-dir '$(CURDIR)/$(SITE)'

api-page: $(VENV)/.ready
	$(Q)PYTHONPATH='$(REPO)/src' $(VENV)/bin/python scripts/api_page.py
