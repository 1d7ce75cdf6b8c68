"""Again and again, and for long: nothing grows, neither in the process nor in the kernel."""
import json
import sys
import time
from typing import Any, Dict, List

import pytest
from bench.storm import Storm
from exercise import Exercise, Held, Use, build, program
from lab import summary, tried
from lab.counters import read
from lab.link import Lab
from lab.ways import Way

pytestmark = [pytest.mark.reliability, pytest.mark.full]

# All ways with all kinds of options are among 16 cycles.
CYCLES, TURNS = (1000, 20) if tried.AT_LENGTH else (48, 3)
SECONDS = 30 * 60 if tried.AT_LENGTH else 8
LOOKS = 30 if tried.AT_LENGTH else 4
PAGES = 128 << 10  # that may come and go without anything having grown
FILTERS = 4096  # bytes: the filter changes each second, and some are longer
RING = Way("tp_btf", "ring")


def check_flat(uses: List[Use], slack: int = 0) -> None:
    """Descriptors, threads and what the kernel holds stay, and so does the heap, but for ``slack``; memory in
    use is no more than at the start."""
    first = uses[0]
    for use in uses:
        assert use._replace(resident=0, heap=0) == first._replace(resident=0, heap=0), uses
        assert abs(use.heap - first.heap) <= slack, uses
        assert use.resident <= first.resident + PAGES, uses


def test_open_and_close(lab: Lab) -> None:
    """Nothing is left of a tracer that was closed: no byte of the heap, no descriptor, nothing in the kernel."""
    build("build/memory/plain/exercise")
    each = CYCLES // TURNS
    uses, held = [], Held(set(), set(), set())
    with Exercise([program("plain")], lab, "cycles", RING, each) as process:
        assert process.line() == "ready"
        for _ in range(TURNS):  # the first is to get warm
            assert process.ask(3600) == "open"
            now = Held.by(process.process.pid)
            assert all(now.numbers()) and not any(mine & others for mine, others in zip(held, now))
            held = held.plus(now)
            told = json.loads(process.ask())
            uses.append(Use.by(process.process.pid, told))
        process.finish()
    check_flat(uses[1:])
    assert uses[0].held == [0, 0, 0] and not any(held.still_there().values()), held.still_there()
    summary.say("memory: {} cycles of open and close: {:,} bytes of heap, {} descriptors, resident {:+d} KiB".format(
        told["cycles"], uses[-1].heap, uses[-1].descriptors, (uses[-1].resident - uses[1].resident) >> 10))
    tried.count("memory", "open and close a tracer", "memory, descriptors, programs, maps and links as before",
                told["cycles"])


def wait_quiet(storm: Storm) -> None:
    """Until nothing is sent again any more."""
    before = None
    while True:
        now = [read(side)["RetransSegs"] for side in (storm.lab.client, storm.lab.server)]
        if now == before:
            return
        before = now
        time.sleep(1.0)


def soaked(process: Exercise, storm: Storm) -> List[Use]:
    uses = []
    with storm.raging():
        time.sleep(min(SECONDS / 10, 60))  # until it has what it takes
        for _ in range(LOOKS):
            told = json.loads(process.ask())
            uses.append(Use.by(process.process.pid, told))
            if tried.AT_LENGTH:
                print(told, uses[-1], file=sys.stderr, flush=True)
            time.sleep(SECONDS / LOOKS)
        told = json.loads(process.ask())
        uses.append(Use.by(process.process.pid, told))
    return uses


def test_soak() -> None:
    """Under as many retransmits as this machine makes, everything that can be asked is asked each second."""
    build("build/memory/plain/exercise", "build/bench/traffic")
    with Storm() as storm:
        with Exercise([program("plain")], storm.lab, "soak", RING) as process:
            assert process.line() == "open"
            started = time.monotonic()
            uses = soaked(process, storm)
            took = time.monotonic() - started
            held = Held.by(process.process.pid)
            wait_quiet(storm)
            told: Dict[str, Any] = process.finish()
    check_flat(uses, FILTERS)
    assert not any(held.still_there().values())
    assert told["events"] > 1000 * took
    assert told["lines"] == 2 * told["events"] - told["failed"], told  # one of the two writers leaves those out
    assert told["unexplained"] == 0, told
    summary.say("memory: {:.0f} s of {:,.0f} events a second: {:,} bytes of heap, resident {:+d} KiB, "
                "{:,} segments, none unexplained".format(
                    took, told["events"] / took, uses[-1].heap,
                    (uses[-1].resident - uses[0].resident) >> 10, told["segs"]))
    tried.count("memory", "a second of a storm of retransmits", "nothing grows, and every segment is accounted for",
                int(took))
