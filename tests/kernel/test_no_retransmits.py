"""retrans_ctypes.testing: what it says of real retransmits, and where it cannot be sure."""
import os
import re
import time
from typing import Any, Iterator

import pytest
from lab import ways
from lab.books import inhabited
from lab.link import V4, Lab
from lab.traffic import connecting, send_bulk
from retrans_ctypes import Filter, FilterError, UsageError, testing
from retrans_ctypes.testing import SHOWN, assert_no_retransmits

ONE = 1.3  # seconds until a SYN was sent again once


@pytest.fixture(autouse=True)
def readable(lab: Lab) -> Iterator[None]:
    """Processes in both namespaces, without which nobody can read their counters."""
    with inhabited(lab):
        yield


def knock(lab: Lab, port: int, count: int = 1) -> None:
    with connecting(lab.client, V4.dead, port, count):
        time.sleep(ONE)


def test_traffic_that_arrives_passes(lab: Lab) -> None:
    with assert_no_retransmits(netns=lab.client.inode):
        send_bulk(lab, V4, 1000)  # of more, a busy machine may send the last one again as a probe


def test_it_names_the_retransmit(lab: Lab) -> None:
    with pytest.raises(AssertionError) as failure:
        with assert_no_retransmits(4711, netns=lab.client.inode):
            knock(lab, 4711)
    first, line = str(failure.value).splitlines()
    assert first == "a segment was sent again:"
    assert re.search(r"-> %s:4711, SYN_SENT, syn, waited 1[0-9]{3}\b" % re.escape(V4.dead), line)
    assert line.endswith("(pid %d)" % os.getpid())


def test_others_do_not_count(lab: Lab) -> None:
    with assert_no_retransmits(4711, netns=lab.client.inode):
        knock(lab, 4712)
    with assert_no_retransmits(netns=lab.server.inode):
        knock(lab, 4711)
    with assert_no_retransmits(filter=Filter(remote=V4.server, netns=lab.client.inode)):
        knock(lab, 4711)


def test_many_are_summed_up(lab: Lab) -> None:
    with pytest.raises(AssertionError) as failure:
        with assert_no_retransmits(filter=Filter(netns=lab.client.inode)):
            knock(lab, 4711, SHOWN + 5)
    lines = str(failure.value).splitlines()
    assert lines[0] == "%d segments were sent again:" % (SHOWN + 5)
    assert lines[SHOWN + 1:] == ["  ... and 5 more events"]


def test_what_the_block_raises_comes_out(lab: Lab) -> None:
    with pytest.raises(ZeroDivisionError):
        with assert_no_retransmits(4711):
            knock(lab, 4711)
            raise ZeroDivisionError


def with_options(monkeypatch: Any, **more: Any) -> None:
    """Have it make its tracer with these, too."""
    made = testing.Tracer
    monkeypatch.setattr(testing, "Tracer", lambda **options: made(**more, **options))


def test_it_says_when_events_were_lost(lab: Lab, monkeypatch: Any) -> None:
    with_options(monkeypatch, ring_bytes=4096)
    with pytest.raises(AssertionError) as failure:
        with assert_no_retransmits(netns=lab.client.inode):
            knock(lab, 4711, 100)
    text = str(failure.value)
    assert "this is not certain, there may have been more: network namespace %d: " % lab.client.inode in text
    assert " + lost 0 " not in text


def test_none_seen_is_not_none_where_there_is_no_ledger(lab: Lab, monkeypatch: Any) -> None:
    monkeypatch.setattr(testing, "Tracer", lambda **options: ways.open_there(ways.TRACEFS[0], **options))
    with pytest.raises(AssertionError) as failure:
        with assert_no_retransmits(4711):
            pass
    assert str(failure.value).startswith(
        "this is not certain, no retransmit was seen, but there may have been one: there is no ledger here, since ")


def test_a_namespace_that_cannot_be_read(lab: Lab) -> None:
    """Those of others are no reason to fail; one's own is."""
    with Lab() as closed:
        with assert_no_retransmits(4711):
            knock(closed, 4712)
        with pytest.raises(AssertionError) as failure:
            with assert_no_retransmits(4711, netns=closed.client.inode):
                knock(closed, 4712)
    assert "there may have been one: network namespace %d: kernel counter unreadable" % closed.client.inode in str(failure.value)


def test_conditions_that_cannot_be(lab: Lab) -> None:
    for error, options in ((FilterError, {"port": "http"}), (UsageError, {"port": 1, "filter": Filter()})):
        with pytest.raises(error):
            with assert_no_retransmits(**options):  # type: ignore[arg-type]
                raise SystemError("the block must not run")
