"""A command that traces, to be hit by a signal at some moment, and what it held of the kernel until then."""
import json
import os
import re
import signal
import subprocess
import time
from typing import Any, Dict, List, Optional, Set, Tuple

from .commands import module
from .host import tool

STARTED = re.compile(r"^(Tracing|Recording) retransmits", re.M)
LAST = re.compile(r"in segments: seen (\d+), lost (\d+), limited (\d+), unexplained (-?\d+|\?)(; \d+ netns unreadable"
                  r"|; no kernel counter could be read \(.+\))?$")
_KINDS = {"prog_id": "prog", "link_id": "link", "map_id": "map"}

Held = Set[Tuple[str, int]]


def held_by(pid: int) -> Held:
    """BPF programs, links and maps that a process has open: (what, id)."""
    found: Held = set()
    for fd in os.listdir("/proc/{}/fdinfo".format(pid)):
        try:
            with open("/proc/{}/fdinfo/{}".format(pid, fd)) as info:
                rows = [line.split(":", 1) for line in info if ":" in line]
        except OSError:
            continue
        found.update((_KINDS[name], int(value)) for name, value in rows if name in _KINDS)
    return found


def still_there(held: Held, seconds: float = 5.0) -> Held:
    """Those that the kernel still has; it frees them a moment after their last user."""
    deadline = time.monotonic() + seconds
    while True:
        there: Held = set()
        for what in set(_KINDS.values()):
            there |= {(what, row["id"]) for row in json.loads(tool("bpftool", "-j", what) or "[]")}
        if not held & there or time.monotonic() > deadline:
            return held & there
        time.sleep(0.1)


class Victim:
    """``arguments`` run with output into files of ``folder``, or stdout into a pipe that reader() closes."""

    def __init__(self, folder: str, arguments: List[str], pipe: bool = False) -> None:
        self._paths = [os.path.join(folder, name) for name in ("out", "err")]
        with open(self._paths[0], "wb") as out, open(self._paths[1], "wb") as err:
            self.process = subprocess.Popen(module(*arguments), stdin=subprocess.DEVNULL,
                                            stdout=subprocess.PIPE if pipe else out, stderr=err)
        self.held: Held = set()

    def wait_started(self, seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while not STARTED.search(self.err):
            assert self.process.poll() is None and time.monotonic() < deadline, (self.process.poll(), self.err)
            time.sleep(0.02)
        self.held = held_by(self.process.pid)
        assert {what for what, _ in self.held} == {"prog", "link", "map"}

    def hit(self, number: int) -> None:
        self.process.send_signal(number)

    def close_reader(self) -> None:
        assert self.process.stdout is not None
        self.process.stdout.close()

    def end(self, seconds: float = 60.0) -> int:
        return self.process.wait(seconds)

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def _text(self, path: str) -> str:
        with open(path, "rb") as file:
            return file.read().decode("utf-8")

    @property
    def err(self) -> str:
        return self._text(self._paths[1])

    @property
    def out(self) -> List[Dict[str, Any]]:
        """What it wrote, as JSON; an unfinished last line is left out."""
        return parsed(self._text(self._paths[0]))

    def last_line(self) -> Tuple[Optional[int], ...]:
        """Segments seen, lost, limited and unexplained (None: not known); checks that it is the last line."""
        lines = self.err.splitlines()
        found = LAST.match(lines[-1])
        assert found and "Traceback" not in self.err, lines
        return tuple(None if number == "?" else int(number) for number in found.groups()[:4])


def parsed(text: str) -> List[Dict[str, Any]]:
    """Whole lines of JSON."""
    return [json.loads(line) for line in text.split("\n")[:-1]]
