"""Fixtures of the tests that trace real retransmits."""
from typing import Any, Iterator

import pytest

from lab.seen import Seen


@pytest.fixture(autouse=True)
def each_leaves_nothing_behind(nothing_left_behind: None) -> None:
    """Every test here, whether it asks for that or not."""


@pytest.fixture
def tracer(nothing_left_behind: None) -> Iterator[Any]:
    from retrans_ctypes import Tracer

    with Tracer() as opened:
        yield opened


@pytest.fixture
def seen(tracer: Any) -> Seen:
    return Seen(tracer)
