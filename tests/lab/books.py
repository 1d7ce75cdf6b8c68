"""What a tracer's ledger says about the two sides of a Lab."""
import os
import subprocess
from contextlib import contextmanager
from typing import Any, Iterator, List

from .link import Lab
from .seen import segments


@contextmanager
def inhabited(lab: Lab) -> Iterator[None]:
    """A process in each namespace: without one, only this test could read its counters."""
    sleepers = [subprocess.Popen(namespace.argv(["sleep", "600"])) for namespace in (lab.client, lab.server)]
    try:
        wait_for_entry(sleepers, lab)
        yield
    finally:
        for sleeper in sleepers:
            sleeper.kill()
            sleeper.wait()


def wait_for_entry(sleepers: List[Any], lab: Lab) -> None:
    for sleeper, namespace in zip(sleepers, (lab.client, lab.server)):
        while os.stat("/proc/{}/ns/net".format(sleeper.pid)).st_ino != namespace.inode:
            assert sleeper.poll() is None


def ended(tracer: Any) -> List[Any]:
    """Stop it; all events it still had."""
    tracer.stop()
    events = []
    while not tracer.ended:
        events += tracer.poll()
    return events


def row_of(ledger: Any, namespace: Any) -> Any:
    rows = [row for row in ledger.rows if row.netns == namespace.inode]
    assert len(rows) <= 1
    return rows[0] if rows else None


def balances(row: Any) -> bool:
    """After a load: a segment whose last event the kernel called nobody for may stay unexplained (docs/accuracy.md)."""
    return row.uncertainty == 0 and abs(row.unexplained) <= 1


def check_row(row: Any, kernel: int, mine: List[Any], missed: int) -> None:
    """The books of one side of a link against what the kernel counted and what was traced there.

    ``missed``: calls of our programs that the kernel skipped. The socket's next event tells what was in
    them; where none came after, it stays unexplained."""
    if row is None:
        assert kernel == 0 and not mine
        return
    assert row.kernel == kernel
    assert row.uncertainty == 0
    assert row.delivered == segments(mine)
    assert row.kernel == row.accounted + row.unexplained
    # not each skip is one that the kernel counts: those that were noticed are lost
    assert abs(row.unexplained) <= (max(1, 0.005 * kernel) if missed or row.lost else 1), (row, missed)
