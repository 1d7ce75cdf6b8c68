"""Calls that fail, one after the other, while a C program does everything that libtcpretrans can."""
import errno
import os
import re
import subprocess
from typing import Any, List, NamedTuple

import pytest
from lab import rights, tried

HERE = os.path.dirname(os.path.abspath(__file__))
NATIVE = os.path.join(os.path.dirname(os.path.dirname(HERE)), "native")
RING, PERF = 1, 2
EVENTS, BY_REASON = 0, 8


class Fault(NamedTuple):
    kind: str
    error: int
    stride: int  # of positions in a CI run; each of them at length
    buffer: int = RING
    by: int = EVENTS


FAULTS = [
    Fault("bpf", errno.EMFILE, 23), Fault("bpf", errno.ENOMEM, 37), Fault("bpf", errno.EPERM, 31),
    Fault("mmap", errno.ENOMEM, 5), Fault("open", errno.EMFILE, 3), Fault("malloc", errno.ENOMEM, 1801),
    Fault("epoll_create", errno.EMFILE, 1), Fault("epoll_ctl", errno.ENOMEM, 2), Fault("epoll_wait", errno.EINTR, 2),
    Fault("eventfd", errno.EMFILE, 1), Fault("timerfd", errno.ENFILE, 1),
    Fault("perf_event_open", errno.EMFILE, 1, PERF), Fault("mmap", errno.ENOMEM, 7, PERF),
    Fault("bpf", errno.EMFILE, 23, RING, BY_REASON),
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


def run(program: str, fault: Fault) -> List[str]:
    """What was said of each position."""
    stride = 1 if tried.AT_LENGTH else fault.stride
    arguments = [fault.kind, fault.error, stride, fault.buffer, fault.by, 1]
    done = subprocess.run([program] + [str(each) for each in arguments], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=14400 if tried.AT_LENGTH else 120)
    lines = done.stdout.decode().splitlines()
    assert done.returncode == 0, "\n".join([str(done.returncode)] + lines[-20:])
    return lines[1:]


@pytest.mark.reliability
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: "{}-{}-{}-{}".format(
    fault.kind, errno.errorcode[fault.error], fault.buffer, fault.by))
def test_call_fails_in_the_library(driving: str, fault: Fault) -> None:
    lines = run(driving, fault)
    assert lines, "no such call was made"
    for line in lines:
        position, end, error, *words = line.split(" ")
        assert int(position) > 0 and end in ("refused", "opened"), line
        if end == "refused":
            assert int(error) < 0 and len(words) > 3, line
    tried.count("faults", "{} fails with {} in the C library".format(fault.kind, errno.errorcode[fault.error]),
                "an error in a sentence, or it goes on with less; no descriptor or memory left", len(lines))
