"""Whose each event is, against the logs of the processes that use the sockets.

'Right' is the process that last connected, accepted, sent or received on the socket, or took it
over, before the event. Unknown is a miss, a wrong name much worse.
"""
import os
import select
import socket
import subprocess
import sys
import time
from collections import Counter, defaultdict
from contextlib import ExitStack, closing
from typing import Any, Dict, List, Tuple

import pytest
from lab import rights, summary
from lab.cast import Cast, user_at
from lab.counters import Counters
from lab.link import V4, Lab
from lab.netns import Namespace
from lab.seen import SETTLED, Seen
from lab.traffic import connected, connecting, listener
from lab.uring import PendingReceive

pytestmark = pytest.mark.truth

# Port -> how its server works, how its clients do.
CLASSES = {
    80: ("prefork", "short"), 81: ("fork_each", "short"), 82: ("reuseport", "short"),
    83: ("threads", "leave"), 84: ("epoll", "spin"), 85: ("passed", "hand_down"),
    86: ("shared", "short"), 87: ("threads", "steady"),
}
EARLY = 87  # connected before tracing begins
SHARED = "shared"

EVENTS, EVENTS_EACH, SECONDS = (100000, 2000, 900) if rights.TRUTH else (8000, 500, 180)
# Those that are unknown come in bunches, of one connection each: of some thousand events of a class they may be more.
RIGHT = 0.99 if rights.TRUTH else 0.97
RIGHT_IN_ALL, WRONG, TAKEN_FOR_SHARED = 0.995, 0.001, 0.02
SLACK = 0 if rights.TRUTH else 3  # of some hundred events, a few that are unknown may be one percent
IPPROTO_MPTCP = 262

Tally = Dict[str, "Counter[str]"]


def make_lossy(namespace: Namespace, device: str) -> None:
    namespace.ip("route replace 10.77.0.0/24 dev {} rto_min 5ms".format(device))
    namespace.nft("table inet lab { chain input { type filter hook input priority 0; "
                  "tcp flags & syn == 0 numgen random mod 1000 < 100 drop; "
                  "tcp flags & syn != 0 numgen random mod 1000 < 30 drop; }; }")


def class_of(lab: Lab, event: Any) -> str:
    if event.netns == lab.server.inode:
        return CLASSES[event.sport][0]
    return CLASSES[event.dport][1]


def verdict(event: Any, user: int) -> str:
    if event.owner_pid:
        return "right" if event.owner_pid == user else "wrong"
    return "shared" if event.owner_shared else "unknown"


def watch(lab: Lab, cast: Cast, tracer: Any) -> List[Any]:
    """Events of this lab, until there are enough of each class."""
    events: List[Any] = []
    counts: "Counter[str]" = Counter()
    wanted = {name for pair in CLASSES.values() for name in pair}
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        for event in tracer.poll(SETTLED):
            if event.netns in cast.logs and not event.err:
                events.append(event)
                counts[class_of(lab, event)] += 1
        if len(events) >= EVENTS and all(counts[name] >= EVENTS_EACH for name in wanted):
            return events
    raise AssertionError("too few events in {} s: {}".format(SECONDS, counts))


def play(lab: Lab, cast: Cast) -> List[Any]:
    from retrans_ctypes import Tracer

    for namespace in (lab.client, lab.server):
        make_lossy(namespace, lab.device)
    for port, (server, _) in CLASSES.items():
        cast.play(lab.server, server, port)
    cast.wait_listening(CLASSES)
    cast.play(lab.client, CLASSES[EARLY][1], EARLY)
    cast.wait_used(lab.client)
    with Tracer() as tracer:
        for port, (_, client) in CLASSES.items():
            if port != EARLY:
                cast.play(lab.client, client, port)
        return watch(lab, cast, tracer)


def judge(lab: Lab, cast: Cast, events: List[Any]) -> Tuple[Tally, Tally]:
    uses = cast.uses()
    verdicts: Tally = defaultdict(Counter)
    ways: Tally = defaultdict(Counter)
    for event in events:
        user = user_at(uses[event.netns], event)
        if user is None:
            continue  # nobody has accepted it, ever
        name = class_of(lab, event)
        verdicts[name][verdict(event, user)] += 1
        ways[name][event.owner_how or "unknown"] += 1
    return verdicts, ways


def tell(verdicts: Tally, ways: Tally) -> None:
    for name in sorted(verdicts):
        row = verdicts[name]
        summary.say("owner, {:10} {:6} right {:3} wrong {:3} unknown {:4} shared; by {}".format(
            name, row["right"], row["wrong"], row["unknown"], row["shared"],
            ", ".join("{} {}".format(*item) for item in ways[name].most_common())))


