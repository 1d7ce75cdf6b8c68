"""A process with a pid that another one had just before.

Run as `pids.py PID NAME`: it starts a child that gets exactly that pid, says so, and ends it when its
stdin closes.
"""
import ctypes
import os
import signal
import struct
import subprocess
import sys
from contextlib import contextmanager
from typing import Iterator

CLONE3 = 435  # the same on all architectures
PR_SET_PDEATHSIG = 1

# Holds the interpreter's lock during the call: the child must have it too.
libc = ctypes.PyDLL(None, use_errno=True)


def fork_as(pid: int) -> int:
    """fork(), with the child's pid chosen (Linux 5.5)."""
    chosen = ctypes.c_int(pid)
    arguments = struct.pack("10Q", 0, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, ctypes.addressof(chosen), 1)
    made = int(libc.syscall(CLONE3, arguments, len(arguments)))
    if made < 0:
        code = ctypes.get_errno()
        raise OSError(code, "clone3 with pid {}: {}".format(pid, os.strerror(code)))
    return made


def rest(name: str) -> None:
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    with open("/proc/self/comm", "w") as comm:
        comm.write(name)
    os.write(1, b"there\n")
    while True:
        signal.pause()


@contextmanager
def reused(pid: int, name: str) -> Iterator[None]:
    """A process called `name` has `pid`, whose last process must have been waited for."""
    command = [sys.executable, "-S", "-E", os.path.abspath(__file__), str(pid), name]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as starter:
        assert starter.stdout is not None
        assert starter.stdout.readline() == b"there\n", "the pid could not be had again"
        with open("/proc/{}/comm".format(pid)) as comm:
            assert comm.read() == name + "\n"
        yield


if __name__ == "__main__":
    child = fork_as(int(sys.argv[1]))
    if child == 0:
        rest(sys.argv[2])
    sys.stdin.read()
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
