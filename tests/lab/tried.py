"""What was tried to break it, how often, and what came of it: the rows of docs/reliability.md.

A test counts here once a trial has been judged, so that no number is written by hand. A trial that failed
is a failed test, and counts as nothing.
"""
import json
import os
from collections import Counter
from typing import Any, List, NamedTuple

from .rights import FULL

AT_LENGTH = os.environ.get("RETRANS_TEST_RELIABILITY") == "1"
"""`make fuzz`, `make faults`: as often and as long as docs/reliability.md says, not as often as each test run can bear."""
FUZZ_SECONDS = float(os.environ.get("RETRANS_TEST_FUZZ_SECONDS", "20" if FULL else "2"))
"""CPU time for each fuzzer."""

# Before the command of a libFuzzer: what it takes for its own peak of memory begins with that of who started it.
OF_ITS_OWN = ["sh", "-c", '"$@"; exit $?', "sh"]

SECTIONS = ("memory", "bad input", "faults", "security", "last line")


class Row(NamedTuple):
    section: str
    what: str
    result: str


_counted = Counter()  # type: Counter[Row]


def count(section: str, what: str, result: str, times: int = 1) -> None:
    """``times`` more trials of ``what``, each of which ended as ``result`` says."""
    assert section in SECTIONS and times > 0
    _counted[Row(section, what, result)] += times


def rows() -> List[Any]:
    """Of (section, what, times, result), by section, in the order in which they were first counted."""
    return [(row.section, row.what, times, row.result)
            for section in SECTIONS for row, times in _counted.items() if row.section == section]


def save(path: str) -> None:
    with open(path, "w") as file:
        json.dump(rows(), file, indent=1)
