"""Reading what is no regular file, so that it can be left while nothing comes."""

import io
import os
import select
import stat
from typing import Any, BinaryIO, Callable, Optional

START = 64 << 10  # bytes: more than a line has, mostly
_TICK = 0.2  # seconds between looks at whether to wait on

Waiting = Callable[[], bool]


def open_file(path: str, waiting: Optional[Waiting]) -> BinaryIO:
    """Raises OSError, and ValueError for a path that cannot be."""
    if stat.S_ISREG(os.stat(path).st_mode):
        return open(path, "rb")
    return io.BufferedReader(Piped(path, waiting), START)  # type: ignore[return-value,unused-ignore]


class Piped(io.FileIO):
    """A pipe, FIFO or device. Nobody may write to it yet, or for long.

    Python would restart open(2) and read(2) after a signal, so neither may block: this is a description
    of our own, also of /dev/stdin.
    """

    def __init__(self, path: str, waiting: Optional[Waiting]) -> None:
        super().__init__(path, "r", opener=_open)
        self.ended = False
        """All that was written has been read."""
        self._waiting = waiting
        self._begun = False
        self._poller = select.poll()
        self._poller.register(self.fileno(), select.POLLIN)

    def readinto(self, buffer: Any) -> int:
        """At first up to the end of a line, however it was written: that tells what it is."""
        view = memoryview(buffer)
        count = size = self._read(view)
        while not self._begun and size and count < len(view) and b"\n" not in bytes(view[count - size:count]):
            size = self._read(view[count:])
            count += size
        self._begun = True
        return count

    def _read(self, view: memoryview) -> int:
        """0 at its end, and where nobody wants to wait for it."""
        while self._waiting is None or self._waiting():
            if self._poller.poll(None if self._waiting is None else _TICK * 1000):
                size = super().readinto(view)
                if size is not None:  # else another reader took it
                    self.ended = size == 0
                    return size
        return 0


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)
