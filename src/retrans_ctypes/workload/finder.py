"""A cache in front of a slow source of names, which is asked in a thread of its own.

The thread that handles events never waits long: it waits for an answer only while its ``Patience``
lasts, and gets None after that; when it asks again, the answer may be there.
"""

import threading
import time
from collections import OrderedDict
from typing import Callable, Dict, Generic, Optional, Set, TypeVar

from ..background import Background
from ..clock import host_monotonic_ns

K = TypeVar("K")
V = TypeVar("V")

RETRY = 1.0  # seconds until a key that was not found is looked for again
FRESH = 30.0  # seconds that an answer holds for, unless told otherwise
SHORT = 0.002  # seconds; after a longer look a thread rests
REST = 9  # times as long as it looked: it takes a tenth of a CPU at most


class Patience:
    """How long lookups may hold up the events: ``most`` seconds at once, ``share`` of all time."""

    def __init__(self, most: float = 0.05, share: float = 0.02) -> None:
        self._most = most
        self._share = share
        self._left = most
        self._since = time.monotonic()

    def left(self) -> float:
        now = time.monotonic()
        self._left = min(self._most, self._left + (now - self._since) * self._share)
        self._since = now
        return self._left

    def spend(self, seconds: float) -> None:
        self._left -= seconds


class _Entry(Generic[V]):
    """``value`` is right for events up to ``checked_ns`` (as in Event.ts_ns), None if not found."""

    __slots__ = ("value", "checked_ns", "until")

    def __init__(self, value: Optional[V], checked_ns: int, until: float) -> None:
        self.value = value
        self.checked_ns = checked_ns
        self.until = until


class Finder(Generic[K, V]):
    """``find`` gets a set of keys and returns those it found; it may be slow and may block.

    ``still``, if there is one, tells quickly whether a cached value is right at this moment. It is
    asked where an event is younger than the last answer, so numbers that the kernel gives to
    somebody else meanwhile are noticed. At most ``size`` keys are remembered, the last used ones.
    """

    def __init__(
        self, find: Callable[[Set[K]], Dict[K, V]], patience: Patience, size: int = 4096,
        still: Optional[Callable[[K, V], bool]] = None, fresh: float = FRESH,
    ) -> None:
        self._find = find
        self._still = still
        self._patience = patience
        self._size = size
        self._fresh = fresh
        self._entries: "OrderedDict[K, _Entry[V]]" = OrderedDict()
        self._wanted: Set[K] = set()
        self._changed = threading.Condition()
        self._thread: Optional[Background] = None
        self._closed = False

    def get(self, key: K, ts_ns: int) -> Optional[V]:
        """The value that ``key`` had at ``ts_ns``, None while it is not known."""
        with self._changed:
            entry = self._entries.get(key)
            expired = entry is not None and entry.until < time.monotonic()
            if entry is None or expired and entry.value is None:
                entry = self._ask(key)
            else:
                self._entries.move_to_end(key)
                if expired:  # good enough until there is a newer one
                    self._want(key)
            if entry is None or entry.value is None:
                return None
            if self._still is None or entry.checked_ns >= ts_ns:
                return entry.value
            return self._checked(key, entry)

    def __len__(self) -> int:
        return len(self._entries)

    def close(self) -> None:
        """End the thread; what it is doing at this moment it finishes, but nobody waits for it."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _checked(self, key: K, entry: _Entry[V]) -> Optional[V]:
        now_ns = _now_ns()
        assert self._still is not None and entry.value is not None
        if self._still(key, entry.value):
            entry.checked_ns = now_ns
            return entry.value
        del self._entries[key]
        asked = self._ask(key)
        return None if asked is None else asked.value

    def _ask(self, key: K) -> Optional[_Entry[V]]:
        """Have ``key`` looked for, and wait for that as long as patience lasts."""
        self._entries.pop(key, None)
        left = self._patience.left()
        if self._want(key) and left > 0:
            began = time.monotonic()
            self._changed.wait_for(lambda: key in self._entries, left)
            self._patience.spend(time.monotonic() - began)
        return self._entries.get(key)

    def _want(self, key: K) -> bool:
        """Put ``key`` on the list, unless that is full."""
        if len(self._wanted) >= self._size or self._closed:
            return False
        if self._thread is None:
            thread = Background(self._work)
            if not thread.start():  # go on without names
                return False
            self._thread = thread
        self._wanted.add(key)
        self._changed.notify_all()
        return True

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or bool(self._wanted))
                if self._closed:
                    return
                keys = set(self._wanted)
            began, began_ns = time.monotonic(), _now_ns()
            try:
                found = self._find(keys)
            except (OSError, MemoryError):
                found = {}  # not this time; it is tried again
            with self._changed:
                self._wanted -= keys
                self._keep(keys, found, began_ns)
                self._changed.notify_all()
                looked = time.monotonic() - began
                if looked > SHORT:
                    self._changed.wait_for(lambda: self._closed, REST * looked)

    def _keep(self, keys: Set[K], found: Dict[K, V], checked_ns: int) -> None:
        now = time.monotonic()
        for key in keys:
            value = found.get(key)
            until = now + (RETRY if value is None else self._fresh)
            self._entries[key] = _Entry(value, checked_ns, until)
        while len(self._entries) > self._size:
            self._entries.popitem(last=False)


def _now_ns() -> int:
    """As ``Event.ts_ns``. Rounded down, so it never claims to be younger than it is."""
    return host_monotonic_ns() - 1000
