"""A cast of actors in a Lab, and what their logs say: whose each socket was at each moment."""
import bisect
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from types import TracebackType
from typing import Any, Callable, Dict, Iterable, List, Optional, Tuple, Type

from .link import SERVER4, Lab
from .netns import Namespace

ACTORS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "actors.py")

Uses = Dict[Tuple[int, int], Tuple[List[int], List[int]]]  # (local, remote port) -> times, pids


class Cast:
    """`with Cast(lab, folder) as cast:` ends every process that it started."""

    def __init__(self, lab: Lab, folder: str) -> None:
        self.lab = lab
        self.logs = {lab.client.inode: os.path.join(folder, "client.log"),
                     lab.server.inode: os.path.join(folder, "server.log")}
        self.running: List["subprocess.Popen[bytes]"] = []

    def play(self, namespace: Namespace, kind: str, port: int) -> None:
        command = [sys.executable, "-S", "-E", ACTORS, self.logs[namespace.inode], kind, SERVER4, str(port)]
        self.running.append(subprocess.Popen(
            namespace.argv(command), start_new_session=True, stderr=subprocess.DEVNULL))

    def wait_listening(self, ports: Iterable[int]) -> None:
        """Until the servers at `ports` take connections."""
        wait_for(lambda: all(":{:04X} 00000000:0000 0A".format(port) in self.lab.server.read("tcp")
                             for port in ports))

    def wait_used(self, namespace: Namespace) -> None:
        """Until somebody there used a socket that was connected before."""
        log = self.logs[namespace.inode]
        wait_for(lambda: os.path.exists(log) and len(lines_of(log)) > 4)

    def end(self) -> None:
        for process in self.running:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.running.clear()

    def uses(self) -> Dict[int, Uses]:
        """By namespace."""
        return {inode: read_log(path) for inode, path in self.logs.items()}

    def __enter__(self) -> "Cast":
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        self.end()


def wait_for(done: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "the actors did not begin"
        time.sleep(0.02)


def lines_of(path: str) -> List[str]:
    with open(path) as log:
        return log.readlines()


def read_log(path: str) -> Uses:
    found: Dict[Tuple[int, int], List[Tuple[int, int]]] = defaultdict(list)
    for line in lines_of(path):
        when, pid, local, remote = map(int, line.split())
        found[local, remote].append((when, pid))
    return {ports: ([when for when, _ in sorted(rows)], [pid for _, pid in sorted(rows)])
            for ports, rows in found.items()}


def user_at(uses: Uses, event: Any) -> Optional[int]:
    """The process that used the event's socket last; where none had yet, the first that did."""
    times, pids = uses.get((event.sport, event.dport), ((), ()))
    if not pids:
        return None
    return pids[max(0, bisect.bisect_right(times, event.ts_ns) - 1)]
