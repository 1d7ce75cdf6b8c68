"""The rate limit of each flow: what it keeps back is counted to the segment, and others are not disturbed."""
import socket
import threading
import time
from contextlib import ExitStack, contextmanager
from typing import Any, Iterator, List, Tuple

import pytest
from lab import commands
from lab.books import ended, inhabited, row_of
from lab.counters import Counters
from lab.link import V4, Lab
from lab.load import Load, run
from lab.silence import Silence
from lab.tcp_info import tcp_info
from lab.traffic import connected, swallow, wait_acknowledged
from lab.ways import Way, tracing
from retrans_ctypes import Filter, Tracer

WAYS = [Way("tp_btf", "ring"), Way("raw_tp", "perf"), Way("tp", "ring")]
TYPED = WAYS[:2]
RATE, BURST = 10, 20

Flow = Tuple[socket.socket, socket.socket]


@contextmanager
def two_flows(lab: Lab) -> Iterator[List[socket.socket]]:
    """A flow that storms and one that does not, through the same loss; their sending ends."""
    with ExitStack() as stack:
        flows = [stack.enter_context(connected(lab, V4)) for _ in range(2)]
        for _, server in flows:
            threading.Thread(target=swallow, args=(server,), daemon=True).start()
        yield [client for client, _ in flows]


def storm(lab: Lab, loud: socket.socket, quiet: socket.socket, seconds: float = 3.0) -> None:
    """A twentieth of what arrives is lost; when this returns, nothing is sent again any more."""
    lab.lose(lab.server, 50)
    end = time.monotonic() + seconds
    loud.settimeout(60)
    while time.monotonic() < end:
        loud.sendall(bytes(1 << 20))
        quiet.sendall(b"x")
    lab.heal(lab.server)
    for one in (loud, quiet):
        wait_acknowledged(one)


def name(flow: socket.socket) -> Any:
    return tuple("%s:%d" % end for end in (flow.getsockname(), flow.getpeername()))


@pytest.mark.parametrize("way", TYPED, ids=[way.name for way in TYPED])
def test_a_storm_is_limited_and_counted_and_a_quiet_flow_is_not(lab: Lab, way: Way) -> None:
    with inhabited(lab), two_flows(lab) as (loud, quiet), tracing(way, rate=RATE, burst=BURST) as tracer:
        counters = Counters(lab.client)
        storm(lab, loud, quiet)
        resent = {name(flow): tcp_info(flow)["total_retrans"] for flow in (loud, quiet)}
        events = [event for event in ended(tracer) if event.netns == lab.client.inode]
        kernel = counters.gained()["RetransSegs"]
        counts, row, stats = tracer.counts(), row_of(tracer.ledger(), lab.client), tracer.stats()
        loud_name, quiet_name = name(loud), name(quiet)
    of = {key: [event for event in events if (event.local, event.remote) == key] for key in resent}
    held_back = {one.key: one for one in counts.rows}
    # all of the quiet flow's, and of the other what the bucket let through
    assert quiet_name not in held_back
    assert sum(event.segs + event.skipped_segs for event in of[quiet_name]) == resent[quiet_name]
    assert BURST <= len(of[loud_name]) <= BURST + 30 * RATE
    # to the segment, by flow, in the books, and in the flow's own events but for what came after the last
    limited = held_back[loud_name]
    told = sum(event.limited_segs for event in of[loud_name])
    delivered = sum(event.segs for event in events)
    assert row.exact and row.kernel == kernel == sum(resent.values())
    assert row.limited == limited.segs and row.delivered == delivered
    assert row.kernel == row.delivered + row.limited + row.lost and row.limited > row.delivered
    assert 0 < told <= limited.segs
    assert limited.bytes > limited.segs * 500
    assert stats.limited == counts.total.events and stats.limited_segs == counts.total.segs


def test_nothing_is_limited_by_default(lab: Lab) -> None:
    with inhabited(lab), Tracer(filter=Filter(netns=lab.client.inode)) as tracer:
        run(lab, Load(V4, loss=100, flows=4, gso=False, seconds=1))
        ended(tracer)
        assert tracer.stats().limited == 0 and tracer.counts().total.events == 0


def test_no_limit(lab: Lab) -> None:
    with Tracer(rate=None) as tracer:
        assert tracer.counts().total == (0, 0, 0, 0)


@pytest.mark.parametrize("way", WAYS, ids=[way.name for way in WAYS])
def test_each_socket_has_its_own_bucket(way: Way, nothing_left_behind: None) -> None:
    """A second event within the hour is one too many, whatever other flows do."""
    with Silence() as silence, tracing(way, rate=1, burst=1) as tracer:
        silence.knock(["127.0.0.8"] * 500)
        events = [event for event in ended(tracer) if event.daddr == "127.0.0.8"]
    assert len(events) == len({event.sport for event in events})
    assert len(events) == 500 or way.attach == "tp" and len(events) >= 450  # nothing tells what was skipped there


@pytest.mark.parametrize("way", WAYS, ids=[way.name for way in WAYS])
def test_syn_acks_have_the_bucket_of_their_listener(lab: Lab, way: Way) -> None:
    lab.drop(lab.client, "tcp flags & (syn | ack) == (syn | ack)")
    with inhabited(lab), tracing(way, rate=1, burst=1) as tracer, lab.server.socket(socket.AF_INET) as door, \
            ExitStack() as stack:
        door.bind((V4.server, 0))
        door.listen(200)
        counters = Counters(lab.server)
        port = door.getsockname()[1]
        for _ in range(100):
            client = stack.enter_context(lab.client.socket(socket.AF_INET))
            client.setblocking(False)
            client.connect_ex((V4.server, port))
        counters.wait("RetransSegs", 100)
        stack.close()
        door.close()
        events = [event for event in ended(tracer) if event.sport == port and event.kind == "synack"]
        kernel = counters.gained()["RetransSegs"]
        mine, = [one for one in tracer.counts().rows if one.key[0] == "%s:%d" % (V4.server, port)]
        row = row_of(tracer.ledger(), lab.server) if tracer.capabilities.ledger else None
    assert mine.key[1] == "0.0.0.0:0" and mine.bytes in (0, None)
    assert 1 <= len(events) <= 15 < mine.events <= kernel - len(events)
    if row:  # programs in tracefs are skipped while anybody on their CPU has a BPF map in use
        assert len(events) + mine.events == kernel and row.exact and row.limited == mine.segs == mine.events
        assert all(event.limited_segs == 0 for event in events)


def test_trace_tells_which_flows_storm(lab: Lab, nothing_left_behind: None) -> None:
    limited = commands.module("--rate", "5", "--burst", "5", "--netns", str(lab.client.inode))
    with inhabited(lab), two_flows(lab) as (loud, quiet), commands.Child(limited) as child:
        child.wait_tracing()
        storm(lab, loud, quiet, 1.0)
        child.interrupt()
        code, _, err = child.end()
        flow = " -> ".join(name(loud))
    assert code == 0, err
    assert err[-4].startswith("rate-limited (--rate): ") and flow in err[-4]
    assert " rate-limited, " in err[-3] and " + rate-limited 0 " not in err[-2]
