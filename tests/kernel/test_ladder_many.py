"""Many tracers at once, and the limits of a process in the middle of them."""
import gc
import os
import resource
import sys
import threading
from contextlib import ExitStack
from typing import Any, List

import pytest
from lab import commands
from lab.books import check_row, ended, inhabited, row_of
from lab.counters import Counters
from lab.link import V4, Lab
from lab.load import Load, run
from lab.seen import segments
from lab.ways import ALL, TYPED, tracing

MANY = 64
SMALL = 256 << 10


def test_one_of_each_way_at_once(lab: Lab) -> None:
    """They do not disturb each other: each accounts for everything."""
    with inhabited(lab), ExitStack() as stack:
        tracers = [(way, stack.enter_context(tracing(way))) for way in ALL]
        counters = Counters(lab.client)
        run(lab, Load(V4, flows=8, loss=100, seconds=1.0))
        kernel = counters.gained()["RetransSegs"]
        told = [(way, tracer, ended(tracer)) for way, tracer in tracers]
        for way, tracer, events in told:
            assert tracer.stats().drained == len(events) == tracer.stats().events
            if way.attach != "tp":
                mine = [event for event in events if event.netns == lab.client.inode]
                check_row(row_of(tracer.ledger(), lab.client), kernel, mine)
                assert segments(mine) >= 0.97 * kernel > 0


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.full
def test_64_at_once(lab: Lab) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(limits[1], 16384), limits[1]))
    before = descriptors(), threading.active_count()
    try:
        with inhabited(lab), ExitStack() as stack:
            tracers = [stack.enter_context(tracing(TYPED[number % len(TYPED)], ring_bytes=SMALL))
                       for number in range(MANY)]
            counters = Counters(lab.client)
            run(lab, Load(V4, flows=4, loss=100, seconds=1.0))
            kernel = counters.gained()["RetransSegs"]
            seen: List[Any] = []
            for tracer in tracers:
                events = [event for event in ended(tracer) if event.netns == lab.client.inode]
                row = row_of(tracer.ledger(), lab.client)
                assert tracer.stats().lost == 0
                check_row(row, kernel, events)
                seen.append(row.delivered)
        assert kernel > 0 and min(seen) >= 0.97 * max(seen)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    gc.collect()
    assert (descriptors(), threading.active_count()) == before  # programs and links: the fixture


OPEN_MANY = """
import resource, sys
from retrans_ctypes import RetransError, Tracer

resource.setrlimit(getattr(resource, sys.argv[1]), (int(sys.argv[2]),) * 2)
opened = []
try:
    while len(opened) < {}:
        opened.append(Tracer(buffer=sys.argv[3], ring_bytes=int(sys.argv[4])))
except RetransError as error:
    print(len(opened), flush=True)
    print(error, flush=True)
still = sum(tracer.poll(0) is not None for tracer in opened)
for tracer in opened:
    tracer.close()
print(still, flush=True)
""".format(MANY)


@pytest.mark.parametrize("limit, size, ring_bytes, word", [
    ("RLIMIT_NOFILE", 150, SMALL, "ulimit -n"), ("RLIMIT_AS", 500 << 20, 32 << 20, "memory")],
    ids=["descriptors", "memory"])
@pytest.mark.parametrize("buffer", ["ring", "perf"])
def test_a_limit_is_reached_in_the_middle(nothing_left_behind: None, limit: str, size: int, ring_bytes: int,
                                          word: str, buffer: str) -> None:
    """A sentence; those that are open go on."""
    code, out, err = commands.run([sys.executable, "-c", OPEN_MANY, limit, str(size), buffer, str(ring_bytes)])
    assert (code, err) == (0, []), (out, err)
    opened, sentence, still = out
    assert opened == still and 0 < int(opened) < MANY
    assert word in sentence
