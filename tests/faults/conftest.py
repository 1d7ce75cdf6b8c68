"""Fixtures of the tests that let calls fail."""
from typing import Any

import pytest

from lab import faulting


@pytest.fixture(autouse=True)
def each_leaves_nothing_behind(nothing_left_behind: None) -> None:
    """Every test here, whether it asks for that or not."""


@pytest.fixture(scope="session")
def faults(tmp_path_factory: Any) -> str:
    """What stands between a program and libc."""
    return faulting.compiled(str(tmp_path_factory.mktemp("faulting")))
