"""Fixtures of the tests of the build. All of them leave this checkout's own build as it is."""
import os
import shutil
from typing import Any

import pytest

from building import NATIVE, copy_tree, disguise, make, make_as_another, where_tarballs_are


@pytest.fixture(scope="session")
def tarballs(tmp_path_factory: Any) -> str:
    """A folder with the pinned tarballs, as a user without network would have it."""
    folder = tmp_path_factory.mktemp("tarballs")
    for path in where_tarballs_are().values():
        shutil.copy(path, str(folder))
    return str(folder)


@pytest.fixture
def tree(tmp_path: Any) -> str:
    """The native folder of a fresh copy of the sources."""
    return copy_tree(str(tmp_path / "checkout"))


@pytest.fixture(scope="session")
def elsewhere(tmp_path_factory: Any, tarballs: str) -> str:
    """The native folder of a copy, at a path of another length, that was built there by somebody else."""
    native = copy_tree(str(tmp_path_factory.mktemp("elsewhere") / "with a space" / "deeper"))
    disguise(os.path.dirname(native))
    make_as_another(native, "RETRANS_DIST=" + tarballs)
    return native


@pytest.fixture(scope="session")
def system_library() -> str:
    """libtcpretrans.so linked with the system's libbpf."""
    make(NATIVE, "LIBBPF=system")
    return os.path.join(NATIVE, "build", "system", "libtcpretrans.so")


@pytest.fixture(scope="session")
def installed(tmp_path_factory: Any) -> str:
    """What `make install DESTDIR= PREFIX=/usr` puts in place."""
    destination = str(tmp_path_factory.mktemp("installed"))
    make(NATIVE, "install", "DESTDIR=" + destination, "PREFIX=/usr")
    return destination
