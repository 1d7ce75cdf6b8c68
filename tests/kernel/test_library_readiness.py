"""One event on a quiet host must wake whoever waits on fileno(), with every kind of waiting."""
import asyncio
import select
import threading
import time
from typing import Any, Callable, List, Tuple

import pytest
from lab.link import V4, Lab
from lab.traffic import connecting

# A SYN is sent again after one second; the tracer may gather events for a moment before it wakes.
SOON = 1.0 + 4.0
NEVER = 10.0


def by_select(fd: int) -> None:
    select.select([fd], [], [], NEVER)


def by_poll(fd: int) -> None:
    waiter = select.poll()
    waiter.register(fd, select.POLLIN)
    waiter.poll(NEVER * 1000)


def by_epoll(fd: int) -> None:
    with select.epoll() as waiter:
        waiter.register(fd, select.EPOLLIN)
        waiter.poll(NEVER)


def mine(lab: Lab, events: List[Any]) -> List[Any]:
    return [event for event in events if event.netns == lab.client.inode]


def wait_with(wait: Callable[[int], None], lab: Lab, tracer: Any) -> List[Any]:
    """Wait on the descriptor alone; poll(0) only collects, so it must not be what wakes us."""
    deadline = time.monotonic() + NEVER
    while time.monotonic() < deadline:
        wait(tracer.fileno())
        events = mine(lab, tracer.poll(0))
        if events:
            return events
    return []


@pytest.mark.parametrize("wait", [by_select, by_poll, by_epoll])
def test_one_event_wakes(lab: Lab, tracer: Any, wait: Callable[[int], None]) -> None:
    started = time.monotonic()
    with connecting(lab.client, V4.dead):
        events = wait_with(wait, lab, tracer)
        woken = time.monotonic()
    assert len(events) == 1
    # the timer itself may be late on a busy machine; the wake-up after it must not be
    assert 0.9 < woken - started and woken - events[0].ts_ns / 1e9 < 3


def test_one_event_wakes_asyncio(lab: Lab, tracer: Any) -> None:
    seen: List[Any] = []

    async def watch() -> None:
        loop = asyncio.get_running_loop()
        done = asyncio.Event()

        def readable() -> None:
            seen.extend(mine(lab, tracer.poll(0)))
            if seen:
                done.set()

        loop.add_reader(tracer.fileno(), readable)
        try:
            await asyncio.wait_for(done.wait(), NEVER)
        finally:
            loop.remove_reader(tracer.fileno())

    with connecting(lab.client, V4.dead):
        started = time.monotonic()
        asyncio.run(watch())
        assert time.monotonic() - started < SOON
    assert len(seen) == 1


def test_one_event_wakes_poll_and_iteration(lab: Lab, tracer: Any) -> None:
    """The library's own ways of waiting: poll(timeout) and `for event in tracer`."""
    with connecting(lab.client, V4.dead) as (client,):
        started = time.monotonic()
        events: List[Any] = []
        while not events and time.monotonic() - started < NEVER:
            events = mine(lab, tracer.poll(NEVER))
        assert time.monotonic() - started < SOON
        event = next(event for event in tracer if event.netns == lab.client.inode)
    assert len(events) == 1
    assert event.sport == events[0].sport
    assert event.ts_ns - events[0].ts_ns > 0.9e9  # the second SYN came a second after the first


def wait_a_second(tracer: Any) -> Tuple[int, int]:
    """How often it woke, and how often there was something to fetch."""
    wakes = fetches = 0
    deadline = time.monotonic() + 1.0
    while time.monotonic() < deadline:
        if select.select([tracer.fileno()], [], [], deadline - time.monotonic())[0]:
            fetches += bool(tracer.poll(0))
            wakes += 1
    return wakes, fetches


def test_waiting_costs_next_to_nothing(tracer: Any) -> None:
    """It wakes for events, and once more after each fetch; else for nothing. Where nobody's owner is known at
    once, it looks again; so this takes a second in which others on this host retransmit nothing, if there is one."""
    for _ in range(10):
        before = time.thread_time()
        wakes, fetches = wait_a_second(tracer)
        if not fetches:
            break
    assert wakes <= 2 * fetches + 2
    assert time.thread_time() - before < 0.2


def test_poll_returns_empty_when_time_is_up(tracer: Any) -> None:
    started = time.monotonic()
    while tracer.poll(0.3):
        started = time.monotonic()  # somebody else's retransmit
    assert 0.2 < time.monotonic() - started < 5


def test_events_in_a_thread(lab: Lab, tracer: Any) -> None:
    """A tracer that the main thread opened is read by another one until it is stopped."""
    events: List[Any] = []
    reader = threading.Thread(target=lambda: events.extend(tracer))
    reader.start()
    with connecting(lab.client, V4.dead):
        deadline = time.monotonic() + NEVER
        while not mine(lab, events) and time.monotonic() < deadline:
            time.sleep(0.02)
    tracer.stop()
    reader.join(2)
    assert not reader.is_alive()
    assert len(mine(lab, events)) == 1
