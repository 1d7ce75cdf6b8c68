"""Filters by process: in the kernel where the owner is known there, else in the reader; the books balance."""
import os
from typing import Any, List, Tuple

import pytest
from lab.books import balances, ended, inhabited, row_of
from lab.counters import Counters
from lab.knocking import knocker
from lab.link import V4, Lab
from lab.load import Load, run
from lab.seen import Seen, segments
from lab.traffic import nobodys, take
from lab.ways import Way, tracing
from retrans_ctypes import Filter, RetransError

MORE_THAN_FITS = 600  # events; the buffer of 128 KiB holds 496

each_way = pytest.mark.parametrize("way", [Way("tp_btf", "ring"), Way("raw_tp", "perf")], ids=lambda way: way.name)


def check_books(tracer: Any, lab: Lab, counters: Counters, shown: int) -> Any:
    """After the end."""
    row = row_of(tracer.ledger(), lab.client)
    assert balances(row) and row.kernel == counters.gained()["RetransSegs"]
    assert row.delivered == shown
    stats = tracer.stats()
    assert stats.events == stats.drained and stats.segs == shown
    return row


def both_of(lab: Lab, one: Seen, other: Seen, counters: Counters) -> Tuple[List[Any], List[Any]]:
    """What each saw, once both have judged the same ones: while one of them is asked, nothing is sent again,
    for the other would judge that later, when the socket may be somebody's."""
    while True:
        before = counters.gained()["RetransSegs"]
        found = one.of(lab.client), other.of(lab.client)
        if counters.gained()["RetransSegs"] == before:
            return found


@each_way
@pytest.mark.parametrize("never", [False, True], ids=["only", "never"])
def test_an_owner_who_is_found_later(lab: Lab, nothing_left_behind: None, way: Way, never: bool) -> None:
    """Nobody has the socket at first: such events are held back, and then of no known process."""
    chosen = Filter(pid=os.getpid())
    space = Filter(netns=lab.client.inode)

    def that_pass(events: List[Any]) -> List[Any]:
        return [event for event in events if (event.owner_pid == os.getpid()) != never]
    with inhabited(lab), tracing(way, filter=Filter(netns=space.netns, never=chosen) if never else Filter(
            netns=space.netns, pid=chosen.pid)) as tracer, tracing(way, filter=space) as reference:
        counters = Counters(lab.client)
        with nobodys(lab) as line:
            counters.wait("RetransSegs", 2)
            one, all_of_them = Seen(tracer), Seen(reference)
            shown, happened = both_of(lab, one, all_of_them, counters)
            assert [event.seq for event in shown] == [event.seq for event in that_pass(happened)]
            with take(line):
                before = counters.gained()["RetransSegs"]
                counters.wait("RetransSegs", before + 2)
        events, truth = one.events + ended(tracer), all_of_them.events + ended(reference)
        expected = that_pass(truth)
        assert 0 < segments(expected) < segments(truth)
        assert [event.seq for event in events] == [event.seq for event in expected]
        row = check_books(tracer, lab, counters, segments(expected))
        assert row.filtered == segments(truth) - segments(expected)


@each_way
def test_nothing_is_kept_of_what_is_kept_back(lab: Lab, nothing_left_behind: None, way: Way) -> None:
    """Far more events than the buffer has room for, or drafts; then a filter that shows everything."""
    with inhabited(lab), tracing(way, filter=Filter(netns=lab.client.inode, pid=1), ring_bytes=1 << 17) as tracer:
        counters = Counters(lab.client)
        seen = Seen(tracer)
        for _ in range(2):
            run(lab, Load(V4, loss=100, seconds=2.0))
            lab.client.ip("link set {} up".format(lab.device))
            lab.server.ip("link set {} up".format(lab.device))
            assert seen.of(lab.client) == []
        assert tracer.stats().filtered > MORE_THAN_FITS and tracer.stats().events == 0
        tracer.set_filter(Filter(netns=lab.client.inode))
        run(lab, Load(V4, loss=100, seconds=1.0))
        events = ended(tracer)
        assert len(events) > 10
        check_books(tracer, lab, counters, segments(events))


def test_each_process_has_its_own(lab: Lab, nothing_left_behind: None) -> None:
    with knocker(lab.client, 4501) as one, knocker(lab.client, 4502) as other, \
            tracing(Way("tp_btf", "ring"), filter=Filter(pid=[one.pid, 1])) as first, \
            tracing(Way("tp_btf", "ring"), filter=Filter(netns=lab.client.inode, never=Filter(pid=one.pid))) as second:
        counters = Counters(lab.client)
        one.connect()
        other.connect()
        counters.wait("TCPSynRetrans", 2)
        assert {event.dport for event in Seen(first).of(lab.client)} == {4501}
        assert {event.dport for event in Seen(second).of(lab.client)} == {4502}


def test_filters_of_events_not_yet_fetched_are_kept(lab: Lab, nothing_left_behind: None) -> None:
    """An event is judged by the filter of its time, also when that is asked for later; so many are kept."""
    with tracing(Way("tp_btf", "ring"), filter=Filter(netns=lab.client.inode, pid=1)) as tracer:
        counters = Counters(lab.client)
        with nobodys(lab):
            counters.wait("RetransSegs", 1)
            for number in range(2, 65):
                tracer.set_filter(Filter(netns=1, never=Filter(pid=number)))
            with pytest.raises(RetransError, match="changed 64 times while events waited to be fetched; fetch them"):
                tracer.set_filter(Filter(netns=1, pid=3))
            tracer.set_filter(Filter(netns=1))
        assert Seen(tracer).of(lab.client) == [] and tracer.stats().filtered >= 1
        for number in range(1, 70):
            tracer.set_filter(Filter(netns=1, pid=number))
