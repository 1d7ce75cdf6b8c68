"""Events are taken while their reader is busy, and what goes wrong meanwhile is told to it."""
import time
from typing import Any, List

import pytest
from fake_library import packed
from retrans_ctypes.cli import taking
from retrans_ctypes.cli.taking import Taker
from retrans_ctypes.event import Event


def all_of(taker: Taker) -> List[int]:
    found: List[int] = []
    deadline = time.monotonic() + 10
    while not taker.ended:
        assert time.monotonic() < deadline
        batch = taker.take()
        found += [event.ts_ns for event in Event.read(batch)] if batch else []
    return found


def test_everything_comes_in_order_up_to_the_end(tracer: Any, native: Any) -> None:
    native.push(*[packed(ts_ns=number) for number in range(100)])
    with Taker(tracer) as taker:
        deadline = time.monotonic() + 10
        while native.waiting:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        native.push(packed(ts_ns=100))
        tracer.stop()
        assert all_of(taker) == list(range(101))


def test_it_takes_no_more_than_may_wait(tracer: Any, native: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(taking, "MOST", 10 * Event.LAYOUT.size)
    native.batch = 4
    native.push(*[packed(ts_ns=number) for number in range(100)])
    with Taker(tracer) as taker:
        deadline = time.monotonic() + 10
        while len(native.waiting) > 100 - 10:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        time.sleep(0.3)
        assert 100 - 10 - 4 <= len(native.waiting) < 100
        tracer.stop()
        assert all_of(taker) == list(range(100))


def test_what_it_raises_comes_here(tracer: Any, native: Any, monkeypatch: Any) -> None:
    def broken() -> int:
        raise OSError("broken")
    monkeypatch.setattr(native, "poll", broken)
    with pytest.raises(OSError, match="broken"), Taker(tracer) as taker:
        all_of(taker)


def test_leaving_ends_the_thread(tracer: Any) -> None:
    with pytest.raises(KeyboardInterrupt), Taker(tracer) as taker:
        raise KeyboardInterrupt
    assert taker.ended and not tracer.ended
