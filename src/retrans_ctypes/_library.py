"""Find libtcpretrans.so, load it, and wrap it in Python objects. Only tracer.py and ndjson.py use this.

The file lies beside the package (in the same zip file, where the package was imported from one), or
where RETRANS_CTYPES_LIBRARY says; it is never looked for in the current folder or on the system's
search path, since what is loaded here runs as root. It is loaded only where root, this user, or the owner of
the package owns it, and not everybody can write it or exchange it.
"""

import errno
import os
from ctypes import (
    CDLL, addressof, byref, c_char, c_size_t, c_uint8, c_uint64, create_string_buffer, pointer, sizeof,
    string_at,
)
from mmap import PAGESIZE
from typing import Any, Callable, Dict, Generator, List, Optional, Tuple

from . import _elf, _trusted, _unpack
from ._abi import (
    ABI_VERSION, NO_RATE, WITHOUT_FAILED, WITHOUT_LABELS, EventCallback, Handle, NativeCapabilities,
    NativeConditions, NativeCount, NativeFilter, NativeNetns, NativePrefix, NativeStats, NdjsonHandle,
    Options, Text, bind,
)
from .capabilities import Capabilities, capabilities
from .counts import NativeRow
from .errors import ClosedError, LibraryError, RetransError, from_errno
from .event import Event
from .filters import Filter, Network
from .kernel_counters import Reading
from .records import Buffer, Place
from .stats import NetnsCount, Stats

FILE_NAME = "libtcpretrans.so"
VARIABLE = "RETRANS_CTYPES_LIBRARY"
BATCH = 1024  # events a drain hands over at most, unless asked for more; 256 KiB

_loaded: Dict[str, "Library"] = {}


