"""In a time namespace, whose clocks are not those that the kernel gives its events."""
import json
import os
import time
from datetime import datetime, timezone
from typing import Any, List

import pytest
from lab import commands
from lab.counters import Counters
from lab.link import Lab
from lab.traffic import nobodys, take

CLOCK_BOOTTIME = 7  # time.CLOCK_BOOTTIME, which Python 3.6 lacks


def unshare(seconds: int) -> List[str]:
    """Both clocks so far ahead; 0: they begin now, so that all processes are older than the boot."""
    if not os.path.exists("/proc/self/ns/time"):
        pytest.skip("this kernel has no time namespaces")
    ahead = [seconds or -int(time.clock_gettime(clock)) for clock in (time.CLOCK_MONOTONIC, CLOCK_BOOTTIME)]
    return ["unshare", "--time", "--monotonic", str(ahead[0]), "--boottime", str(ahead[1])]


def ours(lab: Lab, out: List[str]) -> List[Any]:
    return [line for line in map(json.loads, out) if line["type"] == "event" and line["netns"] == lab.client.inode]


def parse(text: str) -> float:
    """Seconds since the epoch."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc).timestamp()


@pytest.mark.parametrize("seconds", [1000000, 0])
def test_times_and_owners(lab: Lab, nothing_left_behind: None, seconds: int) -> None:
    """The owner is searched for again and again: at first nobody has the socket, then a process that never used it."""
    with commands.Child(unshare(seconds) + commands.module("trace", "--json")) as child:
        child.wait_tracing()
        began, counters = time.time(), Counters(lab.client)
        with nobodys(lab) as line:
            counters.wait("RetransSegs", 2)
            with take(line) as taken, commands.Child(["sleep", "60"], stdin=taken) as sleeper:
                taken.close()
                counters.wait("RetransSegs", counters.gained()["RetransSegs"] + 2)
                child.interrupt()
                code, out, err = child.end()
    assert code == 0, err
    events = ours(lab, out)
    assert len(events) >= 4
    for event in events:
        assert began - 1 < parse(event["time"]) < time.time() + 1
    assert events[0]["owner_pid"] is None
    assert events[-1]["owner_pid"] == sleeper.process.pid
    assert "iterator" in [event["owner_how"] for event in events]
    assert events[-1]["cmdline"] == "sleep 60"
