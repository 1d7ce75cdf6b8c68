"""All of these try to break it, and count how often: docs/security.md names each of them."""
from typing import Any, List

import pytest


def pytest_collection_modifyitems(items: List[Any]) -> None:
    for item in items:
        if "/security/" in str(item.fspath):
            item.add_marker(pytest.mark.reliability)
