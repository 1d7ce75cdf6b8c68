"""A thread in the background: where there is none, and where it dies before it ran."""
import _thread
import threading
import time
from typing import Any

import pytest
from retrans_ctypes.background import Background
from retrans_ctypes.cli import threads
from retrans_ctypes.errors import RetransError


def test_runs_and_ends() -> None:
    go_on = threading.Event()
    def wait() -> None:
        go_on.wait(30)
    thread = Background(wait)
    assert thread.ends_within(0)
    assert thread.start() and thread.runs_within(30) and not thread.ends_within(0.01)
    go_on.set()
    assert thread.ends_within(30) and thread.runs_within(0)


@pytest.mark.parametrize("error", [RuntimeError("can't start new thread"), MemoryError()])
def test_none_to_be_had(monkeypatch: Any, error: Exception) -> None:
    def refuse(*_: Any) -> None:
        raise error
    monkeypatch.setattr(_thread, "start_new_thread", refuse)
    thread = Background(lambda: None)
    assert not thread.start() and thread.ends_within(0)
    with pytest.raises(RetransError, match="the system gives none: see what limits"):
        threads.begin(thread)


def test_it_dies_before_it_runs(monkeypatch: Any) -> None:
    """Where memory runs out then; threading.Thread would wait for it for ever."""
    monkeypatch.setattr(_thread, "start_new_thread", lambda *_: 1)
    monkeypatch.setattr(threads, "SECONDS", 0.1)
    began = time.monotonic()
    with pytest.raises(RetransError):
        threads.begin(Background(lambda: None))
    assert time.monotonic() - began < 20


def test_it_ends_however_it_fails(monkeypatch: Any) -> None:
    def fail() -> None:
        raise MemoryError
    told = []
    monkeypatch.setattr("sys.unraisablehook", told.append)
    thread = Background(fail)
    assert thread.start() and thread.ends_within(30)
    deadline = time.monotonic() + 30
    while not told:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert told[0].exc_type is MemoryError
