"""The way from a tracer to a sink, shared by the commands."""

import os
import sys
import textwrap
import time
from typing import Callable, Optional, Sequence

from ..event import Event
from ..sinks import Sink
from ..sinks.output import Output
from ..sinks.printable import printable
from ..stats import Stats
from ..tracer import Tracer

_TICK = 0.5  # seconds between looks at the clock and at the output's reader

# Each batch has its price, however small. So after a small one a moment passes before the next look; a
# ring that fills within it would have given a large one.
MOMENT = 0.005
SMALL = 256 * Event.LAYOUT.size


def follow(
    tracer: Tracer, sink: Sink, output: Optional[Output], keep: Optional[Callable[[Event], bool]],
    duration: Optional[float] = None,
) -> None:
    """Write events to ``sink`` until the tracer is stopped or ``duration`` seconds have passed.

    Whoever reads ``output`` may end it by going away. Those that ``keep`` says; without it all, and they
    stay packed for sinks that want them so.
    """
    deadline = None if duration is None else time.monotonic() + duration
    sink.start()
    while not tracer.ended:
        left = _TICK if deadline is None else deadline - time.monotonic()
        if left <= 0:
            tracer.stop()  # poll() still returns what was traced before
        batch = tracer.poll_batch(max(0, min(_TICK, left)))
        if batch and keep is None:
            sink.write_packed(batch)
        elif batch:
            sink.write_all(filter(keep, Event.read(batch)))
        else:
            sink.flush()
        if output is not None:
            output.check_reader()
        if 0 < len(batch) < SMALL:
            time.sleep(MOMENT)
    sink.finish()


def introduce(tracer: Tracer, verbose: bool, kept: Sequence[str]) -> None:
    """What there is to say before the first event. ``kept``: capabilities that could not be dropped."""
    able = tracer.capabilities
    if not verbose:
        if not able.ledger:
            tell("attached by %s: less is known here than elsewhere; -v tells what, and doctor why"
                 % able.attach)
        return
    tell("libtcpretrans %s, %s" % (tracer.library_version(), able.sentence()))
    for note in able.notes:
        tell(note)
    for capability in kept:
        tell("%s is kept: this kernel refuses every bpf() call without it" % capability)
    tell("the %s buffer has %d KiB" % (able.buffer, able.buffer_bytes >> 10))


def summary(stats: Stats, segments: bool = True) -> str:
    """What was seen, and what was not, event by event. ``segments``: whether they are counted."""
    lost = "%d lost" % stats.lost
    if stats.lost and segments:
        lost += " (%d segments): the ring buffer was full" % stats.lost_segs
    parts = ["%d events" % stats.events, "%d failed" % stats.failed, "%d filtered" % stats.filtered,
             lost]
    if segments:
        parts.insert(1, "%d segments" % stats.segs)
    if stats.limited:
        parts.insert(-1, "%d rate-limited" % stats.limited)
    if stats.skipped_segs and segments:
        parts.insert(-1, "%d segments skipped by the kernel" % stats.skipped_segs)
    if stats.missed:
        parts.insert(-1, "%d missed" % stats.missed)
    return ", ".join(parts)


def tell(text: str) -> None:
    """A line on stderr, if there is one. It may quote a file or an option, so it is made safe to show."""
    if sys.stderr is None:  # closed by whoever started us; print() would take stdout instead
        return
    try:
        print(_folded(printable(text)), file=sys.stderr, flush=True)
    except (OSError, ValueError):
        pass


def _folded(text: str) -> str:
    """Between words where a terminal would break them; elsewhere it stays one line."""
    width = os.get_terminal_size(sys.stderr.fileno()).columns if sys.stderr.isatty() else 0
    if len(text) <= width or width < 2:
        return text
    return textwrap.fill(text, width, subsequent_indent="  ", break_on_hyphens=False, break_long_words=False)
