"""How a tracer ends: stop, close, Ctrl-C, exceptions, from this thread and from others."""
import os
import signal
import sys
import threading
import time
from typing import Any, Callable, List

import pytest
from lab import commands, ways
from lab.counters import Counters
from lab.link import V4, Lab
from lab.load import Load, run
from lab.traffic import connecting
from retrans_ctypes import UsageError
from retrans_ctypes._abi import NativeCount

AT_ONCE = 4.0  # generous on a busy machine; the promise is 'at once'


def after(seconds: float, job: Callable[[], Any]) -> threading.Timer:
    timer = threading.Timer(seconds, job)
    timer.start()
    return timer


@pytest.mark.parametrize("wait", [
    lambda tracer: list(tracer),
    lambda tracer: tracer.poll(30),
    lambda tracer: tracer.run(lambda event: None),
], ids=["iteration", "poll", "run"])
def test_stop_from_another_thread(tracer: Any, wait: Callable[[Any], Any]) -> None:
    timer = after(0.3, tracer.stop)
    started = time.monotonic()
    while time.monotonic() - started < 0.29:  # poll() may return early with somebody else's event
        wait(tracer)
    timer.join()
    wait(tracer)
    assert time.monotonic() - started < 0.3 + AT_ONCE


def test_stop_from_a_signal_handler(tracer: Any) -> None:
    before = signal.signal(signal.SIGUSR1, lambda number, frame: tracer.stop())
    try:
        timer = after(0.3, lambda: os.kill(os.getpid(), signal.SIGUSR1))
        started = time.monotonic()
        list(tracer)
        assert time.monotonic() - started < 0.3 + AT_ONCE
        timer.join()
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_what_came_before_stop_is_still_handed_out(lab: Lab, tracer: Any) -> None:
    counters = Counters(lab.client)
    with connecting(lab.client, V4.dead, count=3):
        counters.wait("TCPSynRetrans", 3)
    tracer.stop()
    assert len([event for event in tracer if event.netns == lab.client.inode]) == 3
    assert list(tracer) == []


def test_close_from_another_thread_during_poll(nothing_left_behind: None) -> None:
    from retrans_ctypes import RetransError, Tracer

    tracer = Tracer()
    ended: List[BaseException] = []

    def wait() -> None:
        try:
            while True:
                tracer.poll(30)
        except RetransError as error:
            ended.append(error)

    reader = threading.Thread(target=wait)
    reader.start()
    time.sleep(0.3)
    started = time.monotonic()
    tracer.close()
    reader.join(2)
    assert not reader.is_alive()
    assert time.monotonic() - started < AT_ONCE
    assert len(ended) == 1


def test_close_twice_and_use_after_close(nothing_left_behind: None) -> None:
    from retrans_ctypes import RetransError, Tracer

    with Tracer() as tracer:
        tracer.close()
        tracer.close()
    tracer.stop()
    for use in (tracer.fileno, tracer.stats, lambda: tracer.poll(0), lambda: tracer.run(print)):
        with pytest.raises(RetransError):
            use()


class Oops(Exception):
    pass


@pytest.mark.parametrize("kind", [Oops, KeyboardInterrupt, SystemExit])
def test_exception_in_a_callback_comes_out(lab: Lab, tracer: Any, kind: Any) -> None:
    thrown = kind("from the callback")
    calls = []

    def callback(event: Any) -> None:
        calls.append(event)
        raise thrown

    with connecting(lab.client, V4.dead, count=3), pytest.raises(kind) as caught:
        tracer.run(callback)
    assert caught.value is thrown
    assert len(calls) == 1, "the loop goes on after the exception"
    tracer.poll(0)  # the tracer is still usable


def test_run_calls_back_until_stop(lab: Lab, tracer: Any) -> None:
    events: List[Any] = []

    def callback(event: Any) -> None:
        if event.netns == lab.client.inode:
            events.append(event)
            tracer.stop()

    with connecting(lab.client, V4.dead):
        tracer.run(callback)
    assert [event.reason for event in events] == ["syn"]


def test_close_inside_a_callback(lab: Lab, nothing_left_behind: None) -> None:
    from retrans_ctypes import RetransError, Tracer

    tracer = Tracer()
    with connecting(lab.client, V4.dead):
        tracer.run(lambda event: tracer.close())
    with pytest.raises(RetransError):
        tracer.stats()


