"""NDJSON through a pipe or FIFO: however slowly it comes, and whatever ends the wait for it."""
import array
import fcntl
import os
import signal
import subprocess
import sys
import termios
from typing import Any, Callable, Iterator, List, Tuple

import pytest
from fake_library import event
from lab import interpreters
from lab.commands import Child, environment, module, run
from made_up_recording import Recorded, ndjson, session_lines
from places import REPOSITORY

Pipe = Tuple[int, int]


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


@pytest.fixture
def lines(tmp_path: Any) -> List[bytes]:
    """A session, three events of it, and its end."""
    with open(ndjson(tmp_path / "r.ndjson", session_lines([
            Recorded(event(ts_ns=number, owner_pid=number)) for number in (1, 2, 3)])), "rb") as file:
        return file.readlines()


def drained(pipe: Pipe) -> bool:
    left = array.array("i", [0])
    fcntl.ioctl(pipe[0], termios.FIONREAD, left)
    return left[0] == 0


def replaying(stub: Callable[..., str], *arguments: str, python: str = sys.executable, **options: Any) -> Child:
    env = environment(RETRANS_CTYPES_LIBRARY=stub(), PYTHONPATH=os.path.join(REPOSITORY, "src"))
    return Child(module("replay", *arguments, "-o", "pid", python=python), env=env, **options)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("begun", ["", '{"ty'], ids=["lines", "cut"])
def test_ended_while_nothing_comes(stub: Any, pipe: Pipe, lines: List[bytes], number: signal.Signals, begun: str) -> None:
    """In the middle of a line too, which then is nobody's damage."""
    os.write(pipe[1], b"".join(lines[:4]) + begun.encode())
    with replaying(stub, "/dev/stdin", stdin=pipe[0]) as child:
        child.wait_for(lambda: drained(pipe), "reading", 10)
        child.interrupt(number)
        code, out, err = child.end()
    assert (code, out) == (0, ["PID", "1", "2", "3"])
    assert "killed" not in "".join(err)


@pytest.mark.parametrize("start", [b"", b'{"type'], ids=["nothing", "cut"])
def test_ended_before_its_first_line(stub: Any, pipe: Pipe, start: bytes) -> None:
    os.write(pipe[1], start)
    with replaying(stub, "/dev/stdin", stdin=pipe[0]) as child:
        child.wait_line("PID")
        child.wait_for(lambda: drained(pipe), "reading", 10)
        child.interrupt()
        assert child.end() == (0, ["PID"], [])


def test_a_fifo_that_nobody_writes_to_yet(stub: Any, tmp_path: Any, lines: List[bytes]) -> None:
    path = str(tmp_path / "fifo")
    os.mkfifo(path)
    with replaying(stub, path) as child:
        child.wait_line("PID")
        child.interrupt(signal.SIGTERM)
        assert child.end() == (0, ["PID"], [])
    with replaying(stub, path) as child:
        child.wait_line("PID")
        with open(path, "wb") as file:
            file.write(b"".join(lines))
        code, out, _ = child.end()
        assert (code, out) == (0, ["PID", "1", "2", "3"])


def test_a_reader_that_goes_away_while_nothing_comes(stub: Any, pipe: Pipe, lines: List[bytes]) -> None:
    os.write(pipe[1], b"".join(lines[:2]))
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(module("replay", "/dev/stdin"), stdin=pipe[0], stdout=writing, stderr=subprocess.PIPE,
                              env=environment(RETRANS_CTYPES_LIBRARY=stub()), timeout=20)
    finally:
        os.close(writing)
    assert done.returncode == 141


@pytest.mark.parametrize("size", [1, 5, 20])
def test_a_first_write_that_is_short(stub: Any, lines: List[bytes], size: int) -> None:
    whole = b"".join(lines)
    every = interpreters.found()
    for python in (every[0].path, every[-1].path):
        reading, writing = os.pipe()
        with replaying(stub, "/dev/stdin", python=python, stdin=reading) as child:
            os.write(writing, whole[:size])
            child.wait_for(lambda: drained((reading, writing)), "reading", 10)
            os.write(writing, whole[size:])
            os.close(writing)
            code, out, _ = child.end()
        os.close(reading)
        assert (code, out) == (0, ["PID", "1", "2", "3"]), python


def test_what_is_no_recording_is_not_read_for_ever(stub: Any) -> None:
    code, _, err = run(module("replay", "/dev/zero"), env=environment(RETRANS_CTYPES_LIBRARY=stub()))
    assert code == 7 and "is no recording" in err[-1]


def test_the_callers_descriptor_stays_blocking(stub: Any, pipe: Pipe) -> None:
    with replaying(stub, "/dev/stdin", stdin=pipe[0]) as child:
        child.wait_line("PID")
        assert not fcntl.fcntl(pipe[0], fcntl.F_GETFL) & os.O_NONBLOCK
        child.interrupt()
        child.end()
