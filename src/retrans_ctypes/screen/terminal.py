"""The terminal that ``top`` runs on: taken over while it draws, and given back whatever happens."""

import os
import select
import signal
import termios
from types import TracebackType
from typing import Any, Dict, List, Optional, Sequence, Tuple, Type

from ..errors import OutputError
from ..sinks.output import Output
from .keys import Keys

_ENTER = "\x1b[?1049h\x1b[?25l\x1b[2J"  # alternate screen, no cursor
_LEAVE = "\x1b[0m\x1b[?25h\x1b[?1049l"
_ESCAPE = 0.05  # seconds in which the rest of a key's sequence comes
_LOCAL, _CONTROL = 3, 6  # places in what tcgetattr() returns


class Terminal:
    """A context manager; ``output`` is where it draws, ``keys`` the descriptor that keys come from, None
    for no keys. Ctrl-Z and a changed size are handled meanwhile; Ctrl-C is left to others.

    For the main thread.
    """

    def __init__(self, output: Output, descriptor: int = 1, keys: Optional[int] = 0) -> None:
        self._output = output
        self._descriptor = descriptor
        self._keys = keys if keys is not None and os.isatty(keys) else None
        self._decoder = Keys()
        self._before: Optional[List[Any]] = None  # settings of the terminal
        self._handlers: Dict[int, Any] = {}
        self._entered = False
        self._reader = self._writer = -1
        self.changed = True
        """Whether all has to be drawn anew: another size, or other things were on the screen."""

    def __enter__(self) -> "Terminal":
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        try:
            for number, handler in ((signal.SIGWINCH, self._on_size), (signal.SIGTSTP, self._on_stop)):
                if signal.getsignal(number) != signal.SIG_IGN:
                    self._handlers[number] = signal.signal(number, handler)
            self._take()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers.clear()
        try:
            self._give_back()
        except OutputError:
            if kind is None:
                raise
        finally:
            os.close(self._reader)
            os.close(self._writer)

    def size(self) -> Tuple[int, int]:
        """Columns and lines; 80 and 24 where the terminal does not say."""
        try:
            size = os.get_terminal_size(self._descriptor)
        except OSError:
            return 80, 24
        return size.columns or 80, size.lines or 24

    def draw(self, lines: Sequence[str]) -> None:
        """Show these lines from the top. Each is cleared just before it is written over, so nothing
        flickers; clearing the rest behind it would take the last letter of a full line."""
        text = "\x1b[H" + "\r\n".join("\x1b[K" + line + "\x1b[0m" for line in lines)
        changed, self.changed = self.changed, False  # a size that changes from here on is for the next time
        self._send(("\x1b[2J" if changed else "") + text)

    def wait(self, seconds: float, *descriptors: int) -> List[str]:
        """Wait until a key is pressed, one of ``descriptors`` is ready, or time is up; returns the keys."""
        poller = select.poll()
        for descriptor in (self._reader, *descriptors):
            poller.register(descriptor, select.POLLIN)
        if self._keys is not None:
            poller.register(self._keys, select.POLLIN)
        ready = dict(poller.poll(max(0.0, _ESCAPE if self._decoder.waiting else seconds) * 1000))
        if self._reader in ready:
            os.read(self._reader, 512)
        if self._keys is None or self._keys not in ready:
            return self._decoder.give(b"") if self._decoder.waiting else []
        return self._read(self._keys)

    def _read(self, descriptor: int) -> List[str]:
        try:
            data = os.read(descriptor, 1024)
        except OSError:
            data = b""
        if not data:
            self._keys = None  # it was closed, so no key will come
        return self._decoder.give(data)

    def _take(self) -> None:
        if self._keys is not None:
            try:
                self._before = termios.tcgetattr(self._keys)
                raw = termios.tcgetattr(self._keys)
                raw[_LOCAL] &= ~(termios.ICANON | termios.ECHO)
                raw[_CONTROL][termios.VMIN], raw[_CONTROL][termios.VTIME] = 1, 0
                termios.tcsetattr(self._keys, termios.TCSADRAIN, raw)
            except termios.error:
                self._keys = None
        self._entered = True
        self.changed = True
        self._send(_ENTER)

    def _give_back(self) -> None:
        before, self._before = self._before, None
        try:
            if before is not None and self._keys is not None:
                termios.tcsetattr(self._keys, termios.TCSADRAIN, before)
        except termios.error:
            pass  # it is gone
        finally:
            if self._entered:
                self._entered = False
                self._send(_LEAVE)

    def _send(self, text: str) -> None:
        self._output.write(memoryview(text.encode("utf-8", "backslashreplace")))

    def _wake(self) -> None:
        self.changed = True
        try:
            os.write(self._writer, b"!")
        except OSError:
            pass  # full, so it wakes anyway

    def _on_size(self, number: int, frame: Any) -> None:
        self._wake()

    def _on_stop(self, number: int, frame: Any) -> None:
        """Ctrl-Z: the shell gets its terminal as it was, and takes it away until 'fg'."""
        self._give_back()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, self._on_stop)
        self._take()
        self._wake()
