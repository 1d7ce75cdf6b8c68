"""All of these try to break it, and count how often: docs/security.md names each of them."""
from typing import Any, Iterator, List

import pytest
from lab import host


def pytest_collection_modifyitems(items: List[Any]) -> None:
    for item in items:
        if "/security/" in str(item.fspath):
            item.add_marker(pytest.mark.reliability)


@pytest.fixture
def nothing_left_behind(kernel_rights: None) -> Iterator[None]:
    """Programs, links, devices, namespaces, mounts and processes are as they were."""
    before = host.snapshot()
    yield
    assert host.left_over(before) == []
