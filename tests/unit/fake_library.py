"""A native library made of Python: what Tracer needs of _library.Library, without kernel or root."""
import collections
import errno
import os
from typing import Any, Callable, List, Optional, Tuple

from retrans_ctypes.capabilities import CAN, Capabilities, capabilities
from retrans_ctypes.counts import NativeRow
from retrans_ctypes.event import Event
from retrans_ctypes.kernel_counters import Reading
from retrans_ctypes.stats import NetnsCount, Stats


def packed(**values: Any) -> bytes:
    """An event's bytes; everything not named is zero, `known` is all set."""
    filled = {"known": (1 << 64) - 1, "family": 4, "state": 1}
    filled.update(values)
    row = [filled.get(field.name, b"" if field.code.endswith("s") else 0)
           for field in Event.FIELDS if not field.is_padding]
    return Event.LAYOUT.pack(*row)


def event(**values: Any) -> Event:
    return Event.read(packed(**values))[0]


class FakeNative:
    """One open tracer. A pipe plays the descriptor: it is readable while there is something to do."""

    def __init__(self, batch: int) -> None:
        self.waiting: Any = collections.deque()
        self.batch = batch
        self.stopped = self.closed = False
        self.calls: List[str] = []
        self.filters: List[Any] = []
        self.reader, self.writer = os.pipe()

    def push(self, *events: bytes) -> None:
        self.waiting.extend(events)
        os.write(self.writer, b"!")

    def poll(self) -> int:
        assert not self.closed
        if self.waiting and not self.stopped:
            return 1
        if self.stopped:
            return -errno.ECANCELED
        return 0

    def drain(self, most: int) -> bytes:
        assert not self.closed
        count = min(self.batch, most, len(self.waiting))
        return b"".join(self.waiting.popleft() for _ in range(count))

    def run(self, receive: Callable[[bytes], object]) -> None:
        while not self.stopped or self.waiting:
            while self.waiting:
                receive(self.waiting.popleft())

    def stop(self) -> None:
        assert not self.closed
        self.stopped = True
        os.write(self.writer, b"!")

    def stats(self) -> Stats:
        assert not self.closed
        return Stats(*range(1, len(Stats._fields) + 1))

    def capabilities(self) -> Capabilities:
        return capabilities(1, 1, (1 << len(CAN)) - 1, (1 << 64) - 1, "")

    def set_filter(self, filter: Any) -> None:
        assert not self.closed
        self.filters.append(filter)

    def netns_counts(self) -> List[NetnsCount]:
        assert not self.closed
        return []

    def counts(self) -> Tuple[List[NativeRow], NativeRow]:
        assert not self.closed
        return [NativeRow(1, 2, 3, 0, bytes(16), bytes(16), 80, 443, 4)], NativeRow(4, 5, 6, 0, b"", b"", 0, 0, 0)

    def kernel_segs(self, netns_fd: int) -> Reading:
        assert not self.closed
        raise PermissionError(errno.EPERM, "a fake enters no namespace")

    def drop_rights(self, uid: int, gid: int) -> int:
        assert not self.closed
        self.calls.append("drop %d %d" % (uid, gid))
        return 1 << 39

    def fileno(self) -> int:
        return self.reader

    def close(self) -> None:
        assert not self.closed, "freed twice"
        self.closed = True
        os.close(self.reader)
        os.close(self.writer)


class FakeLibrary:
    def kernel_segs(self, netns_fd: int) -> Reading:
        raise PermissionError(errno.EPERM, "a fake enters no namespace")

    def __init__(self, batch: int = 1024, failure: Optional[Exception] = None) -> None:
        self.opened: List[Any] = []
        self.native = FakeNative(batch)
        self.failure = failure

    def open(self, **options: int) -> FakeNative:
        self.opened.append(options)
        if self.failure:
            raise self.failure
        return self.native
