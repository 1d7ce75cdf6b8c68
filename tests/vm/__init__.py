"""Real kernels of other versions, in virtual machines that see this machine's root read-only.

archive    which kernels Debian's archive has, and fetching them
kernels    the newest kernel of a series, from the archive or from the cache
image      what QEMU boots: the kernel's ELF and a small initramfs with its modules
machine    one run of one command in one kernel
python -m vm KERNEL -- COMMAND...   the same by hand
"""
