"""What is wrong with a shared library that should load: read from its ELF header.

The loader must not see a damaged file: mapping a truncated one is answered with SIGBUS, not with an
error.
"""

import os
import struct
from typing import NamedTuple, Optional

_IDENT = struct.Struct("=4sBB10x")
_MACHINES = {3: "i386", 8: "mips", 21: "ppc64", 22: "s390x", 40: "arm", 62: "x86_64",
             183: "aarch64", 243: "riscv", 258: "loongarch"}

# After e_ident: e_type e_machine e_version e_entry e_phoff e_shoff e_flags e_ehsize e_phentsize
# e_phnum e_shentsize e_shnum e_shstrndx
_HEADERS = {1: "HHIIIIIHHHHHH", 2: "HHIQQQIHHHHHH"}
_ORDERS = {1: "<", 2: ">"}
_ENOUGH = 64


class _Header(NamedTuple):
    bits: int
    order: str
    machine: int
    ends_at: int  # the section headers are the last thing in a linked file

    @property
    def processor(self) -> str:
        return _MACHINES.get(self.machine, "machine type %d" % self.machine)

    def __str__(self) -> str:
        return "%s (%d bit, %s endian)" % (
            self.processor, self.bits, "little" if self.order == "<" else "big")


def _read(path: str) -> Optional[_Header]:
    with open(path, "rb") as file:
        return _parse(file.read(_ENOUGH))


def _parse(start: bytes) -> Optional[_Header]:
    if len(start) < _IDENT.size:
        return None
    magic, bits, order = _IDENT.unpack_from(start)
    if magic != b"\x7fELF" or bits not in _HEADERS or order not in _ORDERS:
        return None
    header = struct.Struct(_ORDERS[order] + _HEADERS[bits])
    if len(start) < _IDENT.size + header.size:
        return None
    fields = header.unpack_from(start, _IDENT.size)
    machine, sections_at, section_size, sections = fields[1], fields[5], fields[10], fields[11]
    return _Header(32 * bits, _ORDERS[order], machine, sections_at + section_size * sections)


def machine(content: bytes) -> Optional[str]:
    """Which processor a file is for, such as ``x86_64``; None where it is no ELF file."""
    header = _parse(content[:_ENOUGH])
    return header.processor if header else None


def problem(path: str) -> Optional[str]:
    """Why ``path`` cannot be loaded by this Python, or None where nothing speaks against it."""
    size = os.path.getsize(path)
    if size == 0:
        return "is empty"
    header = _read(path)
    if header is None:
        return "is not a shared library"
    own = _read("/proc/self/exe") if os.access("/proc/self/exe", os.R_OK) else None
    if own and (header.bits, header.order, header.machine) != (own.bits, own.order, own.machine):
        return "is for %s, but this Python is for %s" % (header, own)
    if size < header.ends_at:
        return "is cut short: %d of at least %d bytes are there" % (size, header.ends_at)
    return None


def on_noexec_mount(path: str) -> bool:
    """Whether the file system that holds ``path`` forbids running code from it."""
    try:
        return bool(os.statvfs(path).f_flag & os.ST_NOEXEC)
    except OSError:
        return False
