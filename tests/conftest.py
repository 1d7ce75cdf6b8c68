"""What all tests share: where the package and its library are, and what the last lines say."""
import importlib.util
import os
import signal
import sys
from typing import Any, Iterator, List

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from lab import host, rights, skipped, summary, tried  # noqa: E402  (needs the path above)
from lab.again import pytest_runtest_protocol  # noqa: E402, F401  (a hook)
from lab.link import Lab  # noqa: E402


def pytest_configure(config: Any) -> None:
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        # As in `make test &`. Children would inherit that, and Ctrl-C is part of what we test.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
        # As under nohup, which is to hold for us; children get the default of what we handle.
        signal.signal(signal.SIGHUP, lambda number, frame: None)
    config.addinivalue_line("markers", "full: long; runs only with RETRANS_TEST_FULL=1 (make test FULL=1)")
    config.addinivalue_line("markers", "truth: compares with ground truth, and prints how it agrees; "
                                       "RETRANS_TEST_TRUTH=1 (make truth) takes many more events")
    config.addinivalue_line("markers", "reliability: tries to break it, and counts how often; "
                                       "RETRANS_TEST_RELIABILITY=1 (make faults) tries more often")
    config.addinivalue_line("markers", "fuzz: random input, for RETRANS_TEST_FUZZ_SECONDS each (make fuzz)")
    if importlib.util.find_spec("retrans_ctypes") is None:
        raise pytest.UsageError("Python does not find retrans_ctypes: PYTHONPATH must name the src "
                                "folder; `make -C native test` sets this and all else up.")
    skipped.watch_tracers()


def pytest_collection_modifyitems(items: List[Any]) -> None:
    if rights.FULL:
        return
    for item in items:
        if item.get_closest_marker("full"):
            item.add_marker(pytest.mark.skip(reason="long; RETRANS_TEST_FULL=1 runs it"))
    if any(item.path.name == "test_matrix.py" for item in items):
        summary.warn("WITHOUT THE KERNEL MATRIX: only Linux {} was tested; `make -C native test FULL=1` or "
                     "`make -C native vmtest` tests others".format(os.uname().release))


def pytest_report_header() -> str:
    return "library: " + (rights.library_missing() or rights.LIBRARY)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    for line in summary.said:
        terminalreporter.write_line(line)
    for section, what, times, result in tried.rows():
        terminalreporter.write_line("tried: {}: {} | {:,} | {}".format(section, what, times, result))
    for line in summary.warned:
        terminalreporter.write_sep("!", line, red=True, bold=True)


def pytest_sessionfinish() -> None:
    path = os.environ.get("RETRANS_TRIED")
    if path and tried.rows():
        tried.save(path)


@pytest.fixture(scope="session")
def kernel_rights() -> None:
    """Everything the kernel tests need is here; where it is not, they fail and say what is missing."""
    if rights.NO_BPF:
        summary.warn("RETRANS_TEST_NO_BPF=1: NOTHING WAS CHECKED AGAINST THE REAL KERNEL")
        pytest.skip("RETRANS_TEST_NO_BPF=1")
    problem = rights.library_missing() or rights.missing()
    if problem:
        pytest.fail(problem, pytrace=False)


@pytest.fixture
def nothing_left_behind(kernel_rights: None) -> Iterator[None]:
    """The test leaves programs, links, devices, namespaces, mounts and processes as they were."""
    before = host.snapshot()
    yield
    assert host.left_over(before) == []


@pytest.fixture
def lab(kernel_rights: None) -> Iterator[Lab]:
    """Two private namespaces with a link between them."""
    with Lab() as made:
        yield made
