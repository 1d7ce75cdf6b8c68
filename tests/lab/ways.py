"""The ways of attaching that work on this machine, and tracers that use them.

A way that needs other mounts gets them in a thread with a mount namespace of its own, so that nothing
of it can be left behind; the tracer it opens there works from any thread.
"""
import ctypes
import os
import tempfile
from contextlib import contextmanager
from typing import Any, Callable, Iterator, List, NamedTuple, Optional, TypeVar

from .netns import checked, in_thread, libc

T = TypeVar("T")

CLONE_NEWNS = 0x20000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
KERNEL_BTF = "/sys/kernel/btf/vmlinux"
TRACING = "/sys/kernel/tracing"


class Way(NamedTuple):
    attach: str
    buffer: str
    hidden: bool = False  # the kernel's BTF is hidden, and a copy of it given as a file

    @property
    def name(self) -> str:
        return "{}-{}{}".format(self.attach, self.buffer, "-file" if self.hidden else "")


TYPED = [Way(attach, buffer) for attach in ("tp_btf", "raw_tp") for buffer in ("ring", "perf")]
FROM_FILE = Way("raw_tp", "ring", hidden=True)
TRACEFS = [Way("tp", "ring"), Way("tp", "perf")]
ALL = TYPED + [FROM_FILE] + TRACEFS


def mount(source: str, target: str, kind: Optional[str], flags: int = 0, data: Optional[str] = None) -> None:
    encoded = [None if text is None else text.encode() for text in (source, target, kind, data)]
    checked(libc.mount(encoded[0], encoded[1], encoded[2], ctypes.c_ulong(flags), encoded[3]),
            "mounting {}".format(target))


def among_other_mounts(prepare: Callable[[], None], job: Callable[[], T]) -> T:
    """Run `job` where the mounts are as `prepare` makes them, and nobody else sees that."""
    def work() -> T:
        checked(libc.unshare(CLONE_NEWNS), "making a mount namespace")
        mount("none", "/", None, MS_REC | MS_PRIVATE)
        prepare()
        return job()

    return in_thread(work)


def show_tracefs() -> None:
    mount("tracefs", TRACING, "tracefs")


def hide_btf() -> None:
    mount("none", os.path.dirname(KERNEL_BTF), "tmpfs")


def copy_of_btf(folder: str) -> str:
    path = os.path.join(folder, "vmlinux.btf")
    with open(KERNEL_BTF, "rb") as source, open(path, "wb") as copy:
        copy.write(source.read())
    return path


def open_there(way: Way, **options: Any) -> Any:
    """A Tracer of this way."""
    from retrans_ctypes import Tracer

    def start(**more: Any) -> Any:
        return Tracer(attach=way.attach, buffer=way.buffer, **options, **more)

    if way.attach == "tp":
        return among_other_mounts(show_tracefs, start)
    if not way.hidden:
        return start()
    with tempfile.TemporaryDirectory() as folder:
        path = copy_of_btf(folder)
        return among_other_mounts(hide_btf, lambda: start(btf=path))


@contextmanager
def tracing(way: Way, **options: Any) -> Iterator[Any]:
    tracer = open_there(way, **options)
    try:
        assert (tracer.capabilities.attach, tracer.capabilities.buffer) == (way.attach, way.buffer)
        yield tracer
    finally:
        tracer.close()


def shell(*commands: str) -> List[str]:
    """What to put before a command so that it runs where these shell commands, mounts mostly, were run."""
    return ["unshare", "--mount", "--propagation", "private", "sh", "-ec",
            "\n".join(commands) + '\nexec "$@"', "sh"]
