"""Whether the kernel skipped programs of ours while a test ran.

It skips a program that would interrupt itself, and some kernels run none while certain threads have the processor
(docs/accuracy.md). Then an event is not there; the tracer counts that, or its ledger has a rest. Of a command, its
last line is known.
"""
import re
from typing import Any, Iterable

_LAST_LINE = re.compile(r"in segments: seen [0-9]+, (?:lost [1-9]|.* unexplained [1-9])")


class Skipped:
    def __init__(self) -> None:
        self.seen = False

    def note_stats(self, stats: Any) -> None:
        self.seen |= stats.missed > 0 or stats.skipped_segs > 0

    def note_ledger(self, ledger: Any) -> None:
        """Where no event of the socket comes any more, nobody has noticed."""
        self.seen |= any((row.unexplained or 0) > 0 for row in ledger.rows)

    def note_lines(self, lines: Iterable[str]) -> None:
        """Of stderr of a command."""
        self.seen |= any(_LAST_LINE.match(line) for line in lines)


since_test_began = Skipped()


def watch_tracers() -> None:
    """Each tells, when it is closed, what was skipped."""
    from retrans_ctypes import RetransError, Tracer

    free, ledger = Tracer._free, Tracer.ledger

    def tell_and_free(self: Any) -> None:
        if self._native is not None:
            try:
                since_test_began.note_stats(self._native.stats())
            except RetransError:
                pass  # it is its parent's
        free(self)

    def weigh_and_tell(self: Any) -> Any:
        weighed = ledger(self)
        since_test_began.note_ledger(weighed)
        return weighed
    setattr(Tracer, "_free", tell_and_free)
    setattr(Tracer, "ledger", weigh_and_tell)
