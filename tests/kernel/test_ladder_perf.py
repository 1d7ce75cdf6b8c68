"""Perf buffers: what comes through them is whole, in order, and what does not is counted."""
import threading
from typing import Any, List

import pytest
from lab.books import balances, ended, inhabited, row_of
from lab.counters import Counters
from lab.link import V4, V6, Lab
from lab.load import Load, run
from lab.seen import segments, sent
from lab.ways import Way, tracing

each_attach = pytest.mark.parametrize("attach", [pytest.param("tp_btf", marks=pytest.mark.full), "raw_tp"])


@each_attach
def test_what_a_full_buffer_loses_is_counted(lab: Lab, attach: str) -> None:
    """Nothing is fetched until the end, so the smallest buffers there are overflow."""
    with inhabited(lab), tracing(Way(attach, "perf"), ring_bytes=4096) as tracer:
        run(lab, Load(V4, flows=16, loss=100, seconds=1.5))
        events = ended(tracer)
        stats = tracer.stats()
        row = row_of(tracer.ledger(), lab.client)
    mine = [event for event in events if event.netns == lab.client.inode]
    assert stats.lost > 0
    assert stats.events == stats.drained == len(events)
    assert stats.failed == len(events) - len(sent(events))
    assert stats.segs == segments(events)
    assert row.delivered == segments(mine) > 0 and row.lost > 0
    assert balances(row), row


def whole(event: Any) -> bool:
    """Every field of an event of these loads has a value that can be; a torn one would mix two."""
    return (event.family in (4, 6) and event.kind in ("skb", "synack")
            and (":" in event.saddr) == (":" in event.daddr) == (event.family == 6)
            and event.saddr.startswith(("10.77.0.", "fd77::")) and event.daddr.startswith(("10.77.0.", "fd77::"))
            and (event.end_seq - event.seq) % 2**32 <= 1 << 17 and event.segs <= 100 and event.err <= 1
            and (event.kind == "synack" or event.ca_name == "cubic")
            and (event.mss is None or 0 < event.mss <= 1 << 16)
            and (event.owner_comm is None or event.owner_comm.isprintable()))


class Reader:
    """Fetches all the time, as a busy program would."""

    def __init__(self, tracer: Any) -> None:
        self.tracer = tracer
        self.events: List[Any] = []
        self.thread = threading.Thread(target=self._read)
        self.thread.start()

    def _read(self) -> None:
        while not self.tracer.ended:
            self.events += self.tracer.poll(0.1)

    def stop(self) -> List[Any]:
        self.tracer.stop()
        self.thread.join()
        return self.events


@each_attach
def test_nothing_is_lost_torn_or_out_of_order_when_read_in_time(lab: Lab, attach: str) -> None:
    """Two loads at once, so that several CPUs write."""
    with Lab() as second, tracing(Way(attach, "perf")) as tracer:
        labs = {lab: Load(V4, flows=24, loss=50, seconds=2.0), second: Load(V6, flows=24, loss=50, seconds=2.0)}
        counters = {one.client: Counters(one.client) for one in labs}
        reader = Reader(tracer)
        loads = [threading.Thread(target=run, args=item) for item in labs.items()]
        for load in loads:
            load.start()
        for load in loads:
            load.join()
        events = reader.stop()
        stats = tracer.stats()
        gains = {space.inode: counter.gained() for space, counter in counters.items()}
    mine = [event for event in events if event.netns in gains]
    assert stats.lost <= 1 + 0.001 * len(events), "the kernel refuses an output now and then, though there is room"
    assert stats.events == stats.drained == len(events)
    assert all(map(whole, mine)), [event for event in mine if not whole(event)][:3]
    assert len(mine) > 500
    for inode, gained in gains.items():
        seen = [event for event in mine if event.netns == inode]
        skipped = sum(event.skipped_segs or 0 for event in seen)
        assert abs(gained["RetransSegs"] - segments(seen) - skipped - stats.lost_segs - gained["TCPRetransFail"]) <= \
            0.01 * gained["RetransSegs"]
    times = [event.ts_ns for event in events]
    late = sum(later < earlier for earlier, later in zip(times, times[1:]))
    assert late <= 0.01 * len(times), "{} of {} are out of order".format(late, len(times))
    flows: Any = {}
    for event in mine:
        key = (event.netns, event.sport, event.dport, event.kind)
        assert flows.get(key, 0) <= event.ts_ns, "out of order within one flow"
        flows[key] = event.ts_ns
