"""Ctrl-C and SIGTERM as a request: the first one asks, the second one insists. And SIGHUP, which may
ask for something else."""

import os
import signal
import time
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Callable, Dict, Iterator, Optional, Type

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_ONE = 0.3  # seconds in which two are one: timeout(1) sends each twice, to its child and to the group


@contextmanager
def postponed() -> Iterator[None]:
    """Around what must not be left half done: such signals come when it is over."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class StopSignals:
    """While entered, the first such signal calls what ``stop_with()`` named last.

    The second, unless it comes with the first, raises KeyboardInterrupt. An ignored signal (nohup) stays
    ignored. ``hangup``: called by SIGHUP in place of all that, unless our terminal is gone.
    """

    def __init__(self, hangup: Optional[Callable[[], None]] = None) -> None:
        self.came = False
        self._came_at = 0.0
        self._hangup = hangup
        self._had_terminal = _has_terminal()
        self._later = self._insisted = False
        self._stop: Optional[Callable[[], None]] = None
        self._previous: Dict[signal.Signals, Any] = {}

    def __enter__(self) -> "StopSignals":
        for number in _SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:
                self._previous[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self._restore()

    def stop_with(self, stop: Callable[[], None]) -> None:
        """Call ``stop`` on the first signal; at once, if that came already."""
        self._stop = stop
        if self.came:
            stop()

    @contextmanager
    def not_now(self) -> Iterator[None]:
        """What insists meanwhile is raised when this is over."""
        self._later = True
        try:
            yield
        finally:
            self._later = False
        if self._insisted:
            raise KeyboardInterrupt

    def _on_signal(self, number: int, frame: Optional[FrameType]) -> None:
        if number == signal.SIGHUP and self._hangup is not None and _has_terminal() == self._had_terminal:
            self._hangup()
            return
        # Handlers stay as they are: changing them in here, Python itself trips over the next signal.
        now = time.monotonic()
        if self.came and now - self._came_at < _ONE:
            return
        if self.came and self._later:
            self._insisted = True
        elif self.came:
            raise KeyboardInterrupt
        self.came, self._came_at = True, now
        if self._stop is not None:
            self._stop()

    def _restore(self) -> None:
        for number in list(self._previous):
            signal.signal(number, self._previous.pop(number))


def _has_terminal() -> bool:
    """Whether there is a terminal that Ctrl-C may come from, wherever the output goes."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True
