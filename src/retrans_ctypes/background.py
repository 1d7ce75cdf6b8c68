"""Threads in the background, which the end of the process need not wait for.

threading.Thread.start() waits until the new thread says that it runs, and where memory runs out just then that
wait has no end: a tracer would hang, and hold its buffer, for want of a few bytes.
"""

import _thread
from typing import Callable


class Background:
    """``run``, in a thread of its own."""

    def __init__(self, run: Callable[[], None]) -> None:
        self._run = run
        self._to_begin = _thread.allocate_lock()
        self._to_end = _thread.allocate_lock()

    def start(self) -> bool:
        """False where the system gives no thread."""
        self._to_begin.acquire()
        self._to_end.acquire()
        try:
            _thread.start_new_thread(self._body, ())
        except (RuntimeError, MemoryError):
            self._to_begin.release()
            self._to_end.release()
            return False
        return True

    def runs_within(self, seconds: float) -> bool:
        """Whether it began; it may have ended since."""
        return _free_within(self._to_begin, seconds)

    def ends_within(self, seconds: float) -> bool:
        """True where it never was started, too."""
        return _free_within(self._to_end, seconds)

    def _body(self) -> None:
        self._to_begin.release()
        try:
            self._run()
        finally:
            self._to_end.release()


def _free_within(lock: _thread.LockType, seconds: float) -> bool:
    if not lock.acquire(True, seconds):
        return False
    lock.release()
    return True
