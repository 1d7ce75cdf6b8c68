"""Events whose bytes nobody made sense of: a library of another release, or one that means harm."""
import json
import os
import struct
import zlib
from typing import Any, Callable, Iterator, List, Sequence

import judging
from fake_library import FakeLibrary, packed
from made_up_recording import names
from retrans_ctypes import Tracer
from retrans_ctypes.clock import ISO, LOCAL, WallClock
from retrans_ctypes.errors import RecordingError
from retrans_ctypes.event import Event
from retrans_ctypes.filter_match import RecordedFilter
from retrans_ctypes.ndjson import NdjsonWriter, PlainNdjsonWriter
from retrans_ctypes.recording import Session, open_recording
from retrans_ctypes.recording.database import DatabaseWriter
from retrans_ctypes.recording.rows import Rows
from retrans_ctypes.sinks.columns import COLUMNS, columns
from retrans_ctypes.sinks.count import NdjsonFlowCounts, TextFlowCounts
from retrans_ctypes.sinks.output import Output
from retrans_ctypes.sinks.prometheus import PrometheusSink
from retrans_ctypes.sinks.prometheus.tally import Tally, labels_by
from retrans_ctypes.sinks.text import TextSink
from retrans_ctypes.workload import UNKNOWN
from where import scratch

MOST = 3 * Event.LAYOUT.size + 16
WORDS = (b"\x1b[2J", b"\xff" * 8, b"\x00\x00\x00\x00\x00\x00\x00\x80", b"\n", b"\xe2\x80\xae")
SIZE = Event.LAYOUT.size
_HEAD = struct.Struct("<q")

_folder = scratch()
_native, _plain = NdjsonWriter(), PlainNdjsonWriter()


def seeds() -> Iterator[bytes]:
    good = packed(ts_ns=10**9, saddr=bytes([10, 0, 0, 1]), daddr=bytes([10, 0, 0, 2]), sport=80, dport=443, reason=1,
                  owner_comm=b"nginx", ca_name=b"cubic")
    for offset in (0, 1700000000 * 10**9, -1, (1 << 63) - 1, -1 << 63):
        yield _HEAD.pack(offset) + good
        yield _HEAD.pack(offset) + b"\xff" * SIZE
        yield _HEAD.pack(offset) + bytes(SIZE) + good[:-1]
    yield _HEAD.pack(0) + good * 2 + b"odd"


class _Names:
    """In place of Lookups."""

    @staticmethod
    def workload(event: Event) -> Any:
        return UNKNOWN if event.sport % 2 else names(unit="\x1b[2J", cmdline="a\nb", netns_name="<b>")


def one_input(data: bytes) -> None:
    parts = (_traced, _shown, _written, _kept)
    _judge(data, parts[zlib.crc32(data) % len(parts):][:1])


def every_way(data: bytes) -> None:
    _judge(data, (_traced, _shown, _written, _kept))


def _judge(data: bytes, parts: Sequence[Callable[[List[Event], bytes, int], None]]) -> None:
    (offset,), batch = _HEAD.unpack(data[:8].ljust(8, b"\0")), data[8:]
    if len(batch) % SIZE:
        _refused(batch)
        batch = batch[:len(batch) // SIZE * SIZE]
    events = Event.read(batch)
    for event in events:
        _fields(event)
    for part in parts:
        part(events, batch, offset)


def _refused(batch: bytes) -> None:
    """What is no whole event is none."""
    for reading in (Event.read, _plain_lines):
        try:
            reading(batch)
        except ValueError as error:
            assert len(str(error)) > 20
        else:
            raise AssertionError("%d bytes were taken" % len(batch))


def _plain_lines(batch: bytes, offset: int = 0) -> List[Any]:
    return [json.loads(line) for piece in _plain.lines(batch, offset) for line in bytes(piece).splitlines()]


def _fields(event: Event) -> None:
    fields = event.to_dict()
    judging.fields(fields)
    repr(event), event.local, event.remote, event.failed, event < event, hash(event)
    RecordedFilter(ports=80, remote="10.0.0.0/8", reason="rto", state="close", min_stall_ms=1, uid=0).matcher()(event, UNKNOWN)
    try:
        again = Event.from_dict(fields)
    except ValueError as error:  # its numbers are no event's: an IP version, or fields known by halves
        assert len(str(error)) > 10
    else:
        assert again.to_dict() == fields


def _traced(events: List[Event], batch: bytes, offset: int) -> None:
    """As they come from a library."""
    library = FakeLibrary()
    with Tracer(_native_library=library) as tracer:
        library.native.push(*[bytes(event) for event in events])
        found = tracer.poll(0) if events else []
    assert found == events


def _shown(events: List[Event], batch: bytes, offset: int) -> None:
    """All text sinks."""
    with judging.gathered() as out:
        for style in (LOCAL, ISO):
            clock, output = WallClock(style, offset), Output()
            sinks = (TextSink(output, columns(COLUMNS, True, True, style), clock, _Names), TextFlowCounts(output))
            for sink in sinks:
                sink.start()
                sink.write_packed(batch)
                sink.finish()
            output.flush()
    judging.harmless(out.decode())
    with judging.gathered() as out:
        counts = NdjsonFlowCounts(Output())
        counts.write_packed(batch)
        counts.finish()
    judging.json_lines(bytes(out))
    with judging.gathered() as out:
        sink = PrometheusSink(Tally(labels_by("prefix"), _Names()), Output())
        sink.write_packed(batch)
        sink.finish()
    judging.metrics(out.decode())


def _written(events: List[Event], batch: bytes, offset: int) -> None:
    """Python's own lines and those of the library are the same, and events come back from them."""
    mine = _plain_lines(batch, offset)
    theirs = [line for piece in _native.lines(batch, offset) for line in judging.json_lines(bytes(piece))]
    assert mine == theirs, (mine, theirs)
    assert [{name: line[name] for name in event.to_dict()} for event, line in zip(events, mine)] == [
        event.to_dict() for event in events]


def _kept(events: List[Event], batch: bytes, offset: int) -> None:
    """What a recording takes comes out of it again."""
    rows = Rows(1, lambda event: UNKNOWN, lambda workload: 1).of(batch, offset)
    assert len(rows) == len(events)
    path = os.path.join(_folder, "retrans.db")
    writer = DatabaseWriter(path, _session(), lambda event: UNKNOWN)
    try:
        writer.write(batch, offset)
        writer.end({}, None)
    except RecordingError as error:  # a time that no database holds
        assert len(str(error)) > 30
    else:
        with open_recording(path) as recording:
            assert b"".join(run.packed for run in recording.runs()) == batch
    finally:
        writer.close()
        os.unlink(path)


def _session() -> Session:
    return Session(0, None, None, None, None, None, None, (), None, 1, None, None, None)


def done() -> None:
    os.rmdir(_folder)
