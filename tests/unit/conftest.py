"""Shared by the unit tests. They need neither root nor the kernel nor a built library."""
import os
import re
import subprocess
from typing import Any, Callable, Dict, Iterator

import pytest
from fake_library import FakeLibrary, FakeNative
from places import HERE, NATIVE


@pytest.fixture
def fake() -> FakeLibrary:
    return FakeLibrary()


@pytest.fixture
def native(fake: FakeLibrary) -> FakeNative:
    return fake.native


@pytest.fixture
def tracer(fake: FakeLibrary) -> Iterator[Any]:
    from retrans_ctypes import Tracer

    with Tracer(_native_library=fake) as made:
        yield made


@pytest.fixture(scope="session")
def stub(tmp_path_factory: Any) -> Callable[..., str]:
    """Builds stub_library.c with these macros; gives the path of the .so."""
    built: Dict[Any, str] = {}

    def build(**macros: str) -> str:
        key = tuple(sorted(macros.items()))
        if key not in built:
            path = str(tmp_path_factory.mktemp("stub") / "libtcpretrans.so")
            subprocess.run(
                ["gcc", "-shared", "-fPIC", "-Wall", "-Werror", "-I", NATIVE, "-o", path]
                + ["-D%s=%s" % item for item in key]
                + [os.path.join(HERE, "stub_library.c")], check=True)
            built[key] = path
        return built[key]
    return build


@pytest.fixture
def use_library(monkeypatch: Any) -> Callable[[str], None]:
    """Makes a .so the one that the package loads."""
    return lambda path: monkeypatch.setenv("RETRANS_CTYPES_LIBRARY", path)


@pytest.fixture(scope="session")
def header() -> str:
    """The public C header, comments and line ends taken out."""
    text = ""
    for name in ("libtcpretrans.h", "tcpretrans_event.h"):
        with open(os.path.join(NATIVE, name), encoding="utf-8") as file:
            text += file.read()
    return " ".join(re.sub(r"/\*.*?\*/", " ", text, flags=re.S).split())
