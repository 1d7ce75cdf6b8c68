"""Retransmits for rare reasons: what is traced is true or unknown, never wrong."""
import errno
import socket
import struct
import time
from contextlib import contextmanager
from typing import Any, Iterator, List, Set, Tuple

import pytest
from lab import icmp
from lab.comparison import Pair, describe, wrong
from lab.kernel import reports_failures
from lab.link import V4, V6, Ends, Lab
from lab.proof import watching
from lab.traffic import connected, listener, tcp_socket

pytestmark = pytest.mark.truth
each_version = pytest.mark.parametrize("ends", [V4, V6], ids=["v4", "v6"])

TCP = "meta l4proto tcp"
SYN_ACK = "tcp flags & (syn|ack) == (syn|ack)"
SYN_RECV = 3
RETRANSMISSION_TIMER = 1
SMALL = bytes(100)
TCPI_SND_WND = 228  # offset in struct tcp_info (include/uapi/linux/tcp.h)


def nothing_wrong(pairs: List[Pair]) -> None:
    assert pairs
    assert [describe(pair) for pair in wrong(pairs)] == []


def seen_as(pairs: List[Pair], function: str) -> Set[Tuple[str, str]]:
    """(traced, true) reasons of what was sent below `function`."""
    return {(str(pair.event.reason), str(pair.truth.reason)) for pair in pairs
            if function in pair.truth.path()}


def send_window(flow: socket.socket) -> int:
    info = flow.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    return struct.unpack_from("I", info, TCPI_SND_WND)[0]  # type: ignore[no-any-return]


@each_version
def test_zero_window(lab: Lab, ends: Ends) -> None:
    """The peer takes its window back while data is under way: the timer goes on trying."""
    with watching(lab.client) as watched, connected(lab, ends) as (client, server):
        lab.drop(lab.server, TCP)
        client.send(SMALL)
        lab.client.nft("table inet closing { chain input { type filter hook input priority 0; "
                       "meta l4proto tcp tcp window set 0; }; }")
        server.send(SMALL)
        while send_window(client) > 0:
            time.sleep(0.01)
        before = time.monotonic_ns()
        watched.wait(lab.client, "timeouts",
                     lambda events: sum(event.ts_ns > before for event in events) >= 3)
        assert send_window(client) == 0
    nothing_wrong(watched.pairs)
    shut = [pair.event.reason for pair in watched.pairs if pair.event.ts_ns > before]
    assert shut[1:] and set(shut[1:]) == {"rto"}  # the first may still be a probe


@each_version
def test_icmp_unreachable_takes_backoff_back(lab: Lab, ends: Ends) -> None:
    """The error shortens the timeout, and where it is over by then, data is sent at once."""
    error = "tcp_v4_err" if ends.family == 4 else "tcp_v6_err"
    with watching(lab.client) as watched, connected(lab, ends) as (client, _):
        seq = icmp.next_sequence(client)
        lab.drop(lab.server, TCP)
        client.send(SMALL)

        def report_late(events: List[Any]) -> bool:
            """Once the timeout is over that applies without the last doubling."""
            last = events[-1] if events else None
            if last and last.backoff and time.monotonic_ns() / 1000 > last.ts_ns / 1000 + 1.3 * last.rto_us:
                icmp.unreachable(lab.server, ends, client, seq)
            return last is not None and bool(last.icsk_pending == RETRANSMISSION_TIMER)

        watched.wait(lab.client, "data sent at once", report_late)
    nothing_wrong(watched.pairs)
    assert seen_as(watched.pairs, error) == {("rto", "rto")}


def patient(lab: Lab) -> None:
    """No timeout for long, so that it cannot come before what a test does."""
    lab.client.ip("route replace 10.77.0.0/24 dev {} src 10.77.0.1 rto_min 10s".format(lab.device),
                  "route replace fd77::/64 dev {} metric 256 rto_min 10s".format(lab.device))


@each_version
def test_path_mtu_reduced(lab: Lab, ends: Ends) -> None:
    """What was too big is sent again in smaller pieces: at once, and as acknowledgements make room."""
    patient(lab)
    with watching(lab.client) as watched, connected(lab, ends) as (client, server):
        seq = icmp.next_sequence(client)
        lab.drop(lab.server, TCP)
        client.send(bytes(12000))
        icmp.too_big(lab.server, ends, client, seq, 1300)
        watched.wait(lab.client, "smaller pieces", lambda events: "pmtu" in {e.reason for e in events})
        lab.heal(lab.server)
        icmp.too_big(lab.server, ends, client, seq, 1280)
        server.settimeout(20)
        left = 12000
        while left:
            left -= len(server.recv(left))
    nothing_wrong(watched.pairs)
    assert {pair.event.reason for pair in watched.pairs} >= {"pmtu"}
    assert all(pair.event.reason for pair in watched.pairs)


