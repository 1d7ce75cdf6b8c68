"""Events that are held back because nobody knows whose they are: none lost, none out of order."""
import os
import time
from typing import Any, List

from lab.counters import Counters
from lab.link import V4, Lab
from lab.seen import SETTLED, Seen, segments
from lab.traffic import connected, nobodys, take

TCP = "meta l4proto tcp"
HELD = 0.02


def owners(events: List[Any]) -> List[Any]:
    return [event.owner_pid for event in events]


def test_unknown_while_nobody_holds_it(lab: Lab, seen: Seen) -> None:
    counters = Counters(lab.client)
    with nobodys(lab) as line:
        counters.wait("RetransSegs", 2)
        events = seen.of(lab.client)
        assert events and set(owners(events)) == {None}
        assert {event.owner_how for event in events} == {None}
        assert [event.ts_ns for event in events] == sorted(event.ts_ns for event in events)
        with take(line):
            before = len(events)
            counters.wait("RetransSegs", counters.gained()["RetransSegs"] + 1)
            events = seen.of(lab.client)
    assert segments(events) == counters.gained()["RetransSegs"]
    assert set(owners(events[before:])) == {os.getpid()}


def test_held_events_come_after_stop(lab: Lab, tracer: Any) -> None:
    counters = Counters(lab.client)
    with nobodys(lab):
        counters.wait("RetransSegs", 1)
        tracer.stop()
        events = [event for event in tracer if event.netns == lab.client.inode]
    assert segments(events) >= 1
    assert tracer.stats().drained == tracer.stats().events


def test_held_events_make_the_descriptor_readable(lab: Lab, tracer: Any) -> None:
    """poll() on the descriptor, then on the tracer: that is how an event loop waits."""
    counters = Counters(lab.client)
    late: List[float] = []
    with nobodys(lab):
        deadline = time.monotonic() + 20
        while len(late) < 3 and time.monotonic() < deadline:
            for event in tracer.poll(5):
                if event.netns == lab.client.inode:
                    late.append(time.monotonic() - event.ts_ns / 1e9)
    assert len(late) >= 3
    assert min(late) >= HELD - 0.001  # held, and then not forgotten
    assert counters.gained()["RetransSegs"] >= 3


def test_owners_can_be_left_out(lab: Lab) -> None:
    from retrans_ctypes import Tracer

    with Tracer(owners=False) as tracer, connected(lab, V4) as (client, _):
        seen = Seen(tracer)
        counters = Counters(lab.client)
        lab.drop(lab.server, TCP)
        client.send(b"x")
        counters.wait("RetransSegs", 2)
        time.sleep(SETTLED)
        events = seen.of(lab.client)
    assert len(events) >= 2
    assert {(event.owner_pid, event.owner_how, event.owner_shared) for event in events} == {(None, None, None)}
