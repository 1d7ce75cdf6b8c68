"""Signals at random moments, while everything traces real retransmits: what is left, and what was told."""
import json
import os
import random
import signal
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Dict, List, NamedTuple, Tuple

import pytest
from lab import tried
from lab.books import inhabited
from lab.lateness import lateness
from lab.link import Lab
from lab.traffic import connecting_again
from lab.victim import Held, Victim, parsed, still_there

TIMES = 10 if tried.AT_LENGTH else 1  # each pair of those below
AT_ONCE = 4
READER_GONE = 141

COMMANDS = {
    "trace --json": ["--json"],
    "count": ["count", "--json", "--interval", "0.1"],
    "metrics": ["metrics", "--listen", "127.0.0.1:0"],
    "record (SQLite)": ["record", "-o", "{}/r.db"],
    "record (NDJSON)": ["record", "-o", "{}/r.ndjson"],
}
HITS = ["SIGKILL", "SIGSTOP and SIGCONT", "SIGTERM", "SIGINT", "SIGPIPE", "SIGHUP"]
TRIALS = [(command, hit) for command in COMMANDS for hit in HITS] + [
    ("trace --json", "reader closes"), ("count", "reader closes")]


class Moment(NamedTuple):
    command: str
    hit: str
    seed: float
    folder: str


def sessions_in(path: str) -> Tuple[List[Dict[str, Any]], List[Dict[str, Any]]]:
    """(sessions, events) of a recording, which must be whole."""
    if path.endswith(".ndjson"):
        with open(path) as file:
            lines = parsed(file.read())
        sessions = [dict(line) for line in lines if line["type"] == "session"]
        for session, end in zip(sessions, [line for line in lines if line["type"] == "end"]):
            session.update(ended_ns=end["ended_ns"], stats=end["stats"])
        events = [dict(line, time_ns=None) for line in lines if line["type"] == "event"]
        return sessions, events
    database = sqlite3.connect(path)
    database.row_factory = sqlite3.Row
    try:
        assert [tuple(row) for row in database.execute("PRAGMA integrity_check")] == [("ok",)]

        sessions = [dict(row) for row in database.execute("SELECT * FROM session")]
        for session in sessions:
            session["stats"] = json.loads(session["stats"]) if session["stats"] else None
        return sessions, [dict(row) for row in database.execute("SELECT * FROM event ORDER BY id")]
    finally:
        database.close()


def check_recording(folder: str, hit: str, killed_ns: int, late: float) -> None:
    names = sorted(name for name in os.listdir(folder) if name.startswith("r"))
    assert len(names) == (2 if hit == "SIGHUP" else 1) or hit == "SIGKILL", names
    found = [sessions_in(os.path.join(folder, name)) for name in names if not name.endswith(("-wal", "-shm"))]
    sessions = [session for part, _ in found for session in part]
    events = sum(len(part) for _, part in found)
    if hit == "SIGKILL":
        assert sessions[0]["ended_ns"] is None
        times = [event["time_ns"] for _, part in found for event in part if event["time_ns"]]
        if names[0].endswith(".db"):
            missing = (killed_ns - max(times + [sessions[0]["started_ns"]])) / 1e9
            assert missing < 1.4 + 3 * late, "the last {:.1f} s are missing, late {:.1f}".format(missing, late)
        return
    assert all(session["ended_ns"] for session in sessions)
    assert sum(session["stats"]["events"] for session in sessions) == events


def strike(victim: Victim, moment: Moment) -> int:
    """Returns the exit code that the documentation gives this end."""
    hit, folder = moment.hit, moment.folder
    if hit == "reader closes":
        victim.close_reader()
        return READER_GONE
    if hit == "SIGKILL":
        victim.hit(signal.SIGKILL)
        return -signal.SIGKILL
    if hit == "SIGSTOP and SIGCONT":
        victim.hit(signal.SIGSTOP)
        time.sleep(0.5)
        victim.hit(signal.SIGCONT)
        victim.hit(signal.SIGTERM)
    elif hit == "SIGPIPE":
        victim.hit(signal.SIGPIPE)
        time.sleep(0.3)
        assert victim.process.poll() is None
        victim.hit(signal.SIGTERM)
    elif hit == "SIGHUP" and moment.command.startswith("record"):
        name, = [name for name in os.listdir(folder) if name in ("r.db", "r.ndjson")]
        path = os.path.join(folder, name)
        os.rename(path, os.path.join(folder, "r.1" + os.path.splitext(name)[1]))
        victim.hit(signal.SIGHUP)
        deadline = time.monotonic() + 30
        while not os.path.exists(path):
            assert time.monotonic() < deadline, victim.err
            time.sleep(0.02)
        time.sleep(0.5)
        victim.hit(signal.SIGTERM)
    else:
        victim.hit(getattr(signal, hit))
    return 0


def judge(victim: Victim, moment: Moment, killed_ns: int, late: float) -> None:
    if moment.command.startswith("record"):
        check_recording(moment.folder, moment.hit, killed_ns, late)
    if moment.hit == "SIGKILL":
        return
    told = victim.last_line()
    rows = [line for line in victim.out if line["type"] == "ledger"] if moment.hit != "reader closes" else []
    if moment.command in ("trace --json", "count") and rows:
        ours = [row for row in rows[0]["namespaces"] if row["delivered"]]
        assert sum(row["delivered"] for row in ours) == told[0]
        for row in ours:
            assert row["unexplained"] == 0 or told[1], (row, victim.err)
    if moment.command == "trace --json" and rows:
        assert sum(line["segs"] for line in victim.out if line["type"] == "event") == told[0]


def try_once(lab: Lab, moment: Moment, late: List[float]) -> Held:
    rng = random.Random(moment.seed)
    os.mkdir(moment.folder)
    arguments = [word.format(moment.folder) for word in COMMANDS[moment.command]]
    victim = Victim(moment.folder, arguments + ["--netns", str(lab.client.inode)], moment.hit == "reader closes")
    try:
        victim.wait_started()
        time.sleep(rng.uniform(0, 2))
        expected, killed_ns = strike(victim, moment), time.time_ns()
        assert victim.end() == expected, victim.err
        judge(victim, moment, killed_ns, late[0])
    except AssertionError as error:
        raise AssertionError("{}: {}".format(moment, error))
    finally:
        victim.kill()
    return victim.held


@pytest.mark.reliability
@pytest.mark.full
def test_signals_at_random_moments(lab: Lab, tmp_path: Any, nothing_left_behind: None) -> None:
    seed = random.randrange(1 << 30)
    moments = [Moment(command, hit, seed + number, str(tmp_path / str(number)))
               for number, (command, hit) in enumerate(TRIALS * TIMES)]
    with inhabited(lab), connecting_again(lab), lateness() as late, ThreadPoolExecutor(AT_ONCE) as pool:
        held = list(pool.map(lambda moment: try_once(lab, moment, late), moments))
    assert still_there({one for each in held for one in each}) == set()
    for moment in moments:
        if moment.command.startswith("record"):
            result = "nothing attached, the recording opens and is consistent" + (
                ", all but the last second in it" if moment.hit == "SIGKILL" else ", the books balance")
        else:
            result = "nothing attached" + ("" if moment.hit == "SIGKILL" else ", the last line tells all")
        tried.count("faults", "{} at a random moment, {}".format(moment.hit, moment.command), result)
        if moment.hit != "SIGKILL":
            tried.count("last line", "{}, {}".format(moment.hit, moment.command),
                        "tells seen, lost, limited, unexplained")
