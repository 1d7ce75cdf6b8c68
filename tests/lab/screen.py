"""A command on a terminal of its own, and what a person would see there."""
import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import time
from types import TracebackType
from typing import Any, Callable, Dict, List, Optional, Type

import pyte

from .terminal import all_drawn

KEYS = {"enter": b"\r", "escape": b"\x1b", "up": b"\x1b[A", "down": b"\x1b[B", "suspend": b"\x1a", "interrupt": b"\x03"}


class Screen:
    """`argv` runs in a session whose controlling terminal this is; stderr is the terminal too."""

    def __init__(self, argv: List[str], columns: int = 80, lines: int = 24, **variables: Optional[str]) -> None:
        self.screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.settings = termios.tcgetattr(theirs)
        environment: Dict[str, Any] = dict(os.environ, TERM="xterm-256color", LANG="C.UTF-8")
        for name in ("NO_COLOR", "LC_ALL", "LC_CTYPE"):
            environment.pop(name, None)
        for name, value in variables.items():
            if value is None:
                environment.pop(name, None)
            else:
                environment[name] = value
        self._theirs = theirs
        self.process = subprocess.Popen(
            ["setsid", "--ctty", "--wait"] + argv, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
        os.set_blocking(self._ours, False)

    def read(self) -> None:
        """Take in what was drawn."""
        while True:
            try:
                data = os.read(self._ours, 65536)
            except BlockingIOError:
                return
            self._draw(data)

    def _draw(self, data: bytes) -> None:
        self.raw += data
        # pyte knows no alternate screen: what is drawn there starts from nothing
        self._stream.feed(data.replace(b"\x1b[?1049l", b"\x1b[H\x1b[2J"))

    @property
    def lines(self) -> List[str]:
        self.read()
        return [line.rstrip() for line in self.screen.display]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def wait(self, shown: Callable[[str], Any], what: str, seconds: float = 15.0) -> str:
        """Until the screen shows that; returns the screen."""
        deadline = time.monotonic() + seconds
        while True:
            text = self.text
            if shown(text):
                return text
            if time.monotonic() > deadline:
                raise AssertionError("no {} within {} s (exit code {}) on:\n{}".format(
                    what, seconds, self.process.poll(), text))
            time.sleep(0.02)

    def press(self, *keys: str) -> None:
        for key in keys:
            os.write(self._ours, KEYS.get(key, key.encode()))

    def resize(self, columns: int, lines: int) -> None:
        self.read()
        self.screen.resize(lines, columns)
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    @property
    def as_before(self) -> bool:
        """The terminal's settings are those from before, and its cursor and first screen are back."""
        self.read()
        shown = self.raw.rfind(b"\x1b[?25h") > self.raw.rfind(b"\x1b[?25l")
        first = self.raw.rfind(b"\x1b[?1049l") > self.raw.rfind(b"\x1b[?1049h")
        return termios.tcgetattr(self._theirs) == self.settings and shown and first

    def end(self, seconds: float = 15.0) -> int:
        """Wait for the end; returns the exit code."""
        deadline = time.monotonic() + seconds
        while self.process.poll() is None:
            self.read()
            assert time.monotonic() < deadline, "still there:\n" + self.text
            time.sleep(0.01)
        self._draw(all_drawn(self._ours, self._theirs))
        return self.process.returncode

    def __enter__(self) -> "Screen":
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        if self.process.poll() is None:
            self.press("interrupt")
            try:
                self.end(5)
            except AssertionError:
                pass
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL) if os.getpgid(self.process.pid) == self.process.pid else None
            self.process.kill()
        self.process.wait()
        os.close(self._ours)
        os.close(self._theirs)


def top(*options: str, columns: int = 80, lines: int = 24, **variables: Optional[str]) -> Screen:
    """`top` on a terminal of that size."""
    return Screen([sys.executable, "-m", "retrans_ctypes", "top"] + list(options), columns, lines, **variables)
