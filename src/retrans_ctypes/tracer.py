"""The tracer: opens the kernel side, waits, and hands out events."""

import errno
import math
import os
import select
import threading
import time
import warnings
from itertools import islice
from types import TracebackType
from typing import (
    Any, Callable, ContextManager, Iterator, List, Mapping, NoReturn, Optional, Sized, Tuple, Type, TypeVar,
)

from . import _library
from .aio import others, readable
from .capabilities import ATTACH, BUFFERS
from .counts import COUNT_BY, PREFIX4, PREFIX6, Counts, counts
from .errors import ClosedError, ForkedError, RetransError, UnsupportedKernel, UsageError
from .event import Event
from .filters import Filter
from .kernel_counters import KernelCounters, Reading
from .ledger import Bookkeeper, Ledger
from .rights import capability_names
from .stats import NetnsCount, Stats

# Waits are cut into slices: a signal may land on another thread than the one that waits here, and
# Python handles it only when its main thread runs again.
_SLICE = 0.5

BATCH = _library.BATCH
S = TypeVar("S", bound=Sized)


def _number(option: str, name: str, names: Mapping[int, str]) -> int:
    for number, known in names.items():
        if name == known:
            return number
    raise UsageError("%s must be one of %s, not %r" % (option, ", ".join(names.values()), name))


def _path(path: str) -> bytes:
    packed = os.fsencode(path)
    if not packed or b"\0" in packed:
        raise UsageError("btf must be the path of a file, not %r" % (path,))
    return packed


