"""Calls that fail, one after the other, while the command line records and prints."""
import errno
import os
import sqlite3
from typing import Any, List, NamedTuple, Tuple

import pytest
from lab import commands, faulting, tried
from lab.faulting import SHORT_WRITE

FAILED, OUTPUT = 1, 6


class Fault(NamedTuple):
    command: str
    kind: str
    error: int
    few: Tuple[int, ...]  # positions in a CI run; each of them at length
    codes: Tuple[int, ...]  # exit codes that are right


FAULTS = [
    Fault("record.db", "write", errno.ENOSPC, (1, 4), (0, OUTPUT)),
    Fault("record.db", "write", errno.EIO, (2,), (0, OUTPUT)),
    Fault("record.db", "write", SHORT_WRITE, (1,), (0,)),
    Fault("record.db", "fsync", errno.EIO, (1,), (0, OUTPUT)),
    Fault("record.db", "open", errno.EMFILE, (1,), (0, FAILED, OUTPUT)),
    Fault("record.ndjson", "write", errno.ENOSPC, (1,), (0, OUTPUT)),
    Fault("record.ndjson", "write", errno.EINTR, (1,), (0,)),
    Fault("trace", "write", errno.EIO, (1,), (0, OUTPUT)),
    Fault("trace", "write", SHORT_WRITE, (1,), (0,)),
]


def command(fault: Fault, path: str) -> List[str]:
    if fault.command == "trace":
        return commands.module("trace", "--json", "--duration", "0.5")
    return commands.module("record", "-o", path, "--duration", "0.5")


def check_recording(path: str) -> None:
    """What was written before stays whole."""
    if not os.path.exists(path) or not os.path.getsize(path):
        return
    if path.endswith(".db"):
        database = sqlite3.connect(path)
        try:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        finally:
            database.close()
    code, _, err = commands.run(commands.module("replay", path, "--json"))
    assert code in (0, 7), err
    assert not any("Traceback" in line for line in err), err


def trial(fault: Fault, position: int, faults: str, folder: Any) -> bool:
    """Whether there were as many calls."""
    path, reached = str(folder / ("r." + fault.command.split(".")[-1])), str(folder / "reached")
    code, _, err = commands.run(command(fault, path), seconds=90, env=faulting.faulting(
        faults, fault.kind, position, fault.error, reached))
    text = "\n".join(err)
    assert "Traceback" not in text and code in fault.codes, (position, code, text)
    if not os.path.exists(reached):
        assert code == 0, text
        return False
    if code:
        assert sum(line.startswith("retrans_ctypes: ") for line in err) == 1, text
    check_recording(path)
    return True


@pytest.mark.reliability
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: "{}-{}-{}".format(
    fault.command, fault.kind, errno.errorcode.get(fault.error, "short")))
def test_call_fails_in_a_command(faults: str, tmp_path: Any, fault: Fault) -> None:
    reached = 0
    for position in range(1, 1000) if tried.AT_LENGTH else fault.few:
        folder = tmp_path / str(position)
        folder.mkdir()
        if not trial(fault, position, faults, folder):
            break
        reached += 1
    assert reached, "no such call was made"
    tried.count("faults", "{} fails in {} ({})".format(
        fault.kind, fault.command, errno.errorcode.get(fault.error, "only half is written")),
        "it goes on, or says so and ends; the recording stays whole", reached)
