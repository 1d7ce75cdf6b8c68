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


class Ending:
    """What is told of ``tracer`` when it ends. The kernel's counters are read once."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._ledger: Optional[Ledger] = None

    def account(self, limits: bool = True) -> Dict[str, Any]:
        """Detach, and tell what was seen and what became of the rest; returns the ledger, ready for JSON.

        ``limits``: what counts() has is what the rate limit kept back."""
        end(self._tracer)
        stats, able = self._tracer.stats(), self._tracer.capabilities
        if limits and stats.limited:
            tell(storms(self._tracer.counts()))
        tell(summary(stats, able.ledger))
        ledger = self._read()
        if ledger is None:
            why = able.why("ledger")
            tell("no ledger: " + why)
            return {"type": "ledger", "total": None, "namespaces": [], "why": why}
        tell(ledger.sentence())
        return ledger.to_dict()

    def last_line(self) -> str:
        """What cannot be had is told to be so."""
        try:
            end(self._tracer)
            stats = self._tracer.stats()
        except Exception as error:
            return "seen, lost, limited and unexplained are not known (%s); start again" % _named(error)
        try:
            return last_line(stats, self._read())
        except Exception as error:
            return "%s; no kernel counter could be read (%s)" % (_in_segments(stats, "?"), _named(error))

    def _read(self) -> Optional[Ledger]:
        """None where this way of attaching has none. Raises what Tracer.ledger() does."""
        if self._ledger is None and self._tracer.capabilities.ledger:
            self._ledger = self._tracer.ledger()
        return self._ledger


@contextmanager
def honest_end(tracer: Tracer, signals: StopSignals) -> Iterator[Ending]:
    """Around all that is done with ``tracer``. Errors end here, told before the last line: they become
    SystemExit, with their exit code."""
    ending = Ending(tracer)
    try:
        yield ending
    except (RetransError, OSError, MemoryError) as error:
        raise SystemExit(tell_error(error))
    except Exception:
        for line in traceback.format_exc().splitlines():
            tell(line)
        raise SystemExit(1)
    finally:
        with signals.not_now():
            tell(ending.last_line())


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


def _named(error: Exception) -> str:
    return "%s: %s" % (type(error).__name__, error) if str(error) else type(error).__name__
