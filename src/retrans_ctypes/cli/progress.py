"""A bar on stderr for what takes a while."""

import os
import sys
import time
from typing import Optional

_AFTER = 1.0  # seconds: what is quicker needs none
_EVERY = 0.1
_BAR = 30  # columns, at most
_LEAST = 5
_CLEAR = "\r\x1b[K"


class Progress:
    """Shown only on a terminal, and not on one that the output goes to."""

    def __init__(self, what: str, quiet: bool = False) -> None:
        """``what``: in plain letters. ``quiet``: nothing is written to the output meanwhile."""
        self._what = what
        self._begun = time.monotonic()
        self._next = self._begun + _AFTER if _has_terminal(quiet) else float("inf")
        self._shown = False

    def show(self, share: Optional[float], count: int) -> None:
        """How much is done, and how many events that was."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + _EVERY
        self._shown = True
        self._write(_CLEAR + self._line(share, count, now - self._begun))

    def clear(self) -> None:
        """Take it away; to be called before anything else goes to the terminal."""
        if self._shown:
            self._shown = False
            self._write(_CLEAR)

    def _line(self, share: Optional[float], count: int, spent: float) -> str:
        if share is None:
            return "{}: {:,} events".format(self._what, count)[:_width() - 1]
        left = ", {:.0f} s left".format(spent / share - spent) if share else ""
        told = "{} {:.0f} %, {:,} events{}".format(self._what, share * 100, count, left)[:_width() - 1]
        room = min(_BAR, _width() - len(told) - 4)
        done = int(share * room)
        return told if room < _LEAST else "{} [{}{}]".format(told, "#" * done, "." * (room - done))

    @staticmethod
    def _write(text: str) -> None:
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except (OSError, ValueError):
            pass


def _has_terminal(quiet: bool) -> bool:
    try:
        if sys.stderr is None or not os.isatty(2):
            return False
        return quiet or not os.isatty(1) or os.fstat(1).st_rdev != os.fstat(2).st_rdev
    except OSError:
        return False


def _width() -> int:
    try:
        return os.get_terminal_size(2).columns or 80
    except OSError:
        return 80
