"""A file descriptor to write to, whose failures are OutputError and OutputClosed."""

import errno
import os
import select
from typing import List

from ..errors import OutputClosed, OutputError
from .printable import locale_encoding


class Output:
    """Collects text and writes it out on flush().

    Writes past Python's own buffers: what cannot be written is then not tried again when the
    interpreter exits, which would print a second error.
    """

    def __init__(self, descriptor: int = 1, name: str = "standard output") -> None:
        self._descriptor = descriptor
        self._name = name
        self._encoding = locale_encoding()
        self._lines: List[str] = []

    def line(self, text: str) -> None:
        """Add one line; flush() shows it."""
        self._lines.append(text)

    def flush(self) -> None:
        """Write all lines out now."""
        if not self._lines:
            return
        data = ("\n".join(self._lines) + "\n").encode(self._encoding, "backslashreplace")
        self._lines.clear()
        self.write(memoryview(data))

    def write(self, data: memoryview) -> None:
        """Write bytes out now; lines that still wait come before."""
        self.flush()
        while data:
            data = data[self._write(data):]

    def check_reader(self) -> None:
        """Raise OutputClosed if nobody can read any more, without waiting for a write to fail."""
        poller = select.poll()
        poller.register(self._descriptor, 0)
        if any(events & select.POLLERR for _, events in poller.poll(0)):
            self._closed()

    def _write(self, data: memoryview) -> int:
        try:
            return os.write(self._descriptor, data)
        except BlockingIOError:  # somebody made the descriptor non-blocking
            poller = select.poll()
            poller.register(self._descriptor, select.POLLOUT)
            poller.poll()
            return 0
        except BrokenPipeError:
            self._closed()
            raise
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            raise OutputError(
                "%s could not be written (%s): %s and start again" % (
                    self._name, error.strerror,
                    "free some space" if full else "check where it goes"), error.errno)

    def _closed(self) -> None:
        raise OutputClosed(
            "whoever read %s went away, so this ended too" % self._name, errno.EPIPE)


class GatheringOutput(Output):
    """Writes much at once: flush() only gathers, and push() shows."""

    MUCH = 256 * 1024  # bytes

    def __init__(self) -> None:
        super().__init__()
        self._gathered = bytearray()

    def write(self, data: memoryview) -> None:
        """Gather bytes; lines that still wait come before."""
        self.flush()
        self._gathered += data
        if len(self._gathered) >= self.MUCH:
            self.push()

    def push(self) -> None:
        """Write all out now."""
        self.flush()
        gathered, self._gathered = self._gathered, bytearray()
        super().write(memoryview(gathered))
