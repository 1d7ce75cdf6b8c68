"""Fixtures of the tests that let calls fail."""
from typing import Any, Iterator

import pytest

from lab import faulting, host


@pytest.fixture(autouse=True)
def nothing_left_behind(kernel_rights: None) -> Iterator[None]:
    """Each test leaves programs, links, devices, namespaces, mounts and processes as they were."""
    before = host.snapshot()
    yield
    assert host.left_over(before) == []


@pytest.fixture(scope="session")
def faults(tmp_path_factory: Any) -> str:
    """What stands between a program and libc."""
    return faulting.compiled(str(tmp_path_factory.mktemp("faulting")))
