"""Filters that are changed while events come, and filters with very long lists."""
import ipaddress
import random
import threading
import time
from contextlib import ExitStack
from typing import Any, List, Tuple

import pytest
from lab import summary
from lab.books import balances, ended, inhabited, row_of
from lab.counters import Counters
from lab.link import DEAD_MAC, V4, Lab
from lab.load import Load, run
from lab.seen import Seen, segments
from lab.traffic import connecting, wait_resent
from retrans_ctypes import Filter, Tracer, UsageError

LOAD = Load(V4, loss=100, seconds=2.0)


class Changing:
    """Sets filters in turn, from the start of a load to its end, and notes when it did."""

    def __init__(self, tracer: Tracer, filters: List[Filter]) -> None:
        self.tracer, self.filters = tracer, filters
        self.changes: List[Tuple[int, int, int]] = []  # which, and between which times it was set
        self.done = threading.Event()
        self.thread = threading.Thread(target=self._change)

    def _change(self) -> None:
        while not self.done.is_set():
            which = len(self.changes) % len(self.filters)
            before = time.monotonic_ns()
            self.tracer.set_filter(self.filters[which])
            self.changes.append((which, before, time.monotonic_ns()))

    def during(self, lab: Lab) -> List[Any]:
        """All events of the load."""
        events: List[Any] = []
        load = threading.Thread(target=run, args=(lab, LOAD))
        load.start()
        self.thread.start()
        while load.is_alive():
            events += self.tracer.poll(0.05)
        self.done.set()
        self.thread.join()
        return events + ended(self.tracer)


def test_an_event_is_judged_by_one_filter(lab: Lab, nothing_left_behind: None) -> None:
    """Neither of the two shows anything; the address of one with the namespace of the other would."""
    neither = [Filter(netns=lab.client.inode, local="10.77.0.9", never=Filter(family=6, remote_ports=1)),
               Filter(netns=1, local=V4.client, never=Filter(family=4))]
    with inhabited(lab), Tracer(filter=neither[1]) as tracer:
        counters = Counters(lab.client)
        changing = Changing(tracer, neither)
        events = changing.during(lab)
        row = row_of(tracer.ledger(), lab.client)
    assert events == [] and len(changing.changes) > 10
    assert balances(row) and row.kernel == counters.gained()["RetransSegs"] > 100
    assert row.delivered == 0 and row.filtered >= 0.9 * row.kernel
    summary.say("filters: {} changes under load, {} segments judged".format(len(changing.changes), row.filtered))


def test_once_set_a_filter_counts(lab: Lab, nothing_left_behind: None) -> None:
    """From the moment at which a change returned to the one at which the next began."""
    with inhabited(lab), Tracer(filter=Filter(netns=lab.client.inode)) as tracer:
        changing = Changing(tracer, [Filter(netns=lab.client.inode), Filter(netns=lab.client.inode, family=6)])
        events = [event for event in changing.during(lab) if event.netns == lab.client.inode]
        row = row_of(tracer.ledger(), lab.client)
    closed = [(set_at, next_began) for (which, _, set_at), (_, next_began, _) in zip(
        changing.changes, changing.changes[1:]) if which]
    assert balances(row) and row.filtered and row.delivered == segments(events) > 0
    assert len(closed) > 5
    assert not [event for event in events if any(first < event.ts_ns < last for first, last in closed)]


def test_a_filter_that_cannot_be_changes_nothing(lab: Lab, nothing_left_behind: None) -> None:
    too_many = ["10.{}.{}.{}".format(number >> 16, number >> 8 & 255, number & 255) for number in range(65537)]
    with Tracer(filter=Filter(netns=lab.client.inode, ports=4601)) as tracer:
        with pytest.raises(UsageError, match="lists 65537 addresses.*65536 are the most"):
            tracer.set_filter(Filter(remote=too_many))
        counters = Counters(lab.client)
        with connecting(lab.client, V4.dead, 4601), connecting(lab.client, V4.dead, 4602):
            counters.wait("TCPSynRetrans", 2)
        assert {event.dport for event in Seen(tracer).of(lab.client)} == {4601}
        tracer.set_filter(Filter(remote=too_many[1:]))
        tracer.set_filter(None)
        again = Counters(lab.client)
        with connecting(lab.client, V4.dead, 4603):
            again.wait("TCPSynRetrans", 1)
        assert {event.dport for event in Seen(tracer).of(lab.client)} == {4603}


def test_ten_thousand_networks(lab: Lab, nothing_left_behind: None) -> None:
    """Each address is found where it is, and its neighbours are not."""
    chance = random.Random(4242)
    near = [ipaddress.ip_network(("10.77.0.%d" % chance.randrange(64, 255), chance.choice((30, 31, 32))), strict=False)
            for _ in range(24)]
    far = ["%d.%d.%d.0/24" % (chance.choice((9, 11, 172)), number // 256, number % 256) for number in range(9976)]
    addresses = ["10.77.0.%d" % last for last in range(100, 255, 2)]
    expected = {address for address in addresses if any(ipaddress.ip_address(address) in one for one in near)}
    assert 5 < len(expected) < len(addresses) - 5
    lab.client.ip(*("neigh replace {} lladdr {} nud permanent dev {}".format(one, DEAD_MAC, lab.device)
                    for one in addresses))
    began = time.monotonic()
    chosen = Filter(netns=lab.client.inode, remote=far + [str(one) for one in near])
    made = time.monotonic()
    with Tracer(filter=chosen) as tracer:
        opened = time.monotonic()
        tracer.set_filter(Filter(netns=lab.client.inode, never=Filter(remote=chosen.remote)))
        changed = time.monotonic()
        tracer.set_filter(chosen)
        assert knock(lab, tracer, addresses) == expected
        tracer.set_filter(Filter(netns=lab.client.inode, never=Filter(remote=chosen.remote)))
        assert knock(lab, tracer, addresses) == set(addresses) - expected
    summary.say("filter of 10,000 networks: made in {:.0f} ms, opened in {:.0f} ms, changed in {:.0f} ms".format(
        *(1000 * seconds for seconds in (made - began, opened - made, changed - opened))))


def knock(lab: Lab, tracer: Tracer, addresses: List[str]) -> Any:
    """At which of the addresses a SYN was seen that was sent again."""
    counters = Counters(lab.client)
    with ExitStack() as stack:
        dials = [dial for address in addresses for dial in stack.enter_context(connecting(lab.client, address, 4604))]
        counters.wait("TCPSynRetrans", len(addresses))
        wait_resent(dials)
    return {event.daddr for event in Seen(tracer).of(lab.client)}
