"""The tracers that are measured, and the small C programs that help."""
import os
import signal
import subprocess
import sys
import time
from types import TracebackType
from typing import Any, IO, List, NamedTuple, Optional, Type, TypeVar

from . import bpf, places

TRACEPOINT = "tracepoint:tcp:tcp_retransmit_skb"

# As bpftrace's own tcpretrans.bt prints bcc's columns, on the tracepoint in place of its kprobe.
BCC_COLUMNS = TRACEPOINT + ''' {
	time("%H:%M:%S ");
	printf("%-8d %14s:%-6d %14s:%-6d %6d\\n", pid, ntop(args->saddr), args->sport,
	       ntop(args->daddr), args->dport, args->state);
}'''
COUNT_BY_FLOW = (TRACEPOINT + " { @[ntop(args->saddr), args->sport, ntop(args->daddr), args->dport]"
                 " = count(); }")


C = TypeVar("C", bound="Child")


class NotStarted(Exception):
    """A program that is measured, or helps to, ended before it was ready."""


class Usage(NamedTuple):
    """What a process took so far."""

    user: float    # seconds
    system: float


class Child:
    """A process that leaving the `with` block ends, whatever state it is in."""

    def __init__(self, argv: List[str], stdout: Any = subprocess.PIPE, **options: Any) -> None:
        self.argv = argv
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=stdout, **options)
        self.pid = self.process.pid

    def line(self) -> str:
        """The next line that it prints."""
        assert self.process.stdout is not None
        text = str(self.process.stdout.readline(), "utf-8", "replace")
        if not text:
            raise NotStarted("{} ended with status {}".format(" ".join(self.argv[:3]), self.process.wait()))
        return text.rstrip("\n")

    def ask(self, command: str) -> List[int]:
        """Send it a line; the numbers of its answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(command.encode() + b"\n")
        self.process.stdin.flush()
        return [int(word) for word in self.line().split()]

    def end_input(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()

    def usage(self) -> Usage:
        with open("/proc/{}/stat".format(self.pid)) as stat:
            words = stat.read().rpartition(")")[2].split()
        tick = os.sysconf("SC_CLK_TCK")
        return Usage(int(words[11]) / tick, int(words[12]) / tick)

    def peak_memory(self) -> int:
        """VmHWM in KiB."""
        with open("/proc/{}/status".format(self.pid)) as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))

    def interrupt(self, seconds: float = 20) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.wait(seconds)

    def __enter__(self: C) -> C:
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        if self.process.poll() is None:
            self.process.kill()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                try:
                    stream.close()
                except BrokenPipeError:  # what it was told last, it did not read
                    pass
        self.process.wait()


def helper(name: str, *arguments: str, **options: Any) -> Child:
    """One of tests/bench/programs."""
    return Child([places.program(name)] + list(arguments), **options)


def script(name: str, *arguments: str, python: str = sys.executable) -> Child:
    """One of tests/bench/scripts, in a process of its own."""
    return Child([python, "-m", "bench.scripts." + name] + list(arguments))


class Tracer(Child):
    """A tracer whose lines go to `output`; once made, it is attached."""

    def __init__(self, argv: List[str], output: Optional[IO[bytes]] = None) -> None:
        self.started = time.monotonic()
        super().__init__(argv, subprocess.DEVNULL if output is None else output, stderr=subprocess.PIPE)
        try:
            self.wait_attached()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        self.attached = time.monotonic()

    def wait_attached(self) -> None:
        raise NotImplementedError


class Ours(Tracer):
    """`retrans_ctypes --json`, attached once it says so on stderr."""

    def __init__(self, *arguments: str, output: Optional[IO[bytes]] = None, command: str = "trace") -> None:
        super().__init__(
            [sys.executable, "-m", "retrans_ctypes", command, "--json"] + list(arguments), output)

    def wait_attached(self) -> None:
        assert self.process.stderr is not None
        said = b""
        for line in self.process.stderr:
            if line.startswith(b"Tracing"):
                return
            said += line
        raise NotStarted("retrans_ctypes: " + said.decode("utf-8", "replace").strip())


class Bpftrace(Tracer):
    """bpftrace, attached once the kernel says so."""

    def __init__(self, program: str, *options: str, output: Optional[IO[bytes]] = None) -> None:
        super().__init__(["bpftrace"] + list(options) + ["-e", program], output)

    def wait_attached(self) -> None:
        while not self._attached():
            if self.process.poll() is not None:
                assert self.process.stderr is not None
                raise NotStarted("bpftrace: " + self.process.stderr.read().decode("utf-8", "replace").strip())
            time.sleep(0.001)

    def _attached(self) -> bool:
        try:
            found = os.listdir("/proc/{}/fd".format(self.pid))
            events = [int(fd) for fd in found
                      if os.readlink("/proc/{}/fd/{}".format(self.pid, fd)) == "anon_inode:[perf_event]"]
        except OSError:  # a descriptor was closed meanwhile
            return False
        return any(bpf.attached_to_perf_event(self.pid, fd) for fd in events)
