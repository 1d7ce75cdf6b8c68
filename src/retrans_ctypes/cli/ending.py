"""How a command that traces ends: whatever ends it, its last line tells what became of everything."""

import errno
import traceback
from contextlib import contextmanager
from typing import Any, Dict, Iterator, Optional, Union

from ..counts import Counts
from ..errors import RetransError
from ..ledger import Ledger
from ..sinks.counts import amount, remainder
from ..stats import Stats
from ..tracer import Tracer
from .follow import summary, tell
from .signals import StopSignals

_LIMITS = {
    errno.EMFILE: "see how many files a process may have open here (ulimit -n)",
    errno.ENFILE: "all processes together have as many files open as fs.file-max allows",
    errno.ENOMEM: "see what limits memory here (ulimit -v, the cgroup), or ask for less (--ring-size)",
}


@contextmanager
def honest_end(tracer: Tracer, signals: StopSignals) -> Iterator[None]:
    """Around all that is done with ``tracer``. Errors end here, told before the last line: they become
    SystemExit, with their exit code."""
    try:
        yield
    except (RetransError, OSError, MemoryError) as error:
        raise SystemExit(tell_error(error))
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


def tell_error(error: Union[RetransError, OSError, MemoryError]) -> int:
    """In a sentence; returns the exit code."""
    told = error if isinstance(error, RetransError) else of_the_system(error)
    tell("retrans_ctypes: %s" % told)
    return told.exit_code


def of_the_system(error: Union[OSError, MemoryError]) -> RetransError:
    """What the system refused where nobody could go on without it."""
    if isinstance(error, MemoryError):
        return RetransError("there is not enough memory for that: see what limits it here (ulimit -v, the cgroup),"
                            " or ask for less (--ring-size)", errno.ENOMEM)
    what = "%s: %s" % (error.filename, error.strerror) if error.filename else str(error)
    return RetransError("the system refused what this needs (%s): %s" % (
        what, _LIMITS.get(error.errno or 0, "its log, as dmesg shows it, may say why")), error.errno)


def last_line(stats: Stats, ledger: Optional[Ledger]) -> str:
    """What was seen, and what was not. ``ledger``: None where this way of attaching has none."""
    if ledger is None:
        return "in events: seen %d, lost %d, limited %d; unexplained is not known: no ledger" % (
            stats.events, stats.lost, stats.limited)
    closed = len(ledger.unreadable)
    nothing_read = closed and closed == len(ledger.rows)
    line = _in_segments(stats, "?" if nothing_read else ledger.total.unexplained)
    return line + ("; %d netns unreadable" % closed if closed else "")


def _in_segments(stats: Stats, unexplained: object) -> str:
    return "in segments: seen %d, lost %d, limited %d, unexplained %s" % (
        stats.segs, stats.lost_segs + stats.skipped_segs, stats.limited_segs, unexplained)


def end(tracer: Tracer) -> None:
    """Detach, so that what is told of it agrees; events that nobody can take any more are dropped."""
    tracer.stop()
    while not tracer.ended:
        tracer.poll_batch(0)  # as little memory as can be: there may be none left


def _last_of(tracer: Tracer) -> str:
    """What cannot be had is told to be so."""
    try:
        end(tracer)
        stats = tracer.stats()
    except Exception as error:
        return "seen, lost, limited and unexplained are not known (%s); start again" % _named(error)
    try:
        return last_line(stats, tracer.ledger() if tracer.capabilities.ledger else None)
    except Exception as error:
        return "%s; no kernel counter could be read (%s)" % (_in_segments(stats, "?"), _named(error))


def _named(error: Exception) -> str:
    return "%s: %s" % (type(error).__name__, error) if str(error) else type(error).__name__
