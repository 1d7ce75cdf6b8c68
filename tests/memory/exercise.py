"""The program of this folder, which drives the whole C API, and what the kernel holds for it."""
import json
import os
import subprocess
import time
from typing import Any, Dict, List, NamedTuple, Set

from bench.bpf import descriptors
from lab import commands
from lab.host import tool
from lab.link import Lab
from lab.ways import Way

FOLDER = os.path.dirname(os.path.abspath(__file__))
NATIVE = os.path.join(os.path.dirname(os.path.dirname(FOLDER)), "native")
ATTACH = {"tp_btf": 1, "raw_tp": 2, "tp": 3}
BUFFER = {"ring": 1, "perf": 2}


def build(*targets: str) -> None:
    """What `make sanitizers` makes, or a part of it."""
    subprocess.run(["make", "-sC", NATIVE] + list(targets), check=True,
                   env=commands.environment(MAKEFLAGS=None, MFLAGS=None, MAKELEVEL=None))


def program(kind: str) -> str:
    return os.path.join(NATIVE, "build", "memory", kind, "exercise")


class Exercise(commands.Child):
    """It runs until told to end; a line to it is answered with one."""

    def __init__(self, argv: List[str], lab: Lab, mode: str, way: Way, number: int = 0, btf: str = "-",
                 **environment: str) -> None:
        super().__init__(argv + [mode, str(ATTACH[way.attach]), str(BUFFER[way.buffer]), btf, lab.client.path,
                                 lab.server.path, str(number)],
                         stdin=subprocess.PIPE, env=commands.environment(**environment))
        self.name = way.name
        self.heard = 0  # lines

    def line(self, seconds: float = 60.0) -> str:
        """The next one on stdout."""
        self.wait_for(lambda: len(self.out.text) > self.heard, "line", seconds)
        self.heard += 1
        return self.out.text[self.heard - 1]

    def ask(self, seconds: float = 60.0) -> str:
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()
        return self.line(seconds)

    def finish(self, seconds: float = 120.0) -> Dict[str, Any]:
        """What it says at its end, which must be a good one: no error, no leak, nothing on stderr."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        code, out, err = self.end(seconds)
        assert (code, err) == (0, []), (self.name, code, "\n".join(err))
        told: Dict[str, Any] = json.loads(out[-1])
        return told


class Held(NamedTuple):
    """By one process, as the kernel tells."""

    programs: Set[int]
    maps: Set[int]
    links: Set[int]

    @classmethod
    def by(cls, pid: int) -> "Held":
        told = list(descriptors(pid))
        return cls(*({int(one[name]) for one in told if name in one} for name in ("prog_id", "map_id", "link_id")))

    def plus(self, other: "Held") -> "Held":
        return Held(*(mine | others for mine, others in zip(self, other)))

    def numbers(self) -> List[int]:
        return [len(ids) for ids in self]

    def still_there(self, seconds: float = 5.0) -> Dict[str, Set[int]]:
        """Which of them the kernel has not freed, though it takes a moment for that."""
        deadline = time.monotonic() + seconds
        while True:
            left = {kind: ids & {row["id"] for row in json.loads(tool("bpftool", "-j", kind) or "[]")}
                    for kind, ids in zip(("prog", "map", "link"), self)}
            if not any(left.values()) or time.monotonic() > deadline:
                return left
            time.sleep(0.1)


class Use(NamedTuple):
    """What a process takes at a moment."""

    resident: int  # bytes
    threads: int
    held: List[int]  # programs, maps, links
    heap: int  # bytes that were asked for and not given back
    descriptors: int

    @classmethod
    def by(cls, pid: int, told: Dict[str, int]) -> "Use":
        """With what the process itself told."""
        with open("/proc/{}/status".format(pid)) as status:
            lines = dict(line.split(":", 1) for line in status.read().splitlines())
        return cls(int(lines["VmRSS"].split()[0]) << 10, int(lines["Threads"]), Held.by(pid).numbers(),
                   told["heap"], told["descriptors"])