class Tracer:
    """Traces every TCP retransmit of this host from the moment it is made.

        with Tracer() as tracer:
            for event in tracer:
                print(event)

    All methods may be called from any thread; ``stop()`` from signal handlers too. A tracer is for
    the process that made it: in a fork()ed child all but close() and stop() raise ForkedError, and those
    two, or the child's end, end nothing here.

    ``filter``: which events to see, default all; set_filter() changes it. ``ring_bytes``: size of the
    kernel's buffer, a power of two and whole pages; 0 is the library's default: 2 MiB for each CPU, but
    4 to 64 MiB and no more than 1/512 of the memory. ``owners``: find out which
    process each event belongs to, for which an event may come up to 20 ms later. ``attach`` and
    ``buffer``: one of capabilities.ATTACH and BUFFERS; 'auto' takes the best that works here. ``btf``:
    path of a BTF file that describes this very kernel, where it gives no BTF itself.

    ``rate``: events a second that each socket may have, ``burst``: that many at once. 0 is the
    library's default (10,000, and twice the rate), None no limit. What it keeps back is counted:
    ``Stats.limited``, ``Event.limited_segs``, counts(). The SYN-ACKs of a listener have one limit together.

    ``count_by``: one of counts.COUNT_BY; then there are no events, and counts() has what the kernel
    counted. ``count_rows``: how many rows are kept apart; 0 is 65,536. ``prefix4``, ``prefix6``: bits
    of the prefixes of 'prefix', IPv4 and IPv6.

    Raises PermissionDenied, UnsupportedKernel, UsageError or LibraryError.
    """

    def __init__(
        self, *, filter: Optional[Filter] = None, ring_bytes: int = 0,
        owners: bool = True, attach: str = "auto", buffer: str = "auto", btf: Optional[str] = None,
        rate: Optional[int] = 0, burst: int = 0, count_by: str = "none", count_rows: int = 0,
        prefix4: int = PREFIX4, prefix6: int = PREFIX6,
        _native_library: Optional["_library.Library"] = None,
    ) -> None:
        self._native: Optional[_library.NativeTracer] = None
        self._pid = os.getpid()
        self._batch: Iterator[Event] = iter(())
        self._ended = False
        self._stopping = False
        self._runner: Optional[int] = None
        self._close_after_run = False
        # The library wants one thread at a time, except for stop(). So _lock is held around each
        # native call, and _life only while the handle is taken away or told to stop: stop() must
        # not wait for a run() that holds _lock. Both may be taken again by a signal handler.
        self._lock = threading.RLock()
        self._life = threading.RLock()
        if not 0 <= ring_bytes < 1 << 32:
            raise UsageError("ring_bytes must be below 4 GiB, not %r" % (ring_bytes,))
        for name, number, least in (
                ("rate", rate or 0, 0), ("burst", burst, 0), ("count_rows", count_rows, 0),
                ("prefix4", prefix4, 1), ("prefix6", prefix6, 1)):
            if not least <= number < (1 << 32) - 1:
                raise UsageError("%s must be a number from %d on, not %r" % (name, least, number))
        library = _native_library or _library.load()
        self._books = Bookkeeper(KernelCounters(library.kernel_segs).read)
        native = library.open(
            filter=filter or None, ring_bytes=ring_bytes, owners=owners,
            attach=_number("attach", attach, ATTACH), buffer=_number("buffer", buffer, BUFFERS),
            btf=None if btf is None else _path(btf), rate=rate, burst=burst,
            count_by=_number("count_by", count_by, COUNT_BY), count_rows=count_rows, prefix4=prefix4,
            prefix6=prefix6)
        self._count_by = "flow" if count_by == "none" else count_by
        self._prefixes = (prefix4, prefix6)
        self._counters = KernelCounters(self._kernel_segs)
        self._native = native
        self.capabilities = native.capabilities()
        """What can be told on this kernel."""
        self._books.attached(self._counters.read)
        self._fd = self._native.fileno()

    @staticmethod
    def lasting_rights() -> Tuple[str, ...]:
        """The capabilities that drop_rights() has to keep on this kernel. Raises LibraryError."""
        return capability_names(_library.load().lasting_rights())

    @staticmethod
    def library_version() -> str:
        """Version and path of the native library. Raises LibraryError."""
        library = _library.load()
        return "%s, %s" % (library.version, library.path)

    @staticmethod
    def library_path() -> str:
        """Where the native library must be. Raises LibraryError if that cannot be told."""
        return _library.library_path()

    def __enter__(self) -> "Tracer":
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.close()

    def __copy__(self) -> NoReturn:
        raise TypeError("a Tracer cannot be copied: there is one of each handle")

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Tracer cannot be pickled: it belongs to this process")

    def __del__(self) -> None:
        if getattr(self, "_native", None) is not None and os.getpid() == self._pid:
            try:
                warnings.warn("unclosed %r" % self, ResourceWarning, source=self)
            finally:
                self.close()

    def __iter__(self) -> Iterator[Event]:
        """Events as they happen, until stop() or close(). What one loop leaves, the next one gets.

        Raises ClosedError where it was closed before the loop.
        """
        self._open_native()
        while True:
            yield from self._batch
            events = self._fetch(self._take)
            if not events:
                return
            self._batch = iter(events)

    def __next__(self) -> Event:
        for event in self:
            return event
        raise StopIteration

    def __aiter__(self) -> "Tracer":
        """As a loop without ``async``, but it waits in the running asyncio loop.

        Other tasks go on meanwhile, and after each batch; a task that is cancelled loses no event.
        """
        self._open_native()
        return self

    async def __anext__(self) -> Event:
        while True:
            for event in self._batch:
                return event
            events = self._take()
            self._batch = iter(events)
            if events:
                await others()
            elif self.ended:
                raise StopAsyncIteration
            else:
                await readable(self._fd, _SLICE)

    def poll(self, timeout: Optional[float] = None) -> List[Event]:
        """Wait for events and return those at hand, oldest first.

        ``timeout`` in seconds: 0 does not wait, None waits until there is an event. The list is
        empty when time is up, and, with nothing left to fetch, after stop() or close(). Raises UsageError
        for NaN, and ClosedError where it was closed before the call.
        """
        return self._poll(self._take, timeout)

    def poll_batch(self, timeout: Optional[float] = None, size: int = BATCH) -> memoryview:
        """As poll(), for those who unpack events themselves: up to ``size`` of them in one buffer.

        It is what Event.read(), NdjsonWriter and numpy.frombuffer() take, and valid only until the next
        call of any method that fetches events; empty where poll()'s list is. Raises as poll() does, and
        UsageError for a ``size`` below 1.
        """
        return self._poll(lambda: self._take_packed(size), timeout)

    def batches(self, size: int = 8192) -> Iterator[memoryview]:
        """Batches of up to ``size`` packed events, until stop() or close(); see poll_batch(). Raises as that."""
        self._open_native()
        while True:
            batch = self._fetch(lambda: self._take_packed(size))
            if not batch:
                return
            yield batch

    def _poll(self, take: Callable[[], S], timeout: Optional[float]) -> S:
        if timeout is not None and math.isnan(timeout):
            raise UsageError("timeout must be seconds or None, not NaN")
        self._open_native()
        return self._fetch(take, timeout)

    def _fetch(self, take: Callable[[], S], timeout: Optional[float] = None) -> S:
        """As poll(); but for a tracer that another thread closes this is the end, and no error."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            # Asked before it is looked: where this process is stopped in between, it looks once more.
            wait = _SLICE if deadline is None else min(_SLICE, deadline - time.monotonic())
            taken = take()
            if taken or self.ended or wait <= 0:
                return taken
            self._wait(wait)

    def _take(self) -> List[Event]:
        """What can be had without waiting."""
        self._check_process()
        left_over = list(self._batch)
        if left_over:
            return left_over
        with self._locked():
            return Event.read(self._drain(BATCH))

    def _take_packed(self, size: int) -> memoryview:
        if size < 1:
            raise UsageError("a batch has 1 event or more, not %r" % (size,))
        self._check_process()
        left_over = b"".join(islice(self._batch, size))
        if left_over:
            return memoryview(left_over)
        with self._locked():
            return self._drain(size)

    def _drain(self, most: int) -> memoryview:
        """What the library has, with _lock held."""
        nothing = memoryview(b"")
        native = self._native
        if native is None:
            return nothing
        if self._stopping:
            self._books.detaching()
        answer = native.poll()
        stopped = answer == -errno.ECANCELED
        if stopped:
            self._books.detached()
        packed = native.drain(most) if stopped or answer > 0 else nothing
        self._ended = stopped and not packed
        return packed

    def _wait(self, seconds: float) -> None:
        """Wait on the descriptor, not in the library, so that other threads can call it meanwhile.

        If close() on another thread takes the descriptor away, the caller's next look tells."""
        poller = select.poll()
        poller.register(self._fd, select.POLLIN)
        poller.poll(seconds * 1000)

    def run(self, callback: Callable[[Event], object]) -> None:
        """Let the native library own the loop and call ``callback`` for each event until stop().

        What ``callback`` returns is ignored. What it raises ends the loop and is raised here. Other
        threads may only stop() or close() meanwhile; stats(), set_filter() and the like wait until the
        end there, and work in ``callback``. Raises ClosedError, and RetransError inside its own callback.
        """
        with self._locked():
            native = self._open_native()
            if self._runner is not None:
                raise RetransError("run() was called inside its own callback; it cannot be nested")
            self._runner = threading.get_ident()
            try:
                for event in self._batch:
                    callback(event)
                native.run(lambda packed: callback(Event(packed)))
                self._books.detached()
                self._ended = True
            finally:
                self._runner = None
                if self._close_after_run:
                    self.close()

    def stop(self) -> None:
        """End poll(), run() and iteration, once they have passed on what was already traced.

        Final: to trace again, make a new tracer. Does nothing on a closed one.
        """
        if os.getpid() != self._pid:
            return
        with self._life:
            self._stopping = True
            if self._native is not None:
                self._native.stop()

    @property
    def ended(self) -> bool:
        """True after close(), and after stop() once every event was fetched."""
        return self._ended or self._native is None

    def set_filter(self, filter: Optional[Filter]) -> None:
        """See other events from here on; None shows all.

        The kernel judges each event by the filter before or by the new one; those that it let pass and
        that were not fetched yet still come. Raises UsageError or UnsupportedKernel for a filter that
        cannot be here, after which the one before still counts, and ClosedError. With ``count_by``, a
        filter by reason, stall or pid cannot be unless the first one asked for such.
        """
        with self._locked():
            self._open_native().set_filter(filter or None)

    def stats(self) -> Stats:
        """Counts since the start. Raises ClosedError after close()."""
        with self._locked():
            return self._open_native().stats()

    def counts(self) -> Counts:
        """What the kernel counted since the start, by what ``count_by`` says.

        Exact after stop(); before, rows are read while they grow. All rows and ``beyond`` come to what
        stats() tells of events that did not fail. Without ``count_by`` it is what the rate limit kept
        back, by flow, failed attempts included; a listener's SYN-ACKs have a remote of zeros there.
        Raises ClosedError after close().
        """
        with self._locked():
            rows, beyond = self._open_native().counts()
        return counts(self._count_by, rows, beyond, *self._prefixes, segs=self.capabilities.ledger,
                      bytes_known="len" not in self.capabilities.missing)

    def ledger(self) -> Ledger:
        """The kernel's RetransSegs against what was seen, for each network namespace.

        Most exact after stop(), once everything was fetched: then it covers attach to detach. Before,
        it covers attach to now. After run() the moment of detaching is not known, so the uncertainty
        is not bounded. Raises ClosedError after close(), and UnsupportedKernel where segments are not
        counted (``capabilities.ledger``).
        """
        self._check_process()
        if not self.capabilities.ledger:
            raise UnsupportedKernel(self.capabilities.why("ledger"))
        # Looking through /proc takes a while on a large host, so events can be fetched meanwhile.
        return self._books.ledger(self._netns_counts)

    def _netns_counts(self) -> List[NetnsCount]:
        with self._locked():
            return self._open_native().netns_counts()

    def _kernel_segs(self, netns_fd: int) -> Reading:
        with self._locked():
            return self._open_native().kernel_segs(netns_fd)

    def drop_rights(self, uid: int, gid: int) -> Tuple[str, ...]:
        """Become this user and keep no capability that tracing does not need from here on.

        For the whole process, and for good. Returns the capabilities that this kernel makes us keep:
        none, or CAP_BPF on older ones. Network namespaces that are made later, and those in which no
        process lives now, have no place in the ledger then but as 'kernel counter unreadable'.

        The process must have a single thread: of others the capabilities would stay. Raises
        PermissionDenied, UsageError or RetransError, after which the process should end.
        """
        with self._locked():
            native = self._open_native()
            self._counters.hold()
            return capability_names(native.drop_rights(uid, gid))

    def fileno(self) -> int:
        """A descriptor for select, poll, epoll or asyncio: readable when poll(0) may have events.

        It may wake for nothing; call poll(0) whenever it is readable. Raises ClosedError.
        """
        self._open_native()
        return self._fd

    def close(self) -> None:
        """Stop, detach from the kernel and free everything. Calling it again does nothing.

        In a run() callback it takes effect when run() ends, which is then at once.
        """
        if os.getpid() != self._pid:
            # Our stop() would wake the parent for ever, and the locks may be held by threads that
            # only the parent has.
            self._free()
            return
        self.stop()
        native = self._native
        if native is not None:
            native.closing = True
        if self._runner == threading.get_ident():
            self._close_after_run = True
            return
        with self._lock, self._life:
            self._free()

    def _free(self) -> None:
        native, self._native = self._native, None
        if native is not None:
            native.close()
            self._counters.close()

    def _locked(self) -> ContextManager[Any]:
        """_lock; in a forked child it may be held for ever, by a thread that only the parent has."""
        self._check_process()
        return self._lock

    def _check_process(self) -> None:
        if os.getpid() != self._pid:
            raise ForkedError("the tracer belongs to process %d, from which this one (%d) was forked: make another"
                              " one here, or read events there" % (self._pid, os.getpid()))

    def _open_native(self) -> "_library.NativeTracer":
        self._check_process()
        if self._native is None:
            raise ClosedError("the tracer is closed; make a new one")
        return self._native
