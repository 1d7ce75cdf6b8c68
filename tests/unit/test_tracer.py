"""The tracer's behaviour, with the fake library in the kernel's place."""
import gc
import os
import threading
import time
from typing import Any

import pytest
from fake_library import FakeLibrary, FakeNative, packed
from retrans_ctypes import ClosedError, Filter, FilterError, RetransError, Tracer, UsageError
from retrans_ctypes.stats import Stats

SOON = 4.0

# Options that have nothing to do with events, as they are when nobody says otherwise.
COUNTING = {"rate": 0, "burst": 0, "count_by": 0, "count_rows": 0, "prefix4": 24, "prefix6": 64}


def ports(events: Any) -> Any:
    return [event.sport for event in events]


def numbered(*sports: int) -> Any:
    return [packed(sport=sport) for sport in sports]


def in_thread(job: Any) -> threading.Thread:
    thread = threading.Thread(target=job)
    thread.start()
    return thread


def test_options_reach_the_library(fake: FakeLibrary) -> None:
    with Tracer(filter=Filter(family=6), ring_bytes=8192, attach="raw_tp", buffer="ring", btf="/some/btf", _native_library=fake):  # type: ignore[arg-type]
        pass
    assert fake.opened == [{"filter": Filter(family=6), "ring_bytes": 8192, "owners": True, "attach": 2, "buffer": 1,
                            "btf": b"/some/btf", **COUNTING}]


def test_default_options_are_zero(fake: FakeLibrary, tracer: Tracer) -> None:
    assert fake.opened == [{"filter": None, "ring_bytes": 0, "owners": True, "attach": 0, "buffer": 0, "btf": None,
                            **COUNTING}]


@pytest.mark.parametrize("ring_bytes", [-1, 1 << 32])
def test_ring_bytes_that_cannot_be(fake: FakeLibrary, ring_bytes: int) -> None:
    with pytest.raises(UsageError):
        Tracer(ring_bytes=ring_bytes, _native_library=fake)  # type: ignore[arg-type]
    assert fake.opened == []


def test_a_filter_is_changed(tracer: Tracer, native: FakeNative) -> None:
    tracer.set_filter(Filter(family=4))
    tracer.set_filter(Filter())
    tracer.set_filter(None)
    assert native.filters == [Filter(family=4), None, None]
    tracer.close()
    with pytest.raises(ClosedError):
        tracer.set_filter(None)


def test_poll_returns_what_is_there(tracer: Tracer, native: FakeNative) -> None:
    assert tracer.poll(0) == []
    native.push(*numbered(1, 2))
    assert ports(tracer.poll()) == [1, 2]
    assert tracer.poll(0) == []


def test_poll_waits_as_long_as_it_says(tracer: Tracer) -> None:
    for timeout in (0.05, 0.3):
        began = time.monotonic()
        assert tracer.poll(timeout) == []
        assert timeout <= time.monotonic() - began < timeout + SOON


def test_poll_that_is_stopped_after_its_look_looks_again(
        tracer: Tracer, native: FakeNative, monkeypatch: pytest.MonkeyPatch) -> None:
    take, looks = tracer._take, []

    def stopped() -> Any:
        taken = take()
        if not looks:
            native.push(*numbered(1))
            time.sleep(0.1)  # longer than poll() was to wait
        looks.append(taken)
        return taken
    monkeypatch.setattr(tracer, "_take", stopped)
    assert ports(tracer.poll(0.05)) == [1]


def test_poll_wakes_for_an_event(tracer: Tracer, native: FakeNative) -> None:
    thread = in_thread(lambda: (time.sleep(0.05), native.push(*numbered(1))))
    began = time.monotonic()
    assert ports(tracer.poll(30)) == [1]
    assert time.monotonic() - began < SOON
    thread.join()


def test_more_than_a_batch(fake: FakeLibrary, native: FakeNative) -> None:
    native.batch = 2
    native.push(*numbered(1, 2, 3, 4, 5))
    with Tracer(_native_library=fake) as tracer:  # type: ignore[arg-type]
        assert ports(tracer.poll(0)) == [1, 2]
        tracer.stop()
        assert ports(tracer) == [3, 4, 5]
        assert tracer.ended


def test_a_loop_continues_where_the_last_one_left(tracer: Tracer, native: FakeNative) -> None:
    native.push(*numbered(1, 2, 3, 4, 5, 6))
    for event in tracer:
        if event.sport == 2:
            break
    assert next(tracer).sport == 3
    for event in tracer:
        break
    assert ports(tracer.poll()) == [5, 6]


def test_stop_hands_out_the_rest_and_ends(tracer: Tracer, native: FakeNative) -> None:
    native.push(*numbered(1, 2))
    tracer.stop()
    assert not tracer.ended
    assert ports(tracer) == [1, 2]
    assert tracer.ended
    assert tracer.poll() == [] == tracer.poll(5)
    with pytest.raises(StopIteration):
        next(tracer)
    tracer.stop()


