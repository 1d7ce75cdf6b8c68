"""Calls that fail, one after the other, while a command traces, records, or reads a recording."""
import errno
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Iterator, List, NamedTuple, Tuple

import pytest
from ends import OUTPUT, UNREADABLE, check_complete, check_said, commands_of, is_live, path_in
from lab import commands, faulting, tried
from lab.faulting import SHORT_WRITE
from lab.link import Lab
from lab.traffic import connecting_again

AT_ONCE = 4
MOST = 400  # positions
FAILED, UNSUPPORTED = 1, 4


class Fault(NamedTuple):
    command: str
    kind: str
    error: int
    few: Tuple[int, ...]  # positions in a CI run; each of them at length
    codes: Tuple[int, ...]  # exit codes that are right

    @property
    def name(self) -> str:
        return "{}-{}-{}".format(self.command, self.kind, errno.errorcode.get(self.error, "short"))


NAMES = {"record.db": "record into SQLite", "record.ndjson": "record into NDJSON", "trace": "trace --json",
         "count": "count --json", "metrics": "metrics", "replay": "replay --json", "replay.db": "replay --into",
         "report": "report"}

# 0: SQLite's last step, copying its log into the database, may fail: all is in the log. And a look at a process or a
# namespace that cannot be had is a field that is not known. FAILED: the files of Python's modules are opened and
# read, too.
FAULTS = [
    Fault("record.db", "write", errno.ENOSPC, (2, 9), (0, OUTPUT)),
    Fault("record.db", "write", errno.EIO, (5,), (0, OUTPUT)),
    Fault("record.db", "write", SHORT_WRITE, (3,), (0,)),
    Fault("record.db", "fsync", errno.EIO, (1,), (0, OUTPUT)),
    Fault("record.db", "open", errno.EMFILE, (1, 40), (0, FAILED, OUTPUT)),
    Fault("record.db", "mmap", errno.ENOMEM, (1, 3), (0, FAILED, OUTPUT)),
    Fault("record.db", "thread", errno.EAGAIN, (1,), (0,)),
    Fault("record.ndjson", "write", errno.ENOSPC, (1,), (0, OUTPUT)),
    Fault("record.ndjson", "write", errno.EIO, (2,), (OUTPUT,)),
    Fault("record.ndjson", "write", SHORT_WRITE, (1,), (0,)),
    Fault("record.ndjson", "write", errno.EINTR, (1,), (0,)),
    Fault("trace", "write", errno.ENOSPC, (1,), (OUTPUT,)),
    Fault("trace", "write", errno.EIO, (1,), (OUTPUT,)),
    Fault("trace", "write", SHORT_WRITE, (1,), (0,)),
    Fault("trace", "write", errno.EINTR, (1,), (0,)),
    Fault("trace", "open", errno.EMFILE, (2, 8), (0, FAILED)),
    Fault("trace", "epoll_wait", errno.EINTR, (1,), (0,)),
    Fault("trace", "bpf", errno.EIO, (20, 105), (0, FAILED, UNSUPPORTED)),
    Fault("count", "write", errno.EIO, (1,), (OUTPUT,)),
    Fault("count", "open", errno.EMFILE, (3,), (0, FAILED)),
    Fault("metrics", "thread", errno.EAGAIN, (1,), (0, FAILED)),
    Fault("metrics", "open", errno.EMFILE, (3,), (0, FAILED)),
    Fault("replay", "read", errno.EIO, (1,), (0, FAILED, UNREADABLE)),
    Fault("replay", "write", errno.EIO, (1,), (OUTPUT,)),
    Fault("replay.db", "write", errno.ENOSPC, (2,), (0, OUTPUT)),
    Fault("replay.db", "fsync", errno.EIO, (1,), (0, OUTPUT)),
    Fault("report", "write", errno.ENOSPC, (1,), (OUTPUT,)),
    Fault("report", "rename", errno.EIO, (1,), (OUTPUT,)),
    Fault("report", "open", errno.EMFILE, (2,), (0, FAILED, OUTPUT, UNREADABLE)),
]


@pytest.fixture(scope="module")
def busy(kernel_rights: None) -> Iterator[Lab]:
    """Something is sent again all the time."""
    with Lab() as lab, connecting_again(lab):
        yield lab


@pytest.fixture(scope="module")
def sample(busy: Lab, tmp_path_factory: Any) -> str:
    """A recording."""
    path = str(tmp_path_factory.mktemp("sample") / "sample.db")
    code, _, err = commands.run(commands.module("record", "-o", path, "--duration", "2"))
    assert code == 0, err
    return path


def trial(fault: Fault, position: int, faults: str, sample: str, busy: Lab, folder: str) -> bool:
    """Whether there were as many calls."""
    os.mkdir(folder)
    path, reached = path_in(folder, fault.command), os.path.join(folder, "reached")
    argv = commands_of(path, sample)[fault.command]
    if is_live(fault.command):
        argv += ["--duration", "0.7", "--netns", str(busy.client.inode)]
    code, out, err = commands.run(commands.module(*argv), seconds=90, env=faulting.faulting(
        faults, fault.kind, position, fault.error, reached, None if is_live(fault.command) else sample))
    failed = os.path.exists(reached)
    assert code in (fault.codes if failed else (0,)), (position, code, err)
    check_said(code, err)
    check_complete(fault.command, code, out, err, path)
    return failed


def rounds(fault: Fault) -> List[Tuple[int, ...]]:
    """Positions to be tried at once."""
    if not tried.AT_LENGTH:
        return [fault.few]
    return [tuple(range(first, first + AT_ONCE)) for first in range(1, MOST, AT_ONCE)]


@pytest.mark.reliability
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_call_fails_in_a_command(faults: str, tmp_path: Any, busy: Lab, sample: str, fault: Fault) -> None:
    reached = 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for positions in rounds(fault):
            found = list(pool.map(lambda position: trial(
                fault, position, faults, sample, busy, str(tmp_path / str(position))), positions))
            reached += sum(found)
            if not all(found):
                break
    assert reached, "no such call was made"
    kinds = sorted({other.kind for other in FAULTS if other.command == fault.command})
    tried.count("faults", "a call fails in a command, {}: {}".format(NAMES[fault.command], ", ".join(kinds)),
                "it goes on, or says so and ends; what was written stays sound", reached)
