"""Whether the kernel skipped programs of ours while a test ran.

It skips a program that would interrupt itself, and calls none for a few segments besides (docs/accuracy.md). Then
an event is not there, and the tracer counts that; a command tells it at its end. Neither what was lost otherwise nor a
rest in the ledger counts here: these are what tests are about.
"""
import re
from typing import Any, Iterable

_TOLD = re.compile(r"[0-9]+ events, .*\b[1-9][0-9]* (?:segments skipped by the kernel|missed)\b")


class Skipped:
    def __init__(self) -> None:
        self.seen = False

    def note_stats(self, stats: Any) -> None:
        self.seen |= stats.missed > 0 or stats.skipped_segs > 0

    def note_lines(self, lines: Iterable[str]) -> None:
        """Of a command's stderr."""
        self.seen |= any(_TOLD.match(line) for line in lines)


since_test_began = Skipped()


def watch_tracers() -> None:
    """Each tells, when it is closed, what was skipped."""
    from retrans_ctypes import RetransError, Tracer

    free = Tracer._free

    def tell_and_free(self: Any) -> None:
        if self._native is not None:
            try:
                since_test_began.note_stats(self._native.stats())
            except RetransError:
                pass  # it is its parent's
        free(self)
    setattr(Tracer, "_free", tell_and_free)
