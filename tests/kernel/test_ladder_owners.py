"""Whose events are, on the ways that know less: right or unknown, never wrong."""
import os
import sys
from collections import Counter
from contextlib import ExitStack
from typing import Any, List

import pytest
from lab import commands, rights, summary
from lab.books import ended
from lab.cast import Cast, user_at
from lab.counters import Counters
from lab.link import V4, Lab
from lab.netns import Namespace
from lab.seen import SETTLED
from lab.traffic import connecting, listener
from lab.ways import FROM_FILE, TRACEFS, TYPED, Way, tracing

# Port -> how its server works, how its clients do (lab/actors.py).
PLAYS = {80: ("prefork", "short"), 81: ("fork_each", "short"), 83: ("threads", "leave"),
         84: ("epoll", "spin"), 85: ("passed", "hand_down")}
EVENTS = 8000 if rights.FULL else 1500
RIGHT, WRONG = 0.95, 0.001
OTHERS = TYPED[1:] + [FROM_FILE]
each_way = pytest.mark.parametrize("way", [
    pytest.param(way, marks=[] if way == FROM_FILE else pytest.mark.full, id=way.name)
    for way in OTHERS])
IS_SYN_ACK = "tcp flags & (syn|ack) == (syn|ack)"


def make_lossy(namespace: Namespace, device: str) -> None:
    namespace.ip("route replace 10.77.0.0/24 dev {} rto_min 5ms".format(device))
    namespace.nft("table inet lab { chain input { type filter hook input priority 0; "
                  "tcp flags & syn == 0 numgen random mod 1000 < 100 drop; }; }")


def play(lab: Lab, cast: Cast, tracer: Any) -> List[Any]:
    """Let them all work until there are enough events."""
    for port, (server, _) in PLAYS.items():
        cast.play(lab.server, server, port)
    cast.wait_listening(PLAYS)
    for port, (_, client) in PLAYS.items():
        cast.play(lab.client, client, port)
    events: List[Any] = []
    while len(events) < EVENTS:
        events += [event for event in tracer.poll(SETTLED) if event.netns in cast.logs and not event.err]
    return events


@pytest.mark.truth
@each_way
def test_owners_are_right_or_unknown(lab: Lab, way: Way, tmp_path: Any) -> None:
    for namespace in (lab.client, lab.server):
        make_lossy(namespace, lab.device)
    with tracing(way) as tracer, Cast(lab, str(tmp_path)) as cast:
        events = play(lab, cast, tracer)
        cast.end()
        uses = cast.uses()
    verdicts: "Counter[str]" = Counter()
    for event in events:
        user = user_at(uses[event.netns], event)
        if user is not None and not event.owner_shared:
            verdicts["unknown" if event.owner_pid is None else
                     "right" if event.owner_pid == user else "wrong"] += 1
    summary.say("owners by {}: {}; by {}".format(
        way.name, dict(verdicts), dict(Counter(event.owner_how for event in events))))
    total = sum(verdicts.values())
    assert verdicts["wrong"] <= WRONG * total
    assert verdicts["right"] >= RIGHT * total > 0.5 * EVENTS


DIAL = """
import os, signal, socket, sys
dial = socket.socket()
dial.setblocking(False)
dial.connect_ex((sys.argv[1], int(sys.argv[2])))
print(dial.getsockname()[1], flush=True)
signal.pause()
"""


@pytest.mark.parametrize("way", [
    TRACEFS[0], pytest.param(TRACEFS[1], marks=pytest.mark.full)], ids=lambda way: way.name)
def test_openers(lab: Lab, way: Way) -> None:
    """Without BTF: who connected or listened, and of what was accepted nothing."""
    lab.drop(lab.client, IS_SYN_ACK)
    counters = Counters(lab.client), Counters(lab.server)
    with tracing(way) as tracer, listener(lab, V4) as door:
        port = door.getsockname()[1]
        command = lab.client.argv([sys.executable, "-S", "-E", "-c", DIAL, V4.server, str(port)])
        with ExitStack() as stack:
            child = stack.enter_context(commands.Child(command))
            other_port = int(child.wait_line(""))
            (own,) = stack.enter_context(connecting(lab.client, V4.server, port))
            for counter in counters:
                counter.wait("RetransSegs", 2)
            lab.drop(lab.client, "tcp flags & (syn|ack) == ack")  # now they connect, but nothing else arrives
            accepted = [door.accept()[0] for _ in range(2)]
            for one in accepted:
                one.send(b"x" * 10)
            before = counters[1].gained()["RetransSegs"]
            counters[1].wait("RetransSegs", before + 2)
            own_port = own.getsockname()[1]
            for one in accepted:
                one.close()
        events = [event for event in ended(tracer) if {event.sport, event.dport} in (
            {port, own_port}, {port, other_port})]
    name = os.path.basename(sys.executable)[:15]
    by_port = {own_port: os.getpid(), other_port: child.process.pid}
    syns = [event for event in events if event.dport == port]
    assert {event.sport for event in syns} == set(by_port)
    assert all(event.owner_pid == by_port[event.sport] and event.owner_how == "opener" for event in syns)
    assert {event.owner_comm for event in syns if event.sport == other_port} == {name}
    synacks = [event for event in events if event.kind == "synack"]
    assert {(event.owner_pid, event.owner_how) for event in synacks} == {(os.getpid(), "opener")}
    data = [event for event in events if event.sport == port and event.kind == "skb"]
    assert data and {(event.owner_pid, event.owner_how, event.owner_comm) for event in data} == {(None, None, None)}
