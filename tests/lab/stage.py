"""Copies of the package in folders that anybody may read, as a person would carry it to a host."""
import importlib.util
import os
import shutil
import tempfile
from contextlib import contextmanager
from typing import Iterator, Optional

from . import rights

LIBRARY_NAME = "libtcpretrans.so"


def source_folder() -> str:
    """Where the package under test lies."""
    spec = importlib.util.find_spec("retrans_ctypes")
    assert spec is not None and spec.origin is not None
    return os.path.dirname(spec.origin)


@contextmanager
def open_folder() -> Iterator[str]:
    """A temporary folder that other users can enter; pytest's own ones they cannot."""
    folder = tempfile.mkdtemp(prefix="retrans-test-")
    os.chmod(folder, 0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def copy_package(tree: str, name: str = "retrans_ctypes", library: Optional[str] = None) -> str:
    """Put the package and its library into `tree` under `name`; returns the new folder."""
    target = os.path.join(tree, *name.split("."))
    shutil.copytree(source_folder(), target, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    shutil.copy(library or rights.LIBRARY, os.path.join(target, LIBRARY_NAME))
    os.chmod(os.path.join(target, LIBRARY_NAME), 0o755)
    return target
