"""Each way of attaching, with each buffer, against the kernel's counters and against the best way."""
from collections import Counter
from contextlib import ExitStack
from typing import Any, Dict, List, Tuple

import pytest
from lab import rights, summary
from lab.books import check_row, ended, inhabited, row_of
from lab.counters import Counters
from lab.link import MAPPED, V4, V6, Lab
from lab.load import Load, run
from lab.seen import segments
from lab.traffic import connecting, listener
from lab.ways import ALL, FROM_FILE, TRACEFS, TYPED, Way, tracing

IS_SYN_ACK = "tcp flags & (syn|ack) == (syn|ack)"
QUICK = [TYPED[3], FROM_FILE] + TRACEFS[:1]  # the others are tried at length, or by other tests


def with_marks(ways: List[Way]) -> Any:
    return pytest.mark.parametrize("way", [
        pytest.param(way, marks=[] if way in QUICK else pytest.mark.full, id=way.name) for way in ways])


each_way = with_marks(ALL)
each_typed_way = with_marks(TYPED + [FROM_FILE])


class Handshakes:
    """Connects of each kind that get no answer, and a server's answers that do not arrive."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.counters = {"skb": Counters(lab.client), "synack": Counters(lab.server)}

    def make(self) -> None:
        self.lab.drop(self.lab.client, IS_SYN_ACK)
        with ExitStack() as stack:
            door = stack.enter_context(listener(self.lab, V4))
            self.port = door.getsockname()[1]
            dials = [stack.enter_context(connecting(self.lab.client, address, self.port)) for address in (
                V4.dead, V6.dead, MAPPED.dead, V4.server)]
            self.dialled = {one.getsockname()[1] for (one,) in dials}
            self.counters["skb"].wait("TCPSynRetrans", 4)
            self.counters["synack"].wait("RetransSegs", 1)
            self.lab.heal(self.lab.client)

    def mine(self, events: List[Any]) -> Dict[str, List[Any]]:
        """By kind and by ports alone, since not every way knows the namespace."""
        return {
            "skb": [event for event in events if event.dport == self.port and event.sport in self.dialled],
            "synack": [event for event in events if event.sport == self.port and event.dport in self.dialled]}


@each_way
def test_handshakes_are_told_exactly(lab: Lab, way: Way) -> None:
    with tracing(way) as tracer:
        handshakes = Handshakes(lab)
        handshakes.make()
        told = handshakes.mine(ended(tracer))
    for kind, events in told.items():
        gained = handshakes.counters[kind].gained()["RetransSegs"]
        summary.compared("{} by {}".format(kind, way.name), gained, len(events))
        assert len(events) == gained > 0
        assert {event.kind for event in events} == {kind}
        assert {event.reason for event in events} == {"syn" if kind == "skb" else "synack"}
        if way.attach != "tp":
            assert segments(events) == gained
    assert {(event.family, event.daddr) for event in told["skb"]} == {
        (4, V4.dead), (6, V6.dead), (4, V4.server)}
    assert {event.state for event in told["skb"]} == {"SYN_SENT"}
    assert {(event.family, event.saddr, event.daddr) for event in told["synack"]} == {
        (4, V4.server, V4.client)}


def key_of(event: Any) -> Tuple[Any, ...]:
    return (event.netns, event.sport, event.dport, event.seq, event.end_seq, event.total_retrans, event.err)


def same_events(events: List[Any], others: List[Any]) -> List[Tuple[Any, Any]]:
    """What two tracers saw alike; the kernel may skip a program of either now and then."""
    first = {key_of(event): event for event in events}
    return [(first[key_of(other)], other) for other in others if key_of(other) in first]


@each_typed_way
def test_books_balance_and_reasons_are_those_of_the_best_way(lab: Lab, way: Way) -> None:
    load = Load(V4, flows=16, loss=100, local_loss=20, seconds=5.0 if rights.FULL else 1.0)
    with inhabited(lab), tracing(TYPED[0]) as best, tracing(way) as tracer:
        counters = [(namespace, Counters(namespace)) for namespace in (lab.client, lab.server)]
        run(lab, load)
        events, reference = ended(tracer), ended(best)
        ledger = tracer.ledger()
        mine = {space.inode: [e for e in events if e.netns == space.inode] for space, _ in counters}
        for namespace, counter in counters:
            check_row(row_of(ledger, namespace), counter.gained()["RetransSegs"], mine[namespace.inode],
                      tracer.stats().missed)
        assert tracer.stats().drained == len(events)
    ours = [event for event in events if event.netns in mine]
    theirs = [event for event in reference if event.netns in mine]
    pairs = same_events(theirs, ours)
    differing = Counter((a.reason, b.reason) for a, b in pairs if a.reason != b.reason)
    summary.say("reasons, {} beside tp_btf: {} of {} events paired, differing {}".format(
        way.name, len(pairs), len(ours), dict(differing) or "none"))
    assert len(pairs) >= 0.97 * max(len(ours), len(theirs)) > 100
    assert sum(differing.values()) <= 0.001 * len(pairs)
