"""Events as NDJSON, written by the native library: one object a line, as docs/fields.md has it.

    from retrans_ctypes import Tracer
    from retrans_ctypes.clock import WallClock
    from retrans_ctypes.ndjson import NdjsonWriter

    with Tracer() as tracer:
        writer, clock = NdjsonWriter(), WallClock()
        for batch in tracer.batches():
            for lines in writer.lines(batch, clock.offset_ns):
                file.write(lines)
"""

import json
from typing import Any, Callable, Dict, Iterator, Optional, Union

from . import _library
from .clock import WallClock, host_monotonic_ns
from .errors import LibraryError
from .event import Event
from .records import Buffer

ROOM = 256 * 1024  # bytes of lines that are handed out at once
FEW = 16  # events, of which each can have its names looked up anew
GOOD_FOR_NS = 1000000000


def encode(record: Dict[str, Any]) -> str:
    """An object in one line, plain ASCII: other characters are escaped."""
    return json.dumps(record, separators=(",", ":"))


class NdjsonWriter:
    """Makes lines of packed events. Needs no tracer. For one thread at a time.

    ``names``: gives for an event what shall stand behind its own fields. It is asked once for all
    events of a cgroup, namespace, user and owner, and again for later batches; where these are large,
    after a second only. ``failed``: write lines for attempts that failed, too.

    Raises LibraryError.
    """

    def __init__(
        self, names: Optional[Callable[[Event], Dict[str, Any]]] = None, failed: bool = True,
    ) -> None:
        self._names = names
        self._native = _library.load().ndjson(ROOM, failed, labels=names is not None)

    def lines(
        self, batch: Buffer, wall_offset_ns: int, same: Optional[Dict[str, Any]] = None,
    ) -> Iterator[memoryview]:
        """Whole lines for the packed events of ``batch``; each piece is valid until the next one.

        ``wall_offset_ns`` is what the wall clock is ahead of CLOCK_MONOTONIC (WallClock.offset_ns).
        ``same``: names that all of them have, in place of ``names``.
        """
        if same is None:
            yield from self._pieces(batch, wall_offset_ns)
            return
        end = _end(same)
        for piece in self._pieces(batch, wall_offset_ns):
            yield memoryview(bytes(piece).replace(b"}\n", end))  # which is nowhere but at the end of a line

    def _pieces(self, batch: Buffer, wall_offset_ns: int) -> Iterator[memoryview]:
        size = Event.LAYOUT.size
        count, done = len(batch) // size, 0
        good_for_ns = 0 if count <= FEW else GOOD_FOR_NS
        while done < count:
            done += self._native.write(batch, done, wall_offset_ns)
            if self._native.wants_label:
                self._label(Event(batch[done * size:(done + 1) * size]), good_for_ns)
                continue
            lines = self._native.take()
            if lines:
                yield lines

    def _label(self, event: Event, good_for_ns: int) -> None:
        assert self._names is not None
        now_ns = host_monotonic_ns()
        members = encode(self._names(event))[1:-1].encode("ascii")
        self._native.label(event, members, now_ns + good_for_ns)


class PlainNdjsonWriter:
    """The same lines, written by Python alone: far slower, and for machines where the library is not."""

    def __init__(self, failed: bool = True) -> None:
        self._failed = failed

    def lines(
        self, batch: Buffer, wall_offset_ns: int, same: Optional[Dict[str, Any]] = None,
    ) -> Iterator[memoryview]:
        """As NdjsonWriter.lines()."""
        clock, end, lines = WallClock(offset_ns=wall_offset_ns), _end(same or {}), []
        for event in Event.read(batch):
            if self._failed or not event.failed:
                record: Dict[str, Any] = {"type": "event", "time": clock.iso(event.ts_ns)}
                record.update(event.to_dict())
                lines.append(encode(record)[:-1].encode("ascii"))
        if lines:
            yield memoryview(end.join(lines + [b""]))


def replay_writer(failed: bool = True) -> Union[NdjsonWriter, PlainNdjsonWriter]:
    """A writer for events that have their names already: the library's where there is one that fits."""
    try:
        return NdjsonWriter(failed=failed)
    except LibraryError:
        return PlainNdjsonWriter(failed)


def _end(names: Dict[str, Any]) -> bytes:
    """What ends the line of an event with these names."""
    members = encode(names)[1:-1].encode("ascii")
    return (b"," + members if members else b"") + b"}\n"
