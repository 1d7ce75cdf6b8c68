"""The native library: which one it is, and whether it can be loaded from where it lies."""

import hashlib
import os
from typing import Callable, NamedTuple, Optional

from .. import _elf, _unpack
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
    try:
        content = _content(path)
    except OSError:  # the problem says why
        return Library(path, version, problem, None, None, None, noexec)
    return Library(path, version, problem, _elf.machine(content), len(content),
                   hashlib.sha256(content).hexdigest(), noexec)


def _content(path: str) -> bytes:
    """Of the file, which may lie in the zip file that the package is run from."""
    if is_file(path):
        with open(path, "rb") as file:
            return file.read()
    spec = _elf.__spec__
    zipped = _unpack.content(os.path.basename(path), spec.loader if spec else None)
    if zipped is None:
        raise FileNotFoundError(path)
    return zipped
