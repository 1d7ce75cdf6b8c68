"""Which tests get a second run: those that failed while the kernel skipped programs of ours, and no other."""
import os
import subprocess
import sys
from typing import Any

import pytest
from lab.skipped import Skipped
from retrans_ctypes.cli.follow import summary
from retrans_ctypes.stats import Stats

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NOTHING = Stats(*[0] * len(Stats._fields))
TEST = """
import pytest
from lab import summary
from lab.skipped import since_test_began
runs = []

@pytest.fixture
def kernel_rights():
    pass

@pytest.fixture
def other():
    pass

def test_it({fixture}):
    runs.append(1)
    since_test_began.seen = {seen}
    assert len(runs) > {good_after}

def teardown_module():
    assert len(runs) == {runs}
    assert ["assert 1 > " in line for line in summary.warned] == [True] * ({runs} - 1)
"""


@pytest.mark.parametrize("fixture, seen, good_after, code, runs", [
    ("kernel_rights", True, 1, 0, 2),
    ("kernel_rights", True, 2, 1, 2),   # it gets no third one
    ("kernel_rights", False, 1, 1, 1),  # nothing was skipped
    ("kernel_rights", True, 0, 0, 1),   # it did not fail
    ("other", True, 1, 1, 1),           # it has nothing to do with the kernel
])
def test_a_second_run(tmp_path: Any, fixture: str, seen: bool, good_after: int, code: int, runs: int) -> None:
    (tmp_path / "test_it.py").write_text(TEST.format(fixture=fixture, seen=seen, good_after=good_after, runs=runs))
    path = os.pathsep.join([HERE, os.path.join(os.path.dirname(HERE), "src")])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "lab.again", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=str(tmp_path), env=dict(os.environ, PYTHONPATH=path), stdout=subprocess.PIPE, universal_newlines=True)
    assert done.returncode == code, done.stdout
    assert "ERROR" not in done.stdout


def test_what_tells_of_it() -> None:
    for stats, seen in [(NOTHING, False), (NOTHING._replace(lost=3, lost_segs=3), False), (NOTHING._replace(missed=1), True), (NOTHING._replace(skipped_segs=2), True)]:
        skipped = Skipped()
        skipped.note_stats(stats)
        assert skipped.seen == seen
        skipped = Skipped()
        skipped.note_lines(["Tracing", summary(stats), "in segments: seen 5, lost 2, limited 0, unexplained 3"])
        assert skipped.seen == seen
