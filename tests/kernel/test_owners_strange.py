"""Owners where names lie: a pid that is used again, comm that holds anything, very many sockets."""
import array
import json
import os
import resource
import socket
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from typing import Any, Iterator, List

import pytest
from lab import commands, summary
from lab.counters import Counters
from lab.link import V4, Lab
from lab.pids import reused
from lab.seen import Seen
from lab.traffic import listener

TCP = "meta l4proto tcp"
OLD, NEW = "first one", "second one"
SOCKETS, EARLY = 65536, 4060

# Each gets a Unix socket as stdin, over which the test leads it.
BEGIN = """
import array, resource, socket, sys
line = socket.socket(fileno=0)
with open("/proc/self/comm", "wb") as comm:
    comm.write(bytes.fromhex(sys.argv[1]))
def dial(port, blocking=True):
    made = socket.socket()
    made.setblocking(blocking)
    made.connect_ex((sys.argv[2], port))
    return made
"""
LEAVE = BEGIN + """
conn = dial(int(sys.argv[3]))
line.send(b"connected")
line.recv(1)
conn.send(bytes(100))
"""
LEAVE_BEHIND = BEGIN + """
conn = dial(int(sys.argv[3]))
line.sendmsg([b"connected"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [conn.fileno()]))])
line.recv(1)
conn.send(bytes(100))
"""
DIAL = BEGIN + """
conn = dial(int(sys.argv[3]), False)
line.send(b"connected")
line.recv(1)
"""
MANY = BEGIN + """
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
idle = [socket.socket() for _ in range(int(sys.argv[4]) - 2)]
early = dial(int(sys.argv[3]), False)
line.send(b"connected")
line.recv(1)
late = dial(int(sys.argv[3]) + 1, False)
line.send(b"connected")
line.recv(1)
"""


class Actor:
    """A process in the client's namespace."""

    def __init__(self, lab: Lab, program: str, comm: bytes, *arguments: Any) -> None:
        self.line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.line.settimeout(60)
        command = [sys.executable, "-S", "-E", "-c", program, comm.hex()] + [str(one) for one in arguments]
        with theirs:
            self.process = subprocess.Popen(lab.client.argv(command), stdin=theirs)
        self.pid = self.process.pid

    def wait_connected(self) -> None:
        """Its message is only looked at, so that a descriptor in it stays on its way."""
        assert self.line.recv(100, socket.MSG_PEEK) == b"connected", "the actor ended early"

    def go_on(self) -> None:
        self.line.send(b"x")

    def leave(self) -> None:
        self.go_on()
        assert self.process.wait(20) == 0


@contextmanager
def acting(lab: Lab, program: str, comm: bytes, *arguments: Any) -> Iterator[Actor]:
    actor = Actor(lab, program, comm, *arguments)
    try:
        actor.wait_connected()
        yield actor
    finally:
        actor.line.close()
        if actor.process.poll() is None:
            actor.process.kill()
        actor.process.wait()


def take(actor: Actor) -> socket.socket:
    _, extra, _, _ = actor.line.recvmsg(100, socket.CMSG_SPACE(4))
    fd, = array.array("i", extra[0][2])
    return socket.socket(fileno=fd)


def wait_more(counters: Counters, more: int) -> None:
    counters.wait("RetransSegs", counters.gained()["RetransSegs"] + more)


def test_a_pid_used_again_after_the_owner_left(lab: Lab, nothing_left_behind: None) -> None:
    """The socket outlives its last owner, whose pid a process gets that never saw the socket."""
    with commands.Child(commands.module("--json")) as child, listener(lab, V4) as door:
        child.wait_tracing()
        port = door.getsockname()[1]
        with acting(lab, LEAVE, OLD.encode(), V4.server, port) as actor:
            lab.drop(lab.server, TCP)
            counters = Counters(lab.client)
            actor.leave()
            with reused(actor.pid, NEW):
                since = time.clock_gettime(time.CLOCK_MONOTONIC) * 1e9
                wait_more(counters, 3)
                child.interrupt()
                code, out, err = child.end()
    assert code == 0, err
    records = [record for record in map(json.loads, out) if record.get("netns") == lab.client.inode
               and record["type"] == "event" and record["ts_ns"] > since]
    assert len(records) >= 2
    assert {(record["owner_pid"], record["owner_comm"], record["owner_how"]) for record in records} == {
        (actor.pid, OLD, "close")}
    assert {record["cmdline"] for record in records} == {None}  # that of the pid is somebody else's


