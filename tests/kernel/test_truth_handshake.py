"""SYNs and SYN-ACKs sent again: events and the kernel's counters must agree exactly."""
from typing import Any

import pytest
from lab import summary
from lab.counters import Counters
from lab.link import ALL_ENDS, MAPPED, V4, V6, Ends, Lab
from lab.seen import Seen, segments, sent
from lab.traffic import connecting, listener

IS_SYN_ACK = "tcp flags & (syn|ack) == (syn|ack)"
each_kind = pytest.mark.parametrize("ends", ALL_ENDS, ids=[ends.name for ends in ALL_ENDS])


def plain(address: str) -> str:
    """A v4-mapped address is shown as the IPv4 address that is on the wire."""
    return address.replace("::ffff:", "")


@each_kind
def test_syn_to_a_dead_address(lab: Lab, seen: Seen, ends: Ends) -> None:
    counters = Counters(lab.client)
    with connecting(lab.client, ends.dead, port=4242, count=5) as sockets:
        ports = sorted(one.getsockname()[1] for one in sockets)
        counters.wait("TCPSynRetrans", 5)
    gained = counters.gained()
    events = seen.of(lab.client)

    summary.compared("SYN, {}".format(ends.name), gained["RetransSegs"], segments(events))
    assert len(events) == gained["TCPSynRetrans"]
    assert segments(events) == gained["RetransSegs"]
    assert {event.reason for event in events} == {"syn"}
    assert {event.kind for event in events} == {"skb"}
    assert {event.state for event in events} == {"SYN_SENT"}
    # No round trip was seen yet. The kernel has a 0 and a guess there.
    assert {(event.srtt_us, event.rttvar_us) for event in events} == {(None, None)}
    assert {(event.family, event.saddr, event.daddr, event.dport) for event in events} == {
        (ends.family, plain(ends.client), plain(ends.dead), 4242)}
    assert sorted({event.sport for event in events}) == ports
    assert all(event.tcp_flags & 2 and event.end_seq == event.seq + 1 and not event.err for event in events)


@each_kind
def test_syn_ack_that_never_arrives(lab: Lab, seen: Seen, ends: Ends) -> None:
    lab.drop(lab.client, IS_SYN_ACK)
    counters = Counters(lab.server)
    with listener(lab, ends) as door:
        port = door.getsockname()[1]
        with connecting(lab.client, ends.server, port) as (client,):
            client_port = client.getsockname()[1]
            counters.wait("RetransSegs", 2)
        lab.heal(lab.client)  # the reset reaches the server, which forgets the half-open flow
    events = seen.of(lab.server)
    gained = counters.gained()

    summary.compared("SYN-ACK, {}".format(ends.name), gained["RetransSegs"], segments(events))
    assert {event.kind for event in events} == {"synack"}
    assert {event.reason for event in events} == {"synack"}
    assert len(events) == segments(events) == gained["RetransSegs"]
    assert {(event.family, event.saddr, event.sport, event.daddr, event.dport) for event in events} == {
        (ends.family, plain(ends.server), port, plain(ends.client), client_port)}


def test_both_sides_of_one_handshake(lab: Lab, seen: Seen) -> None:
    """The client's SYN and the server's SYN-ACK are told apart by their network namespace."""
    lab.drop(lab.client, IS_SYN_ACK)
    counters = {lab.client: Counters(lab.client), lab.server: Counters(lab.server)}
    with listener(lab, V4) as door, connecting(lab.client, V4.server, door.getsockname()[1]):
        counters[lab.server].wait("RetransSegs", 1)
        counters[lab.client].wait("RetransSegs", 1)
    for side, kind in ((lab.client, "skb"), (lab.server, "synack")):
        events = seen.of(side)
        assert {event.kind for event in events} == {kind}
        assert segments(events) == counters[side].gained()["RetransSegs"]


@pytest.mark.parametrize("wanted, families", [(4, {4}), (6, {6}), (None, {4, 6})], ids=["only4", "only6", "all"])
def test_family_filter(lab: Lab, nothing_left_behind: None, wanted: Any, families: Any) -> None:
    """Mapped flows pass as IPv4; what a filter keeps back is counted."""
    from retrans_ctypes import Filter, Tracer

    counters = Counters(lab.client)
    with Tracer(filter=Filter(family=wanted)) as tracer:
        with connecting(lab.client, V4.dead, 4), connecting(lab.client, V6.dead, 6), \
                connecting(lab.client, MAPPED.dead, 46):
            counters.wait("TCPSynRetrans", 3)
        events = Seen(tracer).of(lab.client)
        stats = tracer.stats()
    ports = {4: {4, 46}, 6: {6}}
    assert {event.family for event in events} == families
    assert {event.dport for event in events} == set().union(*(ports[family] for family in families))
    kept_back = counters.gained()["RetransSegs"] - segments(events)
    assert stats.filtered_segs >= kept_back  # others on this host may add to it
    assert len(sent(events)) == segments(events)


def test_two_tracers_see_the_same(lab: Lab, seen: Seen) -> None:
    from retrans_ctypes import Tracer

    with Tracer() as second:
        counters = Counters(lab.client)
        with connecting(lab.client, V4.dead, count=3):
            counters.wait("TCPSynRetrans", 3)

        def ports(events: Any) -> Any:
            return sorted(event.sport for event in events)

        assert ports(seen.of(lab.client)) == ports(Seen(second).of(lab.client))