def test_stop_from_another_thread_wakes_at_once(tracer: Tracer) -> None:
    thread = in_thread(lambda: (time.sleep(0.05), tracer.stop()))
    began = time.monotonic()
    assert list(tracer) == []
    assert time.monotonic() - began < SOON
    thread.join()


def test_others_may_ask_while_one_waits(tracer: Tracer) -> None:
    waiting = in_thread(lambda: list(tracer))
    time.sleep(0.05)
    began = time.monotonic()
    for _ in range(100):
        tracer.stats()
    assert time.monotonic() - began < SOON, "stats() queues behind somebody's wait"
    tracer.stop()
    waiting.join(SOON)
    assert not waiting.is_alive()


def test_close_while_another_thread_waits(tracer: Tracer, native: FakeNative) -> None:
    seen = []
    waiting = in_thread(lambda: seen.append(list(tracer)))
    time.sleep(0.05)
    tracer.close()
    waiting.join(SOON)
    assert seen == [[]] and native.closed


def test_a_loop_ends_when_another_thread_closes(tracer: Tracer, native: FakeNative) -> None:
    native.push(*numbered(1, 2))
    seen = []
    for event in tracer:
        seen.append(event.sport)
        tracer.close()
    assert seen == [1, 2]  # what was fetched already is still handed out


def test_run_that_was_stopped_has_ended(tracer: Tracer, native: FakeNative) -> None:
    native.push(*numbered(1))
    tracer.run(lambda event: tracer.stop())
    assert tracer.ended and tracer.poll(0) == []


def test_a_forked_child_closes_only_its_copy(tracer: Tracer, native: FakeNative) -> None:
    """Telling the library to stop would wake the parent, with which it shares a descriptor."""
    child = os.fork()
    if not child:
        with tracer._life:
            tracer.close()
        os._exit(0 if native.closed and not native.stopped else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert not native.closed and not tracer.ended


def test_closed(tracer: Tracer, native: FakeNative) -> None:
    tracer.close()
    tracer.close()
    tracer.stop()
    assert native.closed and tracer.ended
    for use in (tracer.poll, tracer.stats, tracer.fileno, lambda: tracer.run(print), lambda: next(tracer)):
        with pytest.raises(ClosedError):
            use()


def test_half_built_tracers_go_quietly(recwarn: Any) -> None:
    with pytest.raises(RetransError, match="no"):
        Tracer(_native_library=FakeLibrary(failure=RetransError("no")))  # type: ignore[arg-type]
    Tracer.__new__(Tracer).__del__()
    gc.collect()
    assert not recwarn.list


def test_a_forgotten_tracer_is_closed_with_a_warning(fake: FakeLibrary) -> None:
    tracer = Tracer(_native_library=fake)  # type: ignore[arg-type]
    with pytest.warns(ResourceWarning, match="unclosed"):
        tracer.__del__()
    assert fake.native.closed


def test_stats_and_descriptor(tracer: Tracer, native: FakeNative) -> None:
    assert tracer.stats() == Stats(*range(1, len(Stats._fields) + 1))
    assert tracer.fileno() == native.reader


def test_run_calls_back_in_order(tracer: Tracer, native: FakeNative) -> None:
    native.push(*numbered(1, 2, 3, 4))
    assert next(tracer).sport == 1  # takes a batch: run() begins with what is left of it
    native.push(*numbered(5))
    native.stopped = True
    seen = []
    tracer.run(lambda event: seen.append(event.sport) or "ignored")  # type: ignore[func-returns-value]
    assert seen == [2, 3, 4, 5]


def test_run_ends_with_the_callbacks_exception(tracer: Tracer, native: FakeNative) -> None:
    native.push(*numbered(1, 2))
    with pytest.raises(KeyError, match="1"):
        tracer.run(lambda event: {}[event.sport])
    native.stopped = True
    assert ports(tracer) == [2]


def test_close_in_a_callback_waits_for_run(tracer: Tracer, native: FakeNative) -> None:
    native.push(*numbered(1, 2))
    closed = []

    def callback(event: Any) -> None:
        tracer.close()
        closed.append(native.closed)

    tracer.run(callback)
    assert closed == [False, False] and native.closed


def test_stats_in_a_callback(tracer: Tracer, native: FakeNative) -> None:
    native.push(*numbered(1))
    native.stopped = True
    seen = []
    tracer.run(lambda event: seen.append(tracer.stats().events))
    assert seen == [1]


def test_run_in_run_is_refused(tracer: Tracer, native: FakeNative) -> None:
    native.push(*numbered(1))
    with pytest.raises(RetransError, match="nested"):
        tracer.run(lambda event: tracer.run(print))
