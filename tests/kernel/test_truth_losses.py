"""Events that nobody fetched in time are lost, but never silently."""
from typing import Any

from lab.counters import Counters
from lab.link import V4, Lab
from lab.seen import segments, sent
from lab.traffic import send_bulk


def test_a_full_ring_is_counted(lab: Lab, nothing_left_behind: None) -> None:
    """Nothing is fetched until the end, so the smallest ring there is overflows."""
    from retrans_ctypes import Tracer

    with Tracer(ring_bytes=4096) as tracer:
        lab.lose(lab.server, 50)
        counters = Counters(lab.client)
        for _ in range(5):
            send_bulk(lab, V4, 10000000)
        gained = counters.gained()
        tracer.stop()
        events = list(tracer)
        stats = tracer.stats()
    mine: Any = [event for event in events if event.netns == lab.client.inode]

    assert stats.lost > 0
    assert stats.events == stats.drained == len(events)
    assert stats.failed == len(events) - len(sent(events))
    assert stats.segs == segments(events)
    # One per cent for what bulk loss may hide; other people's losses can only add to lost_segs.
    assert segments(mine) + stats.lost_segs >= 0.99 * gained["RetransSegs"]
