"""Many tracers at once, and the limits of a process in the middle of them."""
import os
import resource
import sys
from contextlib import ExitStack
from typing import Any, List, Tuple

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
ENOUGH = 2 << 20  # for all that is sent again before anything is fetched


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
                check_row(row_of(tracer.ledger(), lab.client), kernel, mine, tracer.stats().missed)
                # what the kernel skips of a program that would interrupt itself is in the books above
                assert segments(mine) >= 0.8 * kernel > 0


def held() -> Tuple[int, int]:
    """Descriptors of the kernel's own making, as of programs, maps and timers, and mappings of such."""
    found = 0
    for number in os.listdir("/proc/self/fd"):
        try:
            found += os.readlink("/proc/self/fd/" + number).startswith("anon_inode:")
        except OSError:
            pass  # the descriptor that lists the others
    with open("/proc/self/maps") as mappings:
        return found, sum("anon_inode:" in line for line in mappings)


@pytest.mark.full
def test_64_at_once(lab: Lab) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(limits[1], 16384), limits[1]))
    before = held()
    try:
        with inhabited(lab), ExitStack() as stack:
            tracers = [stack.enter_context(tracing(TYPED[number % len(TYPED)], ring_bytes=ENOUGH))
                       for number in range(MANY)]
            assert held()[0] > MANY * 10 and held()[1] >= MANY
            counters = Counters(lab.client)
            run(lab, Load(V4, flows=2, loss=20, seconds=0.5))
            kernel = counters.gained()["RetransSegs"]
            seen: List[Any] = []
            for tracer in tracers:
                events = [event for event in ended(tracer) if event.netns == lab.client.inode]
                row = row_of(tracer.ledger(), lab.client)
                # a perf buffer now and then refuses an event although it has room; that is in the books
                assert tracer.stats().lost <= (1 + len(events) // 1000 if tracer.capabilities.buffer == "perf" else 0)
                check_row(row, kernel, events, tracer.stats().missed)
                seen.append(row.delivered)
        assert kernel > 0 and min(seen) >= 0.97 * max(seen)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert held() == before  # programs and links: the fixture


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
