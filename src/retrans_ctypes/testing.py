"""For other people's tests: a block of code during which nothing may be retransmitted.

    from retrans_ctypes.testing import assert_no_retransmits

    def test_the_service_answers():
        with assert_no_retransmits(port=8080):
            assert ask("http://127.0.0.1:8080/") == "fine"

Needs what a Tracer needs: root, or CAP_BPF and CAP_PERFMON.
"""

import time
from contextlib import contextmanager
from typing import Iterator, List, Optional, Sequence

from .errors import UsageError
from .event import Event
from .filters import Filter, Numbers, Ports
from .ledger import LedgerRow
from .sinks.printable import printable
from .tracer import Tracer

SHOWN = 20  # events of which each has a line


@contextmanager
def assert_no_retransmits(
    port: Optional[Ports] = None, *, netns: Optional[Numbers] = None, filter: Optional[Filter] = None,
    settle: float = 0.25,
) -> Iterator[None]:
    """Fails where a segment was sent again while the block ran. What the block raises comes out as it is.

    ``port``: of either end; ``netns``: the network namespace (as in Filter), ``filter``: any other
    conditions, in place of these two. Without any, the whole host counts. ``settle``: seconds for
    which it goes on looking when the block has ended.

    Raises AssertionError, with the events. It also does where there is none, but where one may have been:
    segments are missing from the books of these namespaces, a namespace that ``netns`` names cannot be
    read, or there is no ledger here at all. Raises what Tracer and Filter do, before the block.
    """
    if filter is not None and (port is not None or netns is not None):
        raise UsageError("filter takes the place of port and netns: put them into it, as Filter(ports=..., netns=...)")
    conditions = filter or Filter(ports=port, netns=netns)
    with Tracer(filter=conditions) as tracer:
        yield
        time.sleep(settle)
        tracer.stop()
        events = [event for event in tracer if not event.failed]
        doubts = _doubts(tracer, conditions, bool(events))
    if events:
        raise AssertionError("\n".join(_told(events) + _uncertain("there may have been more", doubts)))
    if doubts:
        raise AssertionError("\n".join(
            _uncertain("no retransmit was seen, but there may have been one", doubts)))


def _told(events: Sequence[Event]) -> List[str]:
    segs = sum(event.segs or 1 for event in events)
    lines = ["%d segments were sent again:" % segs if segs > 1 else "a segment was sent again:"]
    lines += [_line(event) for event in events[:SHOWN]]
    if len(events) > SHOWN:
        lines.append("  ... and %d more events" % (len(events) - SHOWN))
    return lines


def _line(event: Event) -> str:
    parts = ["%s -> %s" % (event.local, event.remote), event.state, event.reason or "reason unknown"]
    if event.segs is not None and event.segs != 1:
        parts.append("%d segments" % event.segs)
    if event.stall_us is not None:
        parts.append("waited %.3f ms" % (event.stall_us / 1000))
    if event.owner_pid is not None:
        parts.append("%s (pid %d)" % (event.owner_comm, event.owner_pid))
    return "  " + printable(", ".join(parts))


def _uncertain(what: str, doubts: Sequence[str]) -> List[str]:
    return ["this is not certain, %s: %s" % (what, "; ".join(doubts))] if doubts else []


def _doubts(tracer: Tracer, conditions: Filter, all_of_them: bool) -> List[str]:
    """Why something may be missing, in the network namespaces that count. ``all_of_them``: also where nothing
    but the proof is missing that nothing is."""
    if not tracer.capabilities.ledger:
        return ["there is no ledger here, since " + tracer.capabilities.why("ledger")]
    rows = [row for row in tracer.ledger().rows if not conditions.netns or row.netns in conditions.netns]
    return ["network namespace %s: %s" % (row.netns, row.sentence()) for row in rows
            if _missing(row) or all_of_them and not row.exact or row.kernel is None and conditions.netns]


def _missing(row: LedgerRow) -> bool:
    return bool(row.lost or row.limited or row.unexplained)