WAITS = {
    "poll": "tracer.poll(60)",
    "iteration": "list(tracer)",
    "run": "tracer.run(lambda event: None)",
    "poll_in_a_thread": "in_a_thread(lambda: list(tracer))",
    "run_in_a_thread": "in_a_thread(lambda: tracer.run(lambda event: None))",
}
INTERRUPTED = """
import threading
from retrans_ctypes import Tracer

def in_a_thread(wait):
    thread = threading.Thread(target=wait)
    thread.start()
    thread.join()

with Tracer() as tracer:
    try:
        print("Tracing", flush=True)
        while True:
            {}
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


@pytest.mark.parametrize("wait", WAITS.values(), ids=WAITS)
def test_ctrl_c_raises_keyboard_interrupt_at_once(nothing_left_behind: None, wait: str) -> None:
    """And the end of the `with` block ends a thread that still waits."""
    with commands.Child([sys.executable, "-c", INTERRUPTED.format(wait)]) as child:
        child.wait_tracing()
        time.sleep(0.3)
        child.interrupt()
        pressed = time.monotonic()
        child.wait_line("interrupted", seconds=5)
        assert time.monotonic() - pressed < AT_ONCE
        code, _, errors = child.end()
    assert (code, errors) == (0, [])


@pytest.mark.parametrize("number", [
    signal.SIGKILL, signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.full)],
    ids=lambda number: number.name)
@pytest.mark.parametrize("way", ways.TYPED + ways.TRACEFS, ids=lambda way: way.name)
def test_every_end_leaves_nothing_attached(nothing_left_behind: None, way: ways.Way, number: int) -> None:
    """The fixture compares `bpftool prog` and `bpftool link` before and after."""
    command = commands.module("--attach", way.attach, "--buffer", way.buffer)
    if way.attach == "tp":
        command = ways.shell("mount -t tracefs tracefs " + ways.TRACING) + command
    with commands.Child(command) as child:
        child.wait_tracing()
        child.interrupt(number)
        assert child.end()[0] == (-number if number == signal.SIGKILL else 0)


def test_stop_ends_run_although_events_keep_coming(lab: Lab, tracer: Any) -> None:
    """Detached at once: what is left is what the ring held at that moment."""
    calls = []

    def slow(event: Any) -> None:
        if not calls:
            after(0.0, tracer.stop)
        calls.append(event)
        time.sleep(0.02)

    load = threading.Thread(target=run, args=(lab, Load(V4, loss=200, seconds=3)))
    load.start()
    started = time.monotonic()
    tracer.run(slow)
    assert tracer.ended and tracer.stats().drained == tracer.stats().events == len(calls)
    assert len(calls) * 0.02 <= time.monotonic() - started
    load.join()
    assert tracer.stats().events == len(calls), "still attached after stop"


def test_close_in_a_callback_passes_nothing_more_on(lab: Lab, nothing_left_behind: None) -> None:
    from retrans_ctypes import Tracer

    with Tracer() as tracer:
        counters = Counters(lab.client)
        with connecting(lab.client, V4.dead, count=5):
            counters.wait("TCPSynRetrans", 5)  # they wait in the ring
        calls = []

        def close(event: Any) -> None:
            calls.append(event)
            tracer.close()

        tracer.run(close)
        assert len(calls) == 1 and tracer.ended


INTERRUPTED_OPEN = """
import os, signal
from retrans_ctypes import Tracer
signal.signal(signal.SIGALRM, signal.default_int_handler)
Tracer().close()
interrupted = 0
for step in range(1, 25):
    try:
        signal.setitimer(signal.ITIMER_REAL, step * 0.004)
        Tracer().close()
        signal.setitimer(signal.ITIMER_REAL, 0)
    except KeyboardInterrupt:
        interrupted += 1
left = 0
for fd in os.listdir("/proc/self/fd"):
    try:
        left += "bpf" in os.readlink("/proc/self/fd/" + fd)
    except OSError:
        pass
print(interrupted, left)
"""


def test_ctrl_c_while_opening_leaves_nothing_attached(nothing_left_behind: None) -> None:
    code, out, err = commands.run([sys.executable, "-c", INTERRUPTED_OPEN])
    assert code == 0, err
    interrupted, left = out[0].split()
    assert int(interrupted) > 0 and left == "0", out


STORM = """
import signal
from retrans_ctypes import Tracer
signal.signal(signal.SIGALRM, lambda number, frame: None)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
for _ in range(5):
    Tracer().close()
signal.setitimer(signal.ITIMER_REAL, 0)
print("opened")
"""


def test_opening_under_a_storm_of_signals(nothing_left_behind: None) -> None:
    """As under a profiler's timer: the verifier gives up while a signal is pending."""
    code, out, err = commands.run([sys.executable, "-c", STORM])
    assert (code, out) == (0, ["opened"]), err


def test_a_forked_childs_stop_is_not_ours(tracer: Any) -> None:
    child = os.fork()
    if not child:
        try:
            tracer._pid = os.getpid()  # as a C program would: no guard
            tracer.stop()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    before = time.thread_time()
    deadline = time.monotonic() + 0.5
    while time.monotonic() < deadline:
        tracer.poll(deadline - time.monotonic())
    assert not tracer.ended
    assert time.thread_time() - before < 0.3, "the parent spins"


@pytest.mark.parametrize("ask, more", [
    ("tcpretrans_drain", ()), ("tcpretrans_netns", ()), ("tcpretrans_counts", (NativeCount(),))])
def test_room_that_is_not_there_is_refused(tracer: Any, ask: str, more: Any) -> None:
    native = tracer._open_native()
    with pytest.raises(UsageError):
        getattr(native._native, ask)(native._open_handle(), None, 1, *more)
    assert getattr(native._native, ask)(native._open_handle(), None, 0, *more) >= 0
