"""Taking events from a tracer in a thread of its own."""

import threading
import time
from collections import deque
from types import TracebackType
from typing import Deque, Optional, Type

from ..background import Background
from ..event import Event
from ..tracer import Tracer
from .follow import MOMENT, SMALL
from .threads import SECONDS, begin

MOST = 65536 * Event.LAYOUT.size
"""Bytes that may wait to be counted. What comes then waits in the kernel's buffer, which counts what
it has no room for."""

_TICK = 0.2  # seconds between looks whether this is to end
_SIZE = 8192  # events at once: each batch has to wait for its turn while the other thread counts


class Taker:
    """Takes batches out of the kernel's buffer meanwhile, so that a burst finds room there however long
    its user is busy with drawing. A context manager; take() and ``ended`` are for the other thread.
    """

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._taken: Deque[bytes] = deque()
        self._bytes = 0
        self._lock = threading.Lock()
        self._leaving = False
        self._error: Optional[BaseException] = None
        self._thread = Background(self._run)

    def __enter__(self) -> "Taker":
        begin(self._thread)
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self._leaving = True
        self._thread.ends_within(SECONDS)

    def take(self) -> Optional[bytes]:
        """The next batch of packed events, None while there is none. Raises what taking them raised."""
        with self._lock:
            if self._taken:
                batch = self._taken.popleft()
                self._bytes -= len(batch)
                return batch
        if self._error is not None:
            raise self._error
        return None

    @property
    def ended(self) -> bool:
        """Whether tracing ended, and everything was taken."""
        return self._thread.ends_within(0) and not self._taken and self._error is None

    def _run(self) -> None:
        try:
            while not self._leaving and not self._tracer.ended:
                if self._bytes >= MOST:
                    time.sleep(MOMENT)
                    continue
                batch = bytes(self._tracer.poll_batch(_TICK, _SIZE))
                if batch:
                    with self._lock:
                        self._taken.append(batch)
                        self._bytes += len(batch)
                if 0 < len(batch) < SMALL:
                    time.sleep(MOMENT)
        except BaseException as error:  # for the thread that asks
            self._error = error