class Library:
    """A loaded and checked libtcpretrans.so."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._native = _load(path)
        bind(self._native)
        self.version: str = self._native.tcpretrans_version().decode("ascii", "replace")
        self._check_version()
        self._check_layout()

    def _check_version(self) -> None:
        if self.version.split()[-2:] != ["abi", str(ABI_VERSION)]:
            raise LibraryError(
                "%s has another ABI: it is '%s', and this package needs abi %d; take both from the"
                " same release" % (self.path, self.version, ABI_VERSION))

    def _check_layout(self) -> None:
        """The version promises the layout; the table proves it."""
        count = c_size_t()
        rows = self._native.tcpretrans_fields(byref(count))
        theirs = {row.name.decode("ascii", "replace"): row for row in rows[:count.value]}
        ours = {place.name: place for place in Event.places()}
        for name in sorted(set(ours) | set(theirs)):
            if name not in theirs or name not in ours:
                where = "this package" if name in ours else "the library"
                self._refuse_layout("only %s has the field '%s'" % (where, name))
            there = Place(name, theirs[name].offset, theirs[name].size)
            if there != ours[name]:
                self._refuse_layout("'%s' is %d bytes at %d there, and %d bytes at %d here" % (
                    name, there.size, there.offset, ours[name].size, ours[name].offset))

    def _refuse_layout(self, difference: str) -> None:
        raise LibraryError(
            "%s and this package disagree about the event: %s; take both from the same release"
            % (self.path, difference))

    def open(
        self, filter: Optional[Filter] = None, ring_bytes: int = 0, owners: bool = True, attach: int = 0,
        buffer: int = 0, btf: Optional[bytes] = None, rate: Optional[int] = 0, burst: int = 0,
        count_by: int = 0, count_rows: int = 0, prefix4: int = 0, prefix6: int = 0,
    ) -> "NativeTracer":
        """Load and attach the BPF programs. ``rate``: None is no limit."""
        sentence = create_string_buffer(1024)
        options = Options(
            size=sizeof(Options), error=addressof(sentence), error_size=sizeof(sentence),
            ring_bytes=ring_bytes, no_owners=not owners, attach=attach, buffer=buffer, btf=btf,
            filter=_native_filter(filter), rate=NO_RATE if rate is None else rate, burst=burst,
            count_by=count_by, count_rows=count_rows, prefix4=prefix4, prefix6=prefix6)
        handle = Handle()
        try:
            result = self._native.tcpretrans_open(byref(options), byref(handle))
            if result < 0:
                raise from_errno(-result, sentence.value.decode("utf-8", "replace"))
            return NativeTracer(self._native, handle)
        except BaseException:  # a KeyboardInterrupt comes just when the call is over
            self._native.tcpretrans_close(handle)
            raise

    def ndjson(self, room: int, failed: bool, labels: bool) -> "NativeNdjson":
        """A writer of JSON lines, which has ``room`` bytes for them."""
        return NativeNdjson(self._native, room, failed, labels)

    def lasting_rights(self) -> int:
        """The capabilities, as bits, that a tracer needs on this kernel once it is open."""
        return _lasting_rights(self._native)

    def kernel_segs(self, netns_fd: int) -> Reading:
        """RetransSegs of an open namespace. Raises OSError where this thread may not enter it."""
        return _kernel_segs(self._native, None, netns_fd)


class NativeTracer:
    """One running native tracer. The library's rule holds: one thread at a time, except stop()."""

    def __init__(self, native: CDLL, handle: Handle) -> None:
        self._native = native
        self._handle: Optional[Handle] = handle
        self._room = 0
        self._make_room(BATCH)
        self.closing = False  # run() passes nothing on any more

    def _open_handle(self) -> Handle:
        if self._handle is None:
            raise ClosedError("the tracer is closed; make a new one")
        return self._handle

    def poll(self) -> int:
        """1 = there is something to drain, 0 = there is not, -ECANCELED = stopped. Never waits."""
        result: int = self._native.tcpretrans_poll(self._open_handle(), 0)
        return result

    def _make_room(self, events: int) -> None:
        """Whole pages: copying to where no event straddles a cache line takes half the time."""
        size = events * Event.LAYOUT.size
        memory = (c_char * (size + PAGESIZE))()
        self._buffer = (c_char * size).from_buffer(memory, -addressof(memory) % PAGESIZE)
        self._view = memoryview(self._buffer).cast("B")
        self._room = events

    def drain(self, most: int = BATCH) -> memoryview:
        """The next batch, packed: valid only until the next drain."""
        if most > self._room:
            self._make_room(most)
        count = self._native.tcpretrans_drain(self._open_handle(), self._buffer, most)
        return self._view[:count * Event.LAYOUT.size]

    def run(self, receive: Callable[[bytes], object]) -> None:
        """Call ``receive`` with each packed event until stop(), or until it raises."""
        failures: List[BaseException] = []
        receiver = self._receiver(receive, failures)
        if next(receiver):
            return
        callback = EventCallback(receiver.send)
        while not failures:
            # After a signal Python's own handlers run here, between two calls, and may raise.
            if self._native.tcpretrans_run(self._open_handle(), callback, None) != -errno.EINTR:
                break
        if failures:
            raise failures[0]

    def _receiver(
        self, receive: Callable[[bytes], object], failures: List[BaseException],
    ) -> Generator[int, int, None]:
        """The native callback: takes an event's address, answers 0 to go on or 1 to end.

        Its send() is what C calls. A plain function would not do: Python raises KeyboardInterrupt at
        a function's very start, before any 'try' in it, and ctypes would print and forget it. A
        generator is already inside its 'try' when it goes on.
        """
        try:
            while not self.closing:
                try:
                    address = yield 0
                except GeneratorExit:
                    return
                receive(string_at(address, Event.LAYOUT.size))
        except BaseException as failure:
            failures.append(failure)
        yield 1

    def stop(self) -> None:
        self._native.tcpretrans_stop(self._open_handle())

    def stats(self) -> Stats:
        counts = NativeStats()
        self._native.tcpretrans_stats(self._open_handle(), byref(counts), sizeof(counts))
        return Stats(*(getattr(counts, name) for name in Stats._fields))

    def capabilities(self) -> Capabilities:
        native, handle = NativeCapabilities(), self._open_handle()
        self._native.tcpretrans_capabilities(handle, byref(native), sizeof(native))
        notes = self._native.tcpretrans_notes(handle) or b""
        return capabilities(native.attach, native.buffer, native.can, native.known,
                            notes.decode("utf-8", "replace"), native.buffer_bytes)

    def set_filter(self, filter: Optional[Filter]) -> None:
        """None: all events. What fails changes nothing."""
        sentence = create_string_buffer(1024)
        result = self._native.tcpretrans_set_filter(
            self._open_handle(), _native_filter(filter), sentence, sizeof(sentence))
        if result < 0:
            raise from_errno(-result, sentence.value.decode("utf-8", "replace"))

    def kernel_segs(self, netns_fd: int) -> Reading:
        """As Library.kernel_segs; before, the programs look at each socket that is open there."""
        return _kernel_segs(self._native, self._open_handle(), netns_fd)

    def drop_rights(self, uid: int, gid: int) -> int:
        """Become that user, and return the capabilities, as bits, that had to be kept."""
        self._open_handle()
        kept = _lasting_rights(self._native)
        code = -self._native.tcpretrans_drop_rights(uid, gid)
        if code:
            reason = _NOT_DROPPED.get(code, os.strerror(code))
            raise from_errno(code, "cannot become user %d with group %d: %s" % (uid, gid, reason))
        return kept

    def netns_counts(self) -> List[NetnsCount]:
        room = 0
        while True:  # until no namespace was added between the two calls
            rows = (NativeNetns * room)()
            there = self._native.tcpretrans_netns(self._open_handle(), rows, room)
            if there <= room:
                return [NetnsCount(*(getattr(row, name) for name in NetnsCount._fields))
                        for row in rows[:there]]
            room = there

    def counts(self) -> Tuple[List[NativeRow], NativeRow]:
        """What was counted in the kernel, and what of it has no row."""
        room, beyond = 0, NativeCount()
        while True:  # until no row was added between the two calls
            rows = (NativeCount * room)()
            there = self._native.tcpretrans_counts(self._open_handle(), rows, room, byref(beyond))
            if there <= room:
                return [_native_row(row) for row in rows[:there]], _native_row(beyond)
            room = there

    def fileno(self) -> int:
        descriptor: int = self._native.tcpretrans_fd(self._open_handle())
        return descriptor

    def close(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            self._native.tcpretrans_close(handle)


class NativeNdjson:
    """Events to lines of JSON. One thread at a time."""

    def __init__(self, native: CDLL, room: int, failed: bool, labels: bool) -> None:
        self._native = native
        self._handle: Optional[NdjsonHandle] = None
        self._buffer = (c_char * room)()
        self._view = memoryview(self._buffer).cast("B")
        self._text = Text(
            size=sizeof(Text), bytes=addressof(self._buffer), room=room,
            without=(0 if failed else WITHOUT_FAILED) | (0 if labels else WITHOUT_LABELS))
        handle = NdjsonHandle()
        native.tcpretrans_ndjson_open(byref(handle))
        self._handle = handle

    def write(self, batch: Buffer, done: int, wall_offset_ns: int) -> int:
        """Write lines for the events of ``batch`` behind the first ``done``; how many of them."""
        size = Event.LAYOUT.size
        events = memoryview(batch).cast("B")[done * size:]
        text = self._text
        text.wall_offset_ns = wall_offset_ns
        written: int = self._native.tcpretrans_ndjson_write(
            self._handle, _place_of(events), len(events) // size, byref(text))
        return written

    @property
    def wants_label(self) -> bool:
        """Whether write() stopped because the next event has no label."""
        return bool(self._text.wants_label)

    def label(self, event: bytes, members: bytes, until_ns: int) -> None:
        self._native.tcpretrans_ndjson_label(self._handle, event, members, until_ns)

    def take(self) -> memoryview:
        """The lines so far, which the next write() replaces."""
        lines = self._view[:self._text.used]
        self._text.used = 0
        return lines

    def close(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            self._native.tcpretrans_ndjson_close(handle)

    def __del__(self) -> None:
        self.close()


def _place_of(packed: memoryview) -> Any:
    """``packed`` as an argument; what cannot be written to, ctypes takes as bytes only."""
    if packed.readonly or not packed:
        return bytes(packed)
    return byref(c_char.from_buffer(packed))


_NOT_DROPPED = {
    errno.EPERM: "that takes CAP_SETUID and CAP_SETGID; run as root, or as that user from the start",
    errno.EINVAL: "there is no such user in this user namespace; give one of this container's",
    errno.EBUSY: "this process has other threads, which would keep their rights; do it before they start",
    errno.ENOTRECOVERABLE: "the kernel would let it become root again",
}


def _native_row(row: NativeCount) -> NativeRow:
    return NativeRow(row.events, row.segs, row.bytes, row.number, bytes(row.saddr), bytes(row.daddr),
                     row.sport, row.dport, row.family)


def _native_filter(filter: Optional[Filter]) -> Any:
    """A pointer to what the library wants; None for none."""
    if filter is None:
        return None
    never = None if filter.never is None else pointer(_conditions(filter.never))
    return pointer(NativeFilter(only=pointer(_conditions(filter)), never=never))


def _conditions(filter: Filter) -> NativeConditions:
    made = NativeConditions(
        size=sizeof(NativeConditions), family=filter.family or 0, states=filter.state_bits(),
        reasons=filter.reason_bits(), min_stall_us=filter.min_stall_us())
    for name in ("local_ports", "remote_ports", "ports"):
        made.set_list(name, list(getattr(filter, name)))
    for name in ("local", "remote", "address"):
        made.set_list(name, [_prefix(network) for network in getattr(filter, name)])
    for name, numbers in (("netns", filter.netns), ("uids", filter.uid), ("cgroups", filter.cgroup),
                          ("pids", filter.pid)):
        made.set_list(name, list(numbers))
    return made


def _prefix(network: Network) -> NativePrefix:
    packed = network.network_address.packed
    return NativePrefix(
        address=(c_uint8 * 16)(*packed), family=network.version, bits=network.prefixlen)


def _lasting_rights(native: CDLL) -> int:
    bits: int = native.tcpretrans_lasting_rights()
    return bits


def _kernel_segs(native: CDLL, handle: Optional[Handle], netns_fd: int) -> Reading:
    segs, cookie = c_uint64(), c_uint64()
    result = native.tcpretrans_kernel_segs(handle, netns_fd, byref(segs), byref(cookie))
    if result == -errno.ENOTRECOVERABLE:
        raise RetransError(
            "reading RetransSegs left this thread in another network namespace: the rights to come"
            " back were taken away meanwhile; end this process")
    if result < 0:
        raise OSError(-result, os.strerror(-result))
    return Reading(segs.value, cookie.value)


def library_path() -> str:
    """Where the library must be."""
    chosen = os.environ.get(VARIABLE)
    if not chosen:
        return os.path.join(os.path.dirname(os.path.abspath(__file__)), FILE_NAME)
    if not os.path.isabs(chosen):
        raise LibraryError("%s must be an absolute path, not '%s'" % (VARIABLE, chosen))
    return chosen


def load() -> Library:
    """The library, loaded once for each path."""
    path = library_path()
    if path not in _loaded:
        _loaded[path] = Library(path)
    return _loaded[path]


def _load(path: str) -> CDLL:
    try:
        if os.environ.get(VARIABLE):
            return _open(path, path)
        zipped = _unpack.content(FILE_NAME, __spec__.loader if __spec__ else None)
        if zipped is None:
            return _open(path, path)
        return _unpack.load(zipped, FILE_NAME, lambda place: _open(place, path))
    except _unpack.CannotUnpack as refusals:
        raise LibraryError(
            "%s must be unpacked to be loaded, and no place will do: %s; name a folder of your own in"
            " TMPDIR, or unpack the zip file and run it from there" % (path, refusals))
    except FileNotFoundError:
        raise LibraryError(
            "%s is not there: build it with 'make -C native', or set %s to where it is"
            % (path, VARIABLE))
    except NotADirectoryError:
        raise LibraryError(
            "%s lies in a zip file, from which nothing can be loaded: unpack that into a folder, or"
            " set %s to an unpacked one" % (path, VARIABLE))
    except OSError as error:
        raise LibraryError(
            "%s cannot be read (%s): make it a readable file, or set %s to another"
            % (path, error.strerror, VARIABLE))


def _open(place: str, name: str) -> CDLL:
    """Check what lies at ``place`` and load it; sentences call it ``name``."""
    wrong = _elf.problem(place)
    if wrong:
        raise LibraryError(
            "%s %s: put the one made for this machine there, or build it with 'make -C native'"
            % (name, wrong))
    stranger = _trusted.problem(place)
    if stranger:
        raise LibraryError(
            "%s is not loaded: %s, who could have put anything there; take a folder that belongs to you or to"
            " root, and that others cannot write" % (name, stranger))
    try:
        return CDLL(place)
    except OSError as error:
        if place != name:
            raise
        if _elf.on_noexec_mount(place):
            raise LibraryError(
                "%s lies on a file system mounted noexec, so no code may be loaded from it: copy"
                " the package to another place, or set %s" % (name, VARIABLE))
        raise LibraryError(
            "%s cannot be loaded: the loader says '%s'; build it on this machine with 'make -C"
            " native', or take the release made for it" % (name, error))
