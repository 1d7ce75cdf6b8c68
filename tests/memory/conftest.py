"""Fixtures of the tests of what the C library does with memory, descriptors and what the kernel holds."""
from typing import Iterator

import pytest

from lab import host


@pytest.fixture(autouse=True)
def nothing_left_behind(kernel_rights: None) -> Iterator[None]:
    """Each test leaves programs, links, devices, namespaces, mounts and processes as they were."""
    before = host.snapshot()
    yield
    assert host.left_over(before) == []
