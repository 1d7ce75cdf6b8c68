"""How a command that traces ends: whatever ends it, its last line tells what became of everything."""

import traceback
from contextlib import contextmanager
from typing import Any, Dict, Iterator, Optional

from ..counts import Counts
from ..errors import RetransError
from ..ledger import Ledger
from ..sinks.counts import amount, remainder
from ..stats import Stats
from ..tracer import Tracer
from .follow import summary, tell
from .signals import StopSignals


@contextmanager
def honest_end(tracer: Tracer, signals: StopSignals) -> Iterator[None]:
    """Around all that is done with ``tracer``. Errors end here, told before the last line: they become
    SystemExit, with their exit code."""
    try:
        yield
    except RetransError as error:
        tell_error(error)
        raise SystemExit(error.exit_code)
    except Exception:
        for line in traceback.format_exc().splitlines():
            tell(line)
        raise SystemExit(1)
    finally:
        with signals.not_now():
            tell(_last_of(tracer))


def account_for(tracer: Tracer, limits: bool = True) -> Dict[str, Any]:
    """Detach, and tell what was seen and what became of the rest; returns the ledger, ready for JSON.

    ``limits``: what counts() has is what the rate limit kept back."""
    end(tracer)
    stats = tracer.stats()
    if limits and stats.limited:
        tell(storms(tracer.counts()))
    tell(summary(stats, tracer.capabilities.ledger))
    if not tracer.capabilities.ledger:
        why = tracer.capabilities.why("ledger")
        tell("no ledger: " + why)
        return {"type": "ledger", "total": None, "namespaces": [], "why": why}
    ledger = tracer.ledger()
    tell(ledger.sentence())
    return ledger.to_dict()


def storms(counts: Counts) -> str:
    """Which flows the rate limit kept something back of: the largest three, and what the others come to."""
    shown, others = counts.top(3)
    told = ["%s -> %s %s" % (row.key[0], row.key[1], amount(row.events, row.segs)) for row in shown]
    rest = remainder(counts.by, others, counts.beyond, len(counts.rows))
    return "rate-limited (--rate): " + "; ".join(told + [rest] if rest else told)


def tell_error(error: RetransError) -> None:
    tell("retrans_ctypes: %s" % error)


def last_line(stats: Stats, ledger: Optional[Ledger]) -> str:
    """What was seen, and what was not. ``ledger``: None where this way of attaching has none."""
    if ledger is None:
        return "in events: seen %d, lost %d, limited %d; unexplained is not known: no ledger" % (
            stats.events, stats.lost, stats.limited)
    closed = len(ledger.unreadable)
    nothing_read = closed and closed == len(ledger.rows)
    line = "in segments: seen %d, lost %d, limited %d, unexplained %s" % (
        stats.segs, stats.lost_segs + stats.skipped_segs, stats.limited_segs,
        "?" if nothing_read else ledger.total.unexplained)
    return line + ("; %d netns unreadable" % closed if closed else "")


def end(tracer: Tracer) -> None:
    """Detach, so that what is told of it agrees; events that nobody can take any more are dropped."""
    tracer.stop()
    while not tracer.ended:
        tracer.poll(0)


def _last_of(tracer: Tracer) -> str:
    try:
        end(tracer)
        return last_line(tracer.stats(), tracer.ledger() if tracer.capabilities.ledger else None)
    except Exception as error:  # what it was about to tell is not to be had; that is told then
        return "seen, lost, limited and unexplained are not known (%s: %s); start again" % (
            type(error).__name__, error)
