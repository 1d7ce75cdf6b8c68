"""Whether the kernel skipped programs of ours while a test ran.

It skips a program that would interrupt itself, and calls none for a few segments besides (docs/accuracy.md). Then
an event is not there, and the tracer counts that. Neither what was lost otherwise nor a rest in the ledger counts
here: these are what tests are about.
"""
from typing import Any


class Skipped:
    def __init__(self) -> None:
        self.seen = False

    def note_stats(self, stats: Any) -> None:
        self.seen |= stats.missed > 0 or stats.skipped_segs > 0


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