@each_version
def test_path_mtu_reduced_after_a_timeout(lab: Lab, ends: Ends) -> None:
    """Then nothing tells any more which of the two a later retransmit is due to."""
    with watching(lab.client) as watched, connected(lab, ends) as (client, _):
        seq = icmp.next_sequence(client)
        lab.drop(lab.server, TCP)
        client.send(bytes(12000))
        watched.wait(lab.client, "a timeout", lambda events: "rto" in {e.reason for e in events})
        icmp.too_big(lab.server, ends, client, seq, 1300)
        watched.wait(lab.client, "another one", lambda events: events[-1].backoff >= 2)
    nothing_wrong(watched.pairs)
    assert [pair.event.reason for pair in watched.pairs].count("rto") >= 2


def test_simultaneous_open(lab: Lab) -> None:
    """Both sides connect; their SYNs cross, and each answers with a SYN-ACK that gets lost."""
    for side in (lab.client, lab.server):
        lab.drop(side, TCP)
    with watching(lab.client) as watched, tcp_socket(lab.client, V4.client) as client, \
            tcp_socket(lab.server, V4.server) as server:
        for one, own, other in ((client, V4.client, V4.server), (server, V4.server, V4.client)):
            one.bind((own, 4242))
            one.setblocking(False)
            assert one.connect_ex((other, 4242)) == errno.EINPROGRESS
        for side in (lab.client, lab.server):
            lab.drop(side, SYN_ACK)
        watched.wait(lab.client, "a SYN-ACK", lambda events: events and events[-1].tcp_flags & 16)
    nothing_wrong(watched.pairs)
    assert {pair.event.reason for pair in watched.pairs} == {"syn"}
    assert watched.pairs[-1].truth.record.state == SYN_RECV


@each_version
def test_data_in_a_syn_that_the_peer_did_not_take(lab: Lab, ends: Ends) -> None:
    """TCP Fast Open with a peer that knows nothing of it: the data follows the SYN-ACK."""

    def without_cookies() -> None:
        with open("/proc/sys/net/ipv4/tcp_fastopen", "w") as setting:
            setting.write("5")  # client, and send data even without a cookie

    lab.client.inside(without_cookies)
    with watching(lab.client) as watched, listener(lab, ends) as door, \
            tcp_socket(lab.client, ends.client) as client:
        client.sendto(SMALL, socket.MSG_FASTOPEN, (ends.server, door.getsockname()[1]))
        accepted, _ = door.accept()
        with accepted:
            accepted.settimeout(20)
            assert accepted.recv(200) == SMALL
    nothing_wrong(watched.pairs)
    assert seen_as(watched.pairs, "tcp_rcv_state_process") == {("None", "None")}


@contextmanager
def stuck(lab: Lab) -> Iterator[socket.socket]:
    """A flow whose data never arrives."""
    with connected(lab, V4) as (client, _):
        lab.drop(lab.server, TCP)
        client.send(SMALL)
        yield client


@pytest.mark.skipif(not reports_failures(), reason="this kernel does not tell of failed attempts")
@pytest.mark.parametrize("obstacle", ["firewall", "no device"])
def test_failed_attempts(lab: Lab, obstacle: str) -> None:
    """Each carries the error, and no segment; reasons are true all the same."""
    with watching(lab.client) as watched, stuck(lab):
        if obstacle == "firewall":
            lab.drop(lab.client, TCP, hook="output")
        else:
            lab.client.ip("link set {} down".format(lab.device))
        watched.wait(lab.client, "failures", lambda events: sum(e.err != 0 for e in events) >= 2)
    nothing_wrong(watched.pairs)
    failed = [pair for pair in watched.pairs if pair.truth.record.err]
    assert len(failed) >= 2
    assert all(pair.event.failed and pair.event.segs == 0 for pair in failed)
    assert all(pair.event.segs > 0 for pair in watched.pairs if not pair.truth.record.err)
