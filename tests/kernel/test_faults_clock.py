"""The wall clock is set while events are recorded: for this process only, by a library put before libc's."""
import json
import os
import subprocess
import time
from datetime import datetime, timezone
from typing import Any, List

import pytest
from lab import commands, tried
from lab.counters import Counters
from lab.link import V4, Lab
from lab.traffic import connecting

LAB = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lab")
STEPS = (0, 3600, -7200)  # seconds; ports tell which events came after which


def clock_step(folder: Any) -> str:
    library = str(folder / "clock_step.so")
    subprocess.run(["cc", "-shared", "-fPIC", "-Wall", "-Werror", "-O2", os.path.join(LAB, "clock_step.c"), "-o", library],
                   check=True)
    return library


def events_in(out: List[str]) -> List[Any]:
    return [line for line in map(json.loads, out) if line["type"] == "event"]


def parse(text: str) -> float:
    """Seconds since the epoch."""
    moment = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
    return moment.timestamp()


def knock(lab: Lab, port: int) -> None:
    counters = Counters(lab.client)
    with connecting(lab.client, V4.dead, port, count=5):
        counters.wait("TCPSynRetrans", 5)
    time.sleep(1.2)  # what was fetched has the clock's time of its fetching


@pytest.mark.reliability
@pytest.mark.parametrize("name", ["r.db", "r.ndjson"])
def test_the_wall_clock_steps(lab: Lab, tmp_path: Any, nothing_left_behind: None, name: str) -> None:
    step, path = tmp_path / "step", str(tmp_path / name)
    step.write_text("0")
    environment = commands.environment(LD_PRELOAD=clock_step(tmp_path), CLOCK_STEP=str(step))
    began: List[float] = []
    with commands.Child(commands.module("record", "-o", path, "--netns", str(lab.client.inode)), env=environment) as child:
        child.wait_for(lambda: any("Recording" in line for line in child.err.text), "start", 60)
        for number, seconds in enumerate(STEPS):
            step.write_text(str(seconds))
            began.append(time.time() + seconds)
            knock(lab, 4821 + number)
        child.interrupt()
        code, _, err = child.end()
    assert code == 0, err
    out = commands.run(commands.module("replay", path, "--json"))[1]
    events = events_in(out)
    assert [event["ts_ns"] for event in events] == sorted(event["ts_ns"] for event in events), "in their order"
    for event in events:
        number = event["dport"] - 4821
        seconds = parse(event["time"]) - began[number]
        assert -0.1 < seconds < 30, "{} of port {}".format(event["time"], event["dport"])
    assert {event["dport"] for event in events} == {4821, 4822, 4823}
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(began[1]))
    late = events_in(commands.run(commands.module("replay", path, "--json", "--since", since))[1])
    assert {event["dport"] for event in late} == {4822}
    tried.count("faults", "wall clock set while recording, " + ("SQLite" if name == "r.db" else "NDJSON"),
                "events stay in order, times follow the clock, replay --since finds them", len(STEPS) - 1)


def test_duration_and_rotation_do_not_go_by_it(tmp_path: Any, nothing_left_behind: None) -> None:
    step = tmp_path / "step"
    step.write_text("0")
    environment = commands.environment(LD_PRELOAD=clock_step(tmp_path), CLOCK_STEP=str(step))
    argv = commands.module("record", "-o", str(tmp_path / "r.db"), "--rotate", "1h", "--duration", "3")
    with commands.Child(argv, env=environment) as child:
        child.wait_for(lambda: any("Recording" in line for line in child.err.text), "start", 60)
        started = time.monotonic()
        for seconds in (-86400, 86400):
            time.sleep(0.6)
            step.write_text(str(seconds))
        code, _, err = child.end()
        assert code == 0 and 2 < time.monotonic() - started < 15, err
    assert len(list(tmp_path.glob("r-*.db"))) == 1
    tried.count("faults", "wall clock set by a day, there and back", "--duration and --rotate keep their time", 2)