def test_owners_are_right_or_unknown(lab: Lab, tmp_path: Any) -> None:
    with Cast(lab, str(tmp_path)) as cast:
        events = play(lab, cast)
        cast.end()
        verdicts, ways = judge(lab, cast, events)
    tell(verdicts, ways)
    total = sum(sum(row.values()) for row in verdicts.values())
    assert sum(row["wrong"] for row in verdicts.values()) <= WRONG * total
    all_right = all_counted = 0
    for name, row in verdicts.items():
        if name != SHARED:
            counted = row["right"] + row["wrong"] + row["unknown"]
            assert row["right"] + SLACK >= RIGHT * counted, (name, row)
            assert row["shared"] <= TAKEN_FOR_SHARED * (counted + row["shared"]), (name, row)
            all_right, all_counted = all_right + row["right"], all_counted + counted
    assert all_right >= RIGHT_IN_ALL * all_counted
    # The last owner is known after it has gone, and a socket with two holders is marked.
    assert ways["leave"]["close"] > 0
    marked = [event for event in events if class_of(lab, event) == SHARED and event.owner_shared]
    assert len(marked) > 0.5 * sum(verdicts[SHARED].values())


def test_a_connection_not_yet_accepted_belongs_to_the_listener(lab: Lab, seen: Seen) -> None:
    with listener(lab, V4) as door:
        lab.drop(lab.client, "tcp flags & (syn | ack) == (syn | ack)")
        counters = Counters(lab.server)
        with connecting(lab.client, V4.server, door.getsockname()[1]) as (client,):
            counters.wait("RetransSegs", 2)
            lab.heal(lab.client)
            assert select.select([], [client], [], 10)[1]
        events = seen.of(lab.server)
    assert {event.kind for event in events} == {"synack"}
    assert {(event.owner_pid, event.owner_how) for event in events} == {(os.getpid(), "inherited")}


def test_the_pid_is_the_one_of_the_initial_namespace(lab: Lab, seen: Seen) -> None:
    program = ("import signal, socket; dial = socket.socket(); dial.setblocking(False); "
               "dial.connect_ex(('{}', 9)); signal.pause()".format(V4.dead))
    counters = Counters(lab.client)
    with subprocess.Popen(lab.client.argv(
            ["unshare", "--pid", "--fork", "--kill-child", sys.executable, "-S", "-c", program])) as outer:
        try:
            counters.wait("RetransSegs", 1)
            with open("/proc/{0}/task/{0}/children".format(outer.pid)) as children:
                inner = int(children.read())
            events = seen.of(lab.client)
        finally:
            outer.kill()
    assert {(event.owner_pid, event.owner_shared) for event in events} == {(inner, 0)}


def test_a_receive_pending_in_io_uring(lab: Lab, seen: Seen) -> None:
    """No task sleeps on the socket; the ring's does in effect."""
    with connected(lab, V4) as (client, _):
        try:
            pending = PendingReceive(client)
        except OSError as error:
            pytest.skip(str(error))
        with closing(pending):
            lab.drop(lab.server, "meta l4proto tcp")
            counters = Counters(lab.client)
            client.send(b"x")
            counters.wait("RetransSegs", 2)
            events = seen.of(lab.client)
    assert {(event.owner_pid, event.owner_how) for event in events} == {(os.getpid(), "waiting")}


@pytest.mark.parametrize("finish", [False, True], ids=["asleep", "closed"])
def test_an_mptcp_socket_is_never_given_to_another_process(lab: Lab, seen: Seen, finish: bool) -> None:
    """Its subflows are the kernel's own sockets: right or unknown."""
    with ExitStack() as stack:
        door, dial = (stack.enter_context(space.inside(lambda: socket.socket(
            socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP))) for space in (lab.server, lab.client))
        door.bind((V4.server, 0))
        door.listen(1)
        dial.connect(door.getsockname())
        stack.enter_context(door.accept()[0])
        lab.drop(lab.server, "meta l4proto tcp")
        counters = Counters(lab.client)
        dial.send(b"x" * 100)
        if finish:
            dial.close()
        counters.wait("RetransSegs", 2)
        events = seen.of(lab.client)
    assert events and {event.owner_pid for event in events} <= {os.getpid(), None}
    summary.say("owner, mptcp: {}".format(Counter(event.owner_how for event in events)))
