"""Tests that failed while the kernel skipped programs of ours are run once more (skipped.py).

A test that waits for an event, or counts them, cannot do without one. No other failure is given a second run,
and no more than a few are. The end of the run names them, and what they had failed with.
"""
from typing import Any, List, Optional

import pytest
from _pytest.runner import runtestprotocol

from . import summary
from .skipped import since_test_began

MOST = 6  # a program of ours that loses events would cost far more tests than chance does

_given: List[str] = []


def _has_failed(reports: List[Any]) -> bool:
    return any(report.failed for report in reports)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: Any, nextitem: Any) -> Optional[bool]:
    if "kernel_rights" not in getattr(item, "fixturenames", ()):
        return None
    since_test_began.seen = False
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reports = runtestprotocol(item, nextitem=nextitem, log=False)
    if _has_failed(reports) and since_test_began.seen and len(_given) < MOST:
        _given.append(item.nodeid)
        summary.warn("{} ran again, since the kernel had skipped programs of ours; it had failed with: {}".format(
            item.nodeid, next(report for report in reports if report.failed).longreprtext.strip()))
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True
