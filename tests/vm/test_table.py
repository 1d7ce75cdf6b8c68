"""The table says what the trials came to, and FAILED wherever that is not what it must be."""
from typing import Any, List

from . import matrix, table
from .guest.trial import Trial
from .kernels import Kernel
from .test_expected import OFFERS, good

KERNEL = Kernel("5.10.0-46", "5.10.262-1", ())
TRIAL = Trial("tp_btf", "ring", "kernel")


def rows(*documents: Any) -> List[List[str]]:
    """Cells of the table about one kernel."""
    result = matrix.Result(KERNEL, {"offers": OFFERS, "trials": documents}, "it died")
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.kernels_table([result])]


def cell(words: str, *documents: Any) -> str:
    found, = [row[1] for row in rows(*documents) if row[0] == words]
    return found


def test_what_holds() -> None:
    trial = good()
    assert rows(trial)[0] == ["", "5.10.262"]
    assert cell("`tp_btf`, ring buffer", trial) == "yes"
    assert cell("ledger, `tp_btf` (segments)", trial) == "exact (120)"
    assert cell("owners of data, `tp_btf`: right/wrong/unknown", trial) == "50/0/0"
    assert cell("waiting time of data", trial) == "100 %"
    assert cell("failed attempts", trial) == "tp_btf"


def test_what_does_not() -> None:
    trial = good()
    trial["ledger"]["client"]["exact"] = False
    assert cell("`tp_btf`, ring buffer", trial) == "FAILED"
    assert cell("ledger, `tp_btf` (segments)", trial) == "FAILED"


def test_a_guest_that_died_has_failed() -> None:
    assert cell("`tp_btf`, ring buffer") == "FAILED"
    assert cell("ledger, `tp_btf` (segments)") == "-"
    result = matrix.Result(KERNEL, {}, "exit status 125; panic")
    assert result.problems(TRIAL) == ["not run: exit status 125; panic"]
    assert len(result.all_problems()) == len(table.ALL)


def test_a_field_that_is_never_known_is_unknown() -> None:
    trial = good()
    trial["known"]["data"]["stall_us"] = [0, 50]
    assert cell("waiting time of data", trial) == "unknown"
