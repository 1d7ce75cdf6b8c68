"""Fixtures of the tests that trace real retransmits."""
from typing import Any, Iterator

import pytest

from lab import host
from lab.seen import Seen


@pytest.fixture(autouse=True)
def nothing_left_behind(kernel_rights: None) -> Iterator[None]:
    """Each test leaves programs, links, devices, namespaces, mounts and processes as they were."""
    before = host.snapshot()
    yield
    assert host.left_over(before) == []


@pytest.fixture
def tracer(nothing_left_behind: None) -> Iterator[Any]:
    from retrans_ctypes import Tracer

    with Tracer() as opened:
        yield opened


@pytest.fixture
def seen(tracer: Any) -> Seen:
    return Seen(tracer)
