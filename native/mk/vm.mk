# SPDX-License-Identifier: BSD-2-Clause
# The kernel matrix: what tracing gives on other kernels, in virtual machines. KERNELS names some of them.

.PHONY: vmtest
vmtest: all
	@cd .. && RETRANS_CTYPES_LIBRARY='$(CURDIR)/$(LIBRARY_SO)' PYTHONPATH='$(REPO)/tests' \
		exec $(PYTHON) -m vm.matrix $(KERNELS)
