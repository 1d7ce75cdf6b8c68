"""Processes that connect to where nobody answers: one SYN retransmit a second, and an owner for it."""
import subprocess
import sys
from contextlib import contextmanager
from typing import Iterator, List, Optional

from .cgroups import in_cgroup
from .link import DEAD4
from .netns import Namespace

# Waits for a line before it connects, and for the end of its input after that.
KNOCK = """
import socket, sys
print("ready", flush=True)
sys.stdin.readline()
client = socket.socket()
client.setblocking(False)
client.connect_ex((sys.argv[1], int(sys.argv[2])))
print("connecting", flush=True)
sys.stdin.read()
"""


class Knocker:
    """One such process. It lives in its namespace from the start and connects when it is told."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdin and process.stdout
        self.process, self.input, self.output = process, process.stdin, process.stdout
        self.pid = process.pid
        assert self.output.readline() == b"ready\n"

    def connect(self) -> None:
        self.input.write(b"\n")
        self.input.flush()
        assert self.output.readline() == b"connecting\n"

    def end(self) -> None:
        """Again does nothing."""
        if self.input.closed:
            return
        self.input.close()
        self.process.wait(10)
        self.output.close()


def command(port: int, address: str = DEAD4) -> List[str]:
    return [sys.executable, "-c", KNOCK, address, str(port)]


@contextmanager
def knocker(namespace: Namespace, port: int, address: str = DEAD4, cgroup: Optional[str] = None) -> Iterator[Knocker]:
    argv = namespace.argv(command(port, address))
    made = Knocker(subprocess.Popen(in_cgroup(cgroup, argv) if cgroup else argv,
                                    stdin=subprocess.PIPE, stdout=subprocess.PIPE))
    try:
        yield made
    finally:
        made.end()