def test_a_pid_used_again_while_the_socket_is_nobodys(lab: Lab, seen: Seen) -> None:
    """Its only descriptor is on its way; who connected it is gone, who has that pid is another."""
    with listener(lab, V4) as door:
        with acting(lab, LEAVE_BEHIND, OLD.encode(), V4.server, door.getsockname()[1]) as actor:
            lab.drop(lab.server, TCP)
            counters = Counters(lab.client)
            actor.leave()
            with reused(actor.pid, NEW):
                before = len(seen.of(lab.client))
                wait_more(counters, 3)
                nobodys = seen.of(lab.client)[before:]
                with take(actor):
                    wait_more(counters, 1)
                    ours = seen.of(lab.client)[before + len(nobodys):]
    assert len(nobodys) >= 2
    assert {(event.owner_pid, event.owner_how) for event in nobodys} == {(None, None)}
    assert ours and {event.owner_pid for event in ours} == {os.getpid()}


def test_a_name_that_holds_anything(lab: Lab, nothing_left_behind: None) -> None:
    """Control characters, a line end, quotes, a backslash and bytes that are no UTF-8."""
    comm = b"\x1b[2J\n\"'\\\xff\x07,\xc3"
    with commands.Child(commands.module("--json")) as structured, commands.Child(commands.module()) as plain:
        for child in (structured, plain):
            child.wait_tracing()
        with acting(lab, DIAL, comm, V4.dead, 4051) as actor:
            line = structured.wait_line('"dport":4051')
            shown = plain.wait_line(V4.dead + ":4051")
            for child in (structured, plain):
                child.interrupt()
                assert child.end()[0] == 0
    assert line.isprintable() and shown.isprintable()
    record = json.loads(line)
    assert (record["owner_pid"], record["owner_comm"]) == (
        actor.pid, comm.decode("utf-8", "backslashreplace"))
    cells = shown.split()
    assert cells[1:3] == [str(actor.pid), "\\x1b[2J\\x0a\"'\\\\xff\\x07,\\xc3"]


def slab_kb() -> int:
    with open("/proc/meminfo") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("Slab:"))


def shares() -> List[int]:
    """How many sockets each process opens: limits may not let one have them all."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    processes = 1 if most < 0 else -(-SOCKETS // (most - 100))
    return [-(-SOCKETS // processes)] * processes


def test_connected_beyond_256_descriptors(lab: Lab, nothing_left_behind: None) -> None:
    """More than are looked through at an event: that of the socket is known from its connect."""
    from retrans_ctypes import Tracer

    with acting(lab, MANY, b"many", V4.dead, EARLY, 400) as actor, Tracer() as tracer:
        seen, counters = Seen(tracer), Counters(lab.client)
        actor.line.recv(100)
        actor.go_on()
        actor.wait_connected()
        counters.wait("RetransSegs", 2)
        deadline = time.monotonic() + 20
        while EARLY + 1 not in {event.dport for event in seen.of(lab.client)}:
            assert time.monotonic() < deadline, seen.events
        late = [event for event in seen.of(lab.client) if event.dport == EARLY + 1]
    assert {(event.owner_pid, event.owner_how, event.owner_shared) for event in late} == {(actor.pid, "file", 0)}


@pytest.mark.full
def test_65536_sockets(lab: Lab, nothing_left_behind: None) -> None:
    """In each process two retransmit, one connected before tracing began and one after; all others idle."""
    from retrans_ctypes import Tracer

    with ExitStack() as stack:
        actors = {EARLY + 2 * i: stack.enter_context(acting(lab, MANY, b"many", V4.dead, EARLY + 2 * i, share))
                  for i, share in enumerate(shares())}
        slab, began = slab_kb(), time.monotonic()
        tracer = stack.enter_context(Tracer())
        summary.say("{} sockets: tracing began after {:.2f} s, slab grew by {} kB".format(
            SOCKETS, time.monotonic() - began, slab_kb() - slab))
        seen = Seen(tracer)
        for actor in actors.values():
            actor.line.recv(100)
            actor.go_on()
            actor.wait_connected()
        assert sum(len(os.listdir("/proc/{}/fd".format(one.pid))) for one in actors.values()) >= SOCKETS
        ports = {port + late for port in actors for late in (0, 1)}
        deadline = time.monotonic() + 60
        while not ports <= {event.dport for event in seen.of(lab.client)}:
            assert time.monotonic() < deadline, seen.events
        events = seen.of(lab.client)
        assert tracer.stats().lost == 0
    known = Counter(bool(event.owner_pid) for event in events if event.dport not in actors)
    summary.say("{} sockets: of those connected later {} retransmits have an owner, {} have none".format(
        SOCKETS, known[True], known[False]))
    for event in events:
        user = actors[event.dport - event.dport % 2].pid
        assert event.owner_pid == user or event.owner_pid is None and event.dport not in actors, event
