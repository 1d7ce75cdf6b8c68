"""A terminal of a given size, and what a command draws on it."""
import fcntl
import os
import pty
import re
import select
import struct
import termios
from contextlib import contextmanager
from typing import Iterator, List

_PAINT = re.compile(r"\x1b\[[0-9;]*m")
_MARK = b"\x00so far\x00"


def all_drawn(reader: int, writer: int) -> bytes:
    """What was written to a pseudo-terminal so far, and not read yet.

    The kernel carries it over a moment later (drivers/tty/tty_buffer.c), so a mark is written behind it.
    """
    os.write(writer, _MARK)
    drawn = b""
    while _MARK not in drawn:
        assert select.select([reader], [], [], 10)[0], "a terminal gave only {!r}".format(drawn)
        drawn += os.read(reader, 65536)
    return drawn.replace(_MARK, b"")


def unpainted(lines: List[str]) -> List[str]:
    """Without colours; whatever else a terminal obeys stays in."""
    return [_PAINT.sub("", line) for line in lines]


class Terminal:
    """``writer`` is for the command, ``lines()`` returns the lines so far."""

    def __init__(self, columns: int) -> None:
        self._reader, self.writer = pty.openpty()
        self._drawn = b""
        fcntl.ioctl(self.writer, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def lines(self) -> List[str]:
        self._drawn += all_drawn(self._reader, self.writer)
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
