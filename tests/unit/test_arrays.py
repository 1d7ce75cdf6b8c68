"""Batches, and numpy reading them. numpy is among the test tools: without it these fail."""
import struct
from typing import Any, Dict, List

import numpy
import pytest
from fake_library import FakeLibrary, FakeNative, event, packed
from retrans_ctypes import ClosedError, Event, Tracer, UsageError
from retrans_ctypes.arrays import event_dtype
from retrans_ctypes.event import REASONS


def numbered(*sports: int) -> List[bytes]:
    return [packed(sport=sport) for sport in sports]


def ports(batch: Any) -> List[int]:
    return [made.sport for made in Event.read(batch)]


def test_the_dtype_has_every_field_in_its_place() -> None:
    dtype = event_dtype()
    assert dtype.itemsize == Event.LAYOUT.size
    places = {place.name: place for place in Event.places()}
    assert dtype.fields is not None
    assert list(dtype.fields) == [field.name for field in Event.FIELDS if not field.is_padding]
    for name, (kind, offset, *_) in dtype.fields.items():
        assert (offset, kind.itemsize) == (places[name].offset, places[name].size), name


def test_every_value_comes_through() -> None:
    values: Dict[str, Any] = {}
    for place, field in enumerate(row for row in Event.FIELDS if not row.is_padding):
        size = struct.calcsize("=" + field.code)
        values[field.name] = b"x%d" % place if field.code.endswith("s") else (1 << 8 * size) - 200 + place
    values.update(err=-105, saddr=bytes(range(16)), daddr=bytes(range(16, 32)))
    row = numpy.frombuffer(packed(**values), dtype=event_dtype())[0]
    for name, value in values.items():
        found = bytes(row[name]) if isinstance(value, bytes) else int(row[name])
        assert found == value, name


def test_sums_are_those_of_the_events(tracer: Tracer, native: FakeNative) -> None:
    raw = [packed(segs=number, reason=number % 8) for number in range(100)]
    native.push(*raw)
    tracer.stop()
    segs, reasons = 0, numpy.zeros(8, dtype=int)
    for batch in tracer.batches():
        events = numpy.frombuffer(batch, dtype=event_dtype())
        segs += int(events["segs"].sum())
        reasons += numpy.bincount(events["reason"], minlength=8)
    assert segs == sum(event(segs=number).segs or 0 for number in range(100))
    names = [made.reason for made in Event.read(b"".join(raw))]
    assert [names.count(REASONS[number]) for number in range(8)] == list(reasons)


def test_batches_are_as_large_as_asked(tracer: Tracer, native: FakeNative) -> None:
    native.push(*numbered(1, 2, 3, 4, 5))
    tracer.stop()
    assert [ports(bytes(batch)) for batch in tracer.batches(2)] == [[1, 2], [3, 4], [5]]
    assert tracer.ended and len(tracer.poll_batch()) == 0


def test_a_batch_begins_with_what_a_loop_left(tracer: Tracer, native: FakeNative) -> None:
    native.push(*numbered(1, 2, 3, 4))
    assert next(tracer).sport == 1
    native.push(*numbered(5))
    assert ports(tracer.poll_batch(0, 2)) == [2, 3]
    assert ports(tracer.poll_batch(0)) == [4]
    assert ports(tracer.poll_batch(0)) == [5]
    assert len(tracer.poll_batch(0)) == 0


def test_batches_end_when_it_is_closed(fake: FakeLibrary, native: FakeNative) -> None:
    native.batch = 1
    native.push(*numbered(1, 2))
    tracer = Tracer(_native_library=fake)  # type: ignore[arg-type]
    seen = []
    for batch in tracer.batches():
        seen += ports(batch)
        tracer.close()
    assert seen == [1]
    with pytest.raises(ClosedError):
        next(tracer.batches())


def test_a_batch_of_nothing_is_refused(tracer: Tracer) -> None:
    with pytest.raises(UsageError):
        tracer.poll_batch(0, 0)


def test_batches_of_the_native_library(stub: Any, use_library: Any) -> None:
    """More than fits, so a larger buffer is made; the events are those that the library made."""
    use_library(stub(STUB_EVENTS="20000"))
    with Tracer() as tracer:
        batch = tracer.poll_batch(0, 5000)
        assert [int(ts) for ts in numpy.frombuffer(batch, dtype=event_dtype())["ts_ns"]] == list(range(1000, 6000))
        assert [one.ts_ns for one in tracer.poll(0)] == list(range(6000, 6000 + 1024))
        tracer.stop()
        sizes = [len(batch) // Event.LAYOUT.size for batch in tracer.batches()]
    assert sum(sizes) == 20000 - 5000 - 1024 and max(sizes) == 8192
