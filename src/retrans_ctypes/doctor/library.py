"""The native library: which one it is, and whether it can be loaded from where it lies."""

import hashlib
import os
from typing import Callable, NamedTuple, Optional

from .. import _elf
from ..errors import RetransError
from ..tracer import Tracer
from .reading import is_file


class Library(NamedTuple):
    """``problem``: why it cannot be loaded; then ``version`` is None."""

    path: Optional[str]
    version: Optional[str]
    problem: Optional[str]
    machine: Optional[str]
    bytes: Optional[int]
    sha256: Optional[str]
    noexec: bool
    """Whether its file system forbids running code from it."""


def library(
    where: Callable[[], str] = Tracer.library_path, load: Callable[[], str] = Tracer.library_version,
) -> Library:
    path = version = problem = None
    try:
        path = where()
        version = load().partition(", ")[0]
    except RetransError as error:
        problem = str(error)
    if path is None:
        return Library(None, version, problem, None, None, None, False)
    noexec = _elf.on_noexec_mount(path if os.path.exists(path) else os.path.dirname(path))
    if not is_file(path):
        return Library(path, version, problem, None, None, None, noexec)
    try:
        return Library(path, version, problem, _elf.machine(path), os.path.getsize(path),
                       _sha256(path), noexec)
    except OSError:  # the problem says why
        return Library(path, version, problem, None, None, None, noexec)


def _sha256(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for piece in iter(lambda: file.read(1 << 20), b""):
            digest.update(piece)
    return digest.hexdigest()
