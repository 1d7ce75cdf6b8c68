"""A terminal of a given size, and what a command draws on it."""
import fcntl
import os
import pty
import re
import struct
import termios
from contextlib import contextmanager
from typing import Iterator, List


_PAINT = re.compile(r"\x1b\[[0-9;]*m")


def unpainted(lines: List[str]) -> List[str]:
    """Without colours; whatever else a terminal obeys stays in."""
    return [_PAINT.sub("", line) for line in lines]


class Terminal:
    """``writer`` is for the command, ``lines()`` returns the lines so far."""

    def __init__(self, columns: int) -> None:
        self._reader, self.writer = pty.openpty()
        os.set_blocking(self._reader, False)
        self._drawn = b""
        fcntl.ioctl(self.writer, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def lines(self) -> List[str]:
        while True:
            try:
                self._drawn += os.read(self._reader, 65536)
            except BlockingIOError:
                return self._drawn.decode("utf-8").replace("\r\n", "\n").splitlines()

    def close(self) -> None:
        os.close(self._reader)
        os.close(self.writer)


@contextmanager
def terminal(columns: int) -> Iterator[Terminal]:
    opened = Terminal(columns)
    try:
        yield opened
    finally:
        opened.close()
