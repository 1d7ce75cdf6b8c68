"""An anonymous network namespace: it has no name, so nothing is left behind by any kind of end.

The namespace lives as long as its descriptor, a socket or a process inside it does; even `kill -9`
of the tests leaves nothing in /run/netns. A thread that enters it never comes back: it does its
one job there and ends, so the test's own threads always stay where they were.
"""
import ctypes
import os
import shutil
import socket
import subprocess
import threading
from typing import Any, Callable, List, Optional, TypeVar

T = TypeVar("T")

CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


def checked(result: int, what: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, "{}: {}".format(what, os.strerror(code)))


def in_thread(job: Callable[[], T]) -> T:
    """Run `job` in a thread of its own, and return or raise what it did."""
    outcome: List[Any] = []

    def work() -> None:
        try:
            outcome.extend((job(), None))
        except BaseException as error:  # handed to the caller below
            outcome.extend((None, error))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    result, error = outcome
    if error is not None:
        raise error
    return result  # type: ignore[no-any-return]


def new_namespace() -> int:
    checked(libc.unshare(CLONE_NEWNET), "making a network namespace")
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


class Namespace:
    """A network namespace that was made for one test."""

    def __init__(self) -> None:
        self.fd = -1
        self.fd = in_thread(new_namespace)
        self.inode = os.fstat(self.fd).st_ino  # what an event calls `netns`
        self.ip("link set lo up")

    @property
    def path(self) -> str:
        """Where other processes can open this namespace."""
        return "/proc/{}/fd/{}".format(os.getpid(), self.fd)

    def inside(self, job: Callable[[], T]) -> T:
        """Run `job` in a thread that is inside this namespace."""

        def enter_and_work() -> T:
            checked(libc.setns(self.fd, CLONE_NEWNET), "entering a network namespace")
            return job()

        return in_thread(enter_and_work)

    def socket(self, family: int, kind: int = socket.SOCK_STREAM) -> socket.socket:
        """A socket of this namespace; once made, any thread may use it."""
        return self.inside(lambda: socket.socket(family, kind))

    def read(self, proc_net_file: str) -> str:
        """The text of /proc/net/`proc_net_file` as this namespace sees it."""

        def read_there() -> str:
            with open("/proc/thread-self/net/" + proc_net_file) as source:
                return source.read()

        return self.inside(read_there)

    def argv(self, command: List[str]) -> List[str]:
        """`command`, run inside this namespace."""
        return [shutil.which("nsenter") or "nsenter", "--net=" + self.path, "--"] + command

    def run(self, command: List[str], stdin: Optional[str] = None) -> str:
        done = subprocess.run(self.argv(command), input=stdin, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, universal_newlines=True)
        if done.returncode != 0:
            raise OSError("`{}` in a namespace failed ({}): {}".format(
                " ".join(command), done.returncode, done.stderr.strip()))
        return done.stdout

    def ip(self, *lines: str) -> None:
        """Run several `ip` commands, in order, with one process."""
        self.run(["ip", "-batch", "-"], "\n".join(lines) + "\n")

    def nft(self, rules: str) -> None:
        self.run(["nft", "-f", "-"], rules)

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
