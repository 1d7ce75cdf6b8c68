"""How a command that something failed in has to end: what it said, and what it left."""
import json
import os
import re
import sqlite3
from typing import List

from lab import commands
from lab.victim import LAST, STARTED

OURS = "retrans_ctypes: "
OUTPUT, UNREADABLE = 6, 7
# Where memory runs out before a thread's first line; names are missing then, and all else goes on.
PYTHONS_OWN = re.compile(r"^.*xception ignored in thread started by: .*Background\._body.*\nMemoryError: ?\n", re.M)
NOT_KNOWN = "seen, lost, limited and unexplained are not known"


def commands_of(path: str, sample: str) -> "dict[str, List[str]]":
    """What is tried, by name. ``path``: what it writes; ``sample``: a recording that it reads."""
    return {
        "trace": ["trace", "--json"], "count": ["count", "--json"],
        "metrics": ["metrics", "--listen", "127.0.0.1:0"],
        "record.db": ["record", "-o", path], "record.ndjson": ["record", "-o", path],
        "replay": ["replay", sample, "--json"], "replay.db": ["replay", sample, "--into", path],
        "report": ["report", sample, "-o", path],
    }


def path_in(folder: str, command: str) -> str:
    return os.path.join(folder, {"record.ndjson": "r.ndjson", "report": "r.html"}.get(command, "r.db"))


def is_live(command: str) -> bool:
    return command.split(".")[0] in ("trace", "count", "metrics", "record")


def segments(lines: List[str]) -> int:
    told = [json.loads(line) for line in lines]
    return sum(line["segs"] for line in told if line["type"] == "event")


def recorded(path: str) -> int:
    """Segments in a recording, whose file must be sound; 0 where there is nothing to be read yet."""
    if not os.path.exists(path) or not os.path.getsize(path):
        return 0
    if path.endswith(".db"):
        database = sqlite3.connect(path)
        try:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        finally:
            database.close()
    code, out, err = commands.run(commands.module("replay", path, "--json"), 60)
    assert code in (0, UNREADABLE) and "Traceback" not in "\n".join(err), err
    return segments(out) if code == 0 else 0


def seen(err: List[str]) -> int:
    """Segments, as the last line has them; -1 where it says that nobody knows."""
    if err[-1].startswith(NOT_KNOWN):
        return -1
    last = LAST.match(err[-1])
    assert last, err
    return int(last.group(1))


def check_said(code: int, err: List[str]) -> None:
    """One sentence where it failed, none where it did not; and the last line, once it traced."""
    text = PYTHONS_OWN.sub("", "\n".join(err))
    assert "Traceback" not in text and "Exception ignored" not in text, text
    assert sum(line.startswith(OURS) for line in err) == (1 if code else 0), (code, text)
    if code:
        said = next(line for line in err if line.startswith(OURS))
        assert 40 < len(said) < 400 and re.search("[;:,] ", said[len(OURS):]), said
    if STARTED.search(text):
        seen(err)


def check_complete(command: str, code: int, out: List[str], err: List[str], path: str) -> None:
    """Where it says that all went well, all that was seen is there; where not, what is there is sound."""
    if command.startswith("record"):
        there = recorded(path)
        assert there == seen(err) if code == 0 else not STARTED.search("\n".join(err)) or there <= seen(err) or \
            seen(err) < 0, (code, there, err)
    elif command == "trace" and code == 0:
        assert seen(err) in (segments(out), -1), err
    elif command == "replay.db":
        recorded(path)
    elif command == "report":
        names = [name for name in os.listdir(os.path.dirname(path)) if name.startswith(".retrans-")]
        assert not names and os.path.exists(path) == (code == 0), (code, names)
