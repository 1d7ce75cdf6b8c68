"""read.py WAY: empty a tracer's ring at each line of stdin, and tell "EVENTS NANOSECONDS" of CPU time.

The first line of stdout is the ring's id. The ways are those of Python: see WAYS.
"""
import json
import os
import struct
import sys
import tempfile
import time
from socket import AF_INET, AF_INET6, inet_ntop
from typing import Any, BinaryIO, Callable, Dict, Iterator

from bench import places
from bench.bpf import ring_of
from retrans_ctypes import Tracer
from retrans_ctypes.clock import WallClock
from retrans_ctypes.event import Event
from retrans_ctypes.recording.books import Books
from retrans_ctypes.recording.database import DatabaseWriter
from retrans_ctypes.recording.writer import this_session
from retrans_ctypes.sinks.ndjson import NdjsonSink
from retrans_ctypes.sinks.output import Output
from retrans_ctypes.sinks.recording import Limits, RecordingSink
from retrans_ctypes.workload import Lookups

Read = Callable[[], int]  # takes all that waits, and says how many events it was


def place(name: str) -> int:
    """Where a field lies in an unpacked event."""
    return [row.name for row in Event.FIELDS if not row.is_padding].index(name)


PLACES = {row.name: place(row.name) for row in Event.FIELDS if not row.is_padding}
KNOWN, FAMILY, STALL = PLACES["known"], PLACES["family"], PLACES["stall_us"]
SADDR, SPORT, DADDR, DPORT = (PLACES[name] for name in ("saddr", "sport", "daddr", "dport"))
REASON = PLACES["reason"]
KNOWN_STALL = 1 << 8
REASON_NAMES = [None, "rto", "fast", "tlp", "syn", "synack", "loss_recovery", "pmtu"]


def batches(tracer: Tracer) -> Iterator[memoryview]:
    """What waits, as the library wrote it."""
    packed = tracer.poll_batch(0)
    while packed:
        yield packed
        packed = tracer.poll_batch(0)


def as_events(tracer: Tracer, file: BinaryIO) -> Read:
    def read() -> int:
        number = 0
        events = tracer.poll(0)
        while events:
            for event in events:
                event.saddr, event.sport, event.daddr, event.dport, event.reason, event.stall_us
            number += len(events)
            events = tracer.poll(0)
        return number

    return read


def by_hand(tracer: Tracer, file: BinaryIO) -> Read:
    """As one would without us: unpacked with struct, fields by their number."""
    layout = struct.Struct(Event.LAYOUT.format)

    def read() -> int:
        number = 0
        for packed in batches(tracer):
            for row in layout.iter_unpack(packed):
                if row[FAMILY] == 4:
                    inet_ntop(AF_INET, row[SADDR][:4]), inet_ntop(AF_INET, row[DADDR][:4])
                else:
                    inet_ntop(AF_INET6, row[SADDR]), inet_ntop(AF_INET6, row[DADDR])
                row[SPORT], row[DPORT], REASON_NAMES[row[REASON]]
                row[STALL] if row[KNOWN] & KNOWN_STALL else None
                number += 1
        return number

    return read


def with_numpy(tracer: Tracer, file: BinaryIO) -> Read:
    import numpy  # by the one row that needs it
    from retrans_ctypes.arrays import event_dtype

    def read() -> int:
        number = 0
        for packed in batches(tracer):
            number += len(numpy.frombuffer(packed, dtype=event_dtype()))
        return number

    return read


def as_ndjson(tracer: Tracer, file: BinaryIO) -> Read:
    """What `trace --json` does with its events."""
    sink = NdjsonSink(Output(file.fileno()), WallClock(), Lookups())

    def read() -> int:
        number = 0
        for packed in batches(tracer):
            sink.write_packed(packed)
            number += len(packed) // Event.LAYOUT.size
        sink.flush()
        return number

    return read


def with_dumps(tracer: Tracer, file: BinaryIO) -> Read:
    """A dict for each event, and json.dumps."""
    text = open(file.fileno(), "w", closefd=False)

    def read() -> int:
        number = 0
        for packed in batches(tracer):
            for event in Event.read(packed):
                text.write(json.dumps(event.to_dict()) + "\n")
                number += 1
        text.flush()
        return number

    return read


def into_sqlite(tracer: Tracer, file: BinaryIO) -> Read:
    """What `record` does with its events, a commit for each time that the ring is emptied."""
    folder = tempfile.TemporaryDirectory(dir=places.WORK)
    lookups = Lookups()
    session = this_session(tracer.capabilities, None)
    sink = RecordingSink(
        lambda: DatabaseWriter(os.path.join(folder.name, "retrans.db"), session, lookups.workload),
        Books(tracer), Limits(), tracer.stop)

    def read() -> int:
        number = 0
        for packed in batches(tracer):
            sink.write_packed(packed)
            number += len(packed) // Event.LAYOUT.size
        sink.finish()
        return number

    return read


def memory_folder() -> str:
    """A file in memory: the disk is none of our business."""
    return "/dev/shm" if os.path.isdir("/dev/shm") else tempfile.gettempdir()


WAYS: Dict[str, Callable[[Tracer, BinaryIO], Read]] = {
    "events": as_events, "by-hand": by_hand, "numpy": with_numpy, "ndjson": as_ndjson, "dumps": with_dumps,
    "sqlite": into_sqlite,
}


def main(way: str) -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    with Tracer() as tracer, tempfile.TemporaryFile(dir=memory_folder(), buffering=0) as file:
        read = WAYS[way](tracer, file)
        answers.write("%d\n" % ring_of(os.getpid()))
        for _ in sys.stdin:
            began = time.process_time()
            number = read()
            answers.write("%d %d\n" % (number, (time.process_time() - began) * 1e9))
            file.seek(0)  # writing is measured, not taking away what was written
            file.truncate()


if __name__ == "__main__":
    main(sys.argv[1])
