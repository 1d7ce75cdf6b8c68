"""Calls that fail, one after the other, while a C program does everything that libtcpretrans can."""
import errno
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import Any, List, NamedTuple

import pytest
from lab import rights, tried

HERE = os.path.dirname(os.path.abspath(__file__))
NATIVE = os.path.join(os.path.dirname(os.path.dirname(HERE)), "native")
RING, PERF = 1, 2
EVENTS, BY_REASON = 0, 8
AT_ONCE = 2
ANY = (errno.EIO, errno.ENOSPC, errno.EMFILE)


class Calls(NamedTuple):
    kind: str
    errors: List[int]
    stride: int  # of positions in a CI run, which begins with the number of the error
    stride_at_length: int = 1
    buffer: int = RING
    by: int = EVENTS

    @property
    def name(self) -> str:
        return self.kind + ("-perf" if self.buffer == PERF else "-count" if self.by else "")


CALLS = [
    Calls("bpf", [errno.ENOMEM, errno.EPERM, *ANY], 23), Calls("bpf", [errno.EMFILE], 29, buffer=PERF),
    Calls("bpf", [errno.EMFILE], 29, by=BY_REASON), Calls("mmap", [errno.ENOMEM, *ANY], 5),
    Calls("mmap", [errno.ENOMEM, *ANY], 7, buffer=PERF), Calls("perf_event_open", [*ANY], 2, buffer=PERF),
    Calls("open", [errno.ENOENT, *ANY], 7), Calls("read", [errno.EINTR, *ANY], 11),
    Calls("epoll_create", [*ANY], 1), Calls("epoll_ctl", [errno.ENOMEM, *ANY], 1),
    Calls("epoll_wait", [errno.EINTR, *ANY], 1), Calls("eventfd", [*ANY], 1), Calls("timerfd", [*ANY], 1),
    Calls("malloc", [errno.ENOMEM], 601, 7),
]


@pytest.fixture(scope="module")
def driving(tmp_path_factory: Any, faults: str) -> str:
    folder = str(tmp_path_factory.mktemp("driving"))
    program = os.path.join(folder, "driving")
    subprocess.run(["gcc", "-O1", "-Wall", "-Wextra", "-Werror", "-I" + NATIVE, os.path.join(HERE, "driving.c"), "-o",
                    program, faults, rights.LIBRARY, "-Wl,-rpath," + folder], check=True)
    wanted = subprocess.run(["readelf", "-d", rights.LIBRARY], check=True, stdout=subprocess.PIPE).stdout.decode()
    found = re.search(r"soname: \[(.*)\]", wanted)
    assert found, wanted
    os.symlink(rights.LIBRARY, os.path.join(folder, found.group(1)))
    return program


def run(program: str, calls: Calls, error: int) -> List[str]:
    """What was said of each position."""
    stride, first = calls.stride, 1 + calls.errors.index(error) % calls.stride
    if tried.AT_LENGTH:
        stride, first = calls.stride_at_length, 1
    arguments = [calls.kind, error, stride, calls.buffer, calls.by, first]
    done = subprocess.run([program] + [str(each) for each in arguments], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=3600)
    lines = done.stdout.decode().splitlines()
    assert done.returncode == 0, "\n".join([str(done.returncode)] + lines[-20:])
    return lines[1:]


@pytest.mark.reliability
@pytest.mark.parametrize("calls", CALLS, ids=lambda calls: calls.name)
def test_call_fails_in_the_library(driving: str, calls: Calls) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        said = list(pool.map(lambda error: run(driving, calls, error), calls.errors))
    assert said[0], "no such call was made"
    for error, lines in zip(calls.errors, said):
        for line in lines:
            _, end, code, *words = line.split(" ")
            assert end == "opened" or end == "refused" and int(code) < 0 and len(words) > 4, (error, line)
    tried.count("faults", "a call fails in the C library: " + calls.kind,
                "an error in a sentence, or it goes on with less; nothing left", sum(map(len, said)))
