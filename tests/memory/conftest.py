"""Fixtures of the tests of what the C library does with memory, descriptors and what the kernel holds."""
import pytest


@pytest.fixture(autouse=True)
def each_leaves_nothing_behind(nothing_left_behind: None) -> None:
    """Every test here, whether it asks for that or not."""
