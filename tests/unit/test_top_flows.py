"""What `top` counts: windows, groups, ratios, recent events, and its bounds."""
from typing import Any, List

import pytest
from fake_library import packed
from retrans_ctypes.event import KNOWN_BYTES, KNOWN_SEGS, KNOWN_STALL, Event
from retrans_ctypes.grouping import GROUPINGS
from retrans_ctypes.screen import tally
from retrans_ctypes.screen.flows import OTHERS, RECENT, SHOWN, Flows, Group
from retrans_ctypes.workload import Workload

ALL = (1 << 64) - 1
RTO, FAST = 1, 2


class Names:
    """Lookups that find a unit from the `after`th question on."""

    def __init__(self, after: int = 1) -> None:
        self.asked = 0
        self.after = after

    def workload(self, event: Event) -> Workload:
        self.asked += 1
        found = self.asked >= self.after
        return Workload(["web.service" if field.name == "unit" and found else None for field in Workload.FIELDS])


def made(number: int = 1, **values: Any) -> bytes:
    """An event of flow 10.0.0.1:1000 -> 10.0.`number`.2:80."""
    filled = {"saddr": bytes([10, 0, 0, 1]), "daddr": bytes([10, 0, number, 2]), "sport": 1000, "dport": 80,
              "segs": 1, "reason": RTO, "netns": 7, "owner_pid": 5, "owner_comm": b"nginx", "known": ALL & ~KNOWN_STALL}
    filled.update(values)
    return packed(**filled)


def flows(**options: Any) -> Flows:
    return Flows(options.pop("lookups", Names()), options.pop("slots", 4), 100.0, **options)


def group(counted: Flows, by: str, name: str) -> Group:
    return counted.groups(GROUPINGS[by])[name]


def test_rates_are_of_the_window_and_totals_of_all() -> None:
    counted = flows(slots=2)
    for number in range(5):
        counted.feed(made(segs=10) + made(2))
        counted.tick(101.0 + number)
    first = group(counted, "remote", "10.0.1.2")
    assert counted.window == 2.0
    assert (first.recent[tally.SEGS], first.total[tally.SEGS]) == (20, 50)
    assert (first.recent[tally.EVENTS], first.total[tally.EVENTS]) == (2, 5)
    recent, total = counted.everything()
    assert (recent[tally.SEGS], total[tally.SEGS]) == (22, 55)
    for number in range(2):
        counted.tick(106.0 + number)
    assert group(counted, "remote", "10.0.1.2").recent[tally.SEGS] == 0
    assert group(counted, "remote", "10.0.1.2").total[tally.SEGS] == 50


def test_what_is_shown_is_as_of_the_last_tick() -> None:
    """So that nothing moves while it is paused, and nothing is lost either."""
    counted = flows()
    counted.feed(made())
    assert counted.groups(GROUPINGS["flow"]) == {} and counted.everything()[1][tally.SEGS] == 0
    counted.tick(101.0)
    counted.feed(made())
    assert group(counted, "lport", "1000").total[tally.SEGS] == 1
    counted.tick(109.0)
    assert group(counted, "lport", "1000").total[tally.SEGS] == 2 and counted.window == 9.0


@pytest.mark.parametrize("by, names", [
    ("flow", {"10.0.0.1:1000 -> 10.0.1.2:80", "10.0.0.1:1000 -> 10.0.2.2:80", "10.0.0.1:1000 -> 10.0.3.2:80"}),
    ("remote", {"10.0.1.2", "10.0.2.2", "10.0.3.2"}),
    ("prefix", {"10.0.1.0/24", "10.0.2.0/24", "10.0.3.0/24"}),
    ("lport", {"1000"}), ("rport", {"80"}), ("pid", {"nginx (5)", "cat (6)"}), ("container", {"unknown"}),
    ("unit", {"web.service"}),
])
def test_each_grouping_has_everything(by: str, names: Any) -> None:
    counted = flows()
    counted.feed(made(1) + made(2) + made(3, owner_pid=6, owner_comm=b"cat") * 3)
    counted.tick(101.0)
    groups = counted.groups(GROUPINGS[by])
    assert set(groups) == names
    assert sum(one.total[tally.SEGS] for one in groups.values()) == 5
    assert sum(one.recent[tally.SEGS] for one in groups.values()) == 5
    assert sum(one.flows for one in groups.values()) == 3


def test_ratio_counts_a_socket_from_its_beginning_and_once() -> None:
    """Whoever owned it meanwhile; and a new socket on the same ports is another one."""
    counted = flows()
    counted.feed(made(bytes_sent=1000, bytes_retrans=100) + made(bytes_sent=2000, bytes_retrans=300, owner_pid=6))
    counted.feed(made(bytes_sent=4000, bytes_retrans=400))
    counted.tick(101.0)
    assert tally.ratio(group(counted, "remote", "10.0.1.2").total) == 400 / 4000
    counted.feed(made(bytes_sent=1000, bytes_retrans=600))
    counted.tick(102.0)
    assert tally.ratio(group(counted, "remote", "10.0.1.2").total) == 1000 / 5000


def test_the_unknown_is_not_counted_as_0() -> None:
    counted = flows()
    counted.feed(made(known=ALL & ~KNOWN_BYTES & ~KNOWN_SEGS & ~KNOWN_STALL, segs=9, stall_us=9, bytes_sent=9))
    counted.tick(101.0)
    total = group(counted, "rport", "80").total
    assert total[tally.SEGS] == 1, "where segments are not known, events"
    assert tally.ratio(total) is None and tally.mean_stall_us(total) is None and tally.worst_stall_us(total) is None


def test_stalls_and_reasons() -> None:
    counted = flows()
    counted.feed(made(stall_us=100, known=ALL) + made(stall_us=300, known=ALL, reason=FAST, segs=4) + made(reason=0)
                 + made(reason=200))
    counted.tick(101.0)
    total = group(counted, "rport", "80").total
    assert (tally.mean_stall_us(total), tally.worst_stall_us(total)) == (200, 300)
    assert tally.reasons(total) == {"unknown": 2, "rto": 1, "fast": 4}


def test_a_failed_attempt_is_no_retransmit() -> None:
    counted = flows(failed=True)
    counted.watch(GROUPINGS["rport"], ["80"])
    counted.feed(made(err=-11) + made())
    counted.tick(101.0)
    assert group(counted, "rport", "80").total[tally.EVENTS] == 1
    assert [event.failed for event in counted.recent("80")] == [True, False]
    plain = flows()
    plain.watch(GROUPINGS["rport"], ["80"])
    plain.feed(made(err=-11) + made())
    assert [event.failed for event in plain.recent("80")] == [False]


def recent(counted: Flows, name: str) -> List[int]:
    return [event.ts_ns for event in counted.recent(name)]


def test_recent_events_of_what_is_watched() -> None:
    counted = flows()
    counted.watch(GROUPINGS["remote"], ["10.0.1.2"])
    counted.feed(b"".join(made(ts_ns=number) for number in range(RECENT + 50)) + made(2, ts_ns=9))
    assert recent(counted, "10.0.1.2") == list(range(50, RECENT + 50))
    assert recent(counted, "10.0.2.2") == []


def test_what_comes_into_sight_has_its_last_events() -> None:
    counted = flows()
    counted.feed(made(ts_ns=1) + made(2, ts_ns=2))
    counted.tick(101.0)
    counted.watch(GROUPINGS["remote"], ["10.0.2.2"])
    counted.feed(made(2, ts_ns=3))
    counted.watch(GROUPINGS["remote"], ["10.0.2.2", "10.0.1.2"])
    assert (recent(counted, "10.0.1.2"), recent(counted, "10.0.2.2")) == ([1], [2, 3])
    counted.watch(GROUPINGS["lport"], ["1000"])
    assert recent(counted, "1000") == [1, 2, 3]
    assert recent(counted, "10.0.1.2") == []


def test_events_stand_still_while_nothing_is_kept() -> None:
    counted = flows()
    counted.watch(GROUPINGS["remote"], ["10.0.1.2"])
    counted.feed(made(ts_ns=1))
    counted.keeping = False
    counted.feed(made(ts_ns=2))
    counted.tick(101.0)
    assert recent(counted, "10.0.1.2") == [1]
    assert group(counted, "remote", "10.0.1.2").total[tally.EVENTS] == 2


def test_flows_are_bounded_and_sums_stay_exact() -> None:
    """Of flows that are kept no more, every grouping still has the sums; flows themselves are among the others."""
    counted = flows(most=64)
    for number in range(300):
        counted.feed(made(number % 3, sport=number + 1))
        if number % 20 == 19:
            counted.tick(101.0 + number)
    counted.tick(500.0)
    assert len(counted._flows) <= 64 and len(counted._sockets) <= 64
    for by in SHOWN:
        groups = counted.groups(GROUPINGS[by])
        assert sum(one.total[tally.SEGS] for one in groups.values()) == 300, by
        assert len(groups) <= 64 + 16 + 1
    assert set(counted.groups(GROUPINGS["remote"])) == {"10.0.0.2", "10.0.1.2", "10.0.2.2"}
    assert group(counted, "remote", "10.0.0.2").total[tally.SEGS] == 100
    assert group(counted, "flow", OTHERS).total[tally.SEGS] == 300 - len(counted._flows)


def test_a_flood_is_bounded_while_paused_too() -> None:
    """Nothing ticks then. Afterwards rates are as exact as if nothing had been forgotten."""
    counted = flows(most=64)
    for number in range(1000):
        counted.feed(made(1, sport=number + 1) + made(2))
    assert len(counted._slot.flows) <= 2 * 64 and len(counted._flows) <= 64
    counted.tick(102.0)
    found = counted.groups(GROUPINGS["remote"])
    assert {name: one.recent[tally.SEGS] for name, one in found.items()} == {"10.0.1.2": 1000, "10.0.2.2": 1000}
    assert sum(one.recent[tally.SEGS] for one in counted.groups(GROUPINGS["lport"]).values()) == 2000
    assert sum(one.recent[tally.SEGS] for one in counted.groups(GROUPINGS["flow"]).values()) == 2000


def test_names_that_are_known_late() -> None:
    counted = flows(lookups=Names(after=2))
    counted.feed(made())
    assert counted._flows and not counted.groups(GROUPINGS["unit"])
    counted.tick(101.0)
    assert set(counted.groups(GROUPINGS["unit"])) == {"web.service"}


def test_the_owner_that_is_known_stands_for_the_flow() -> None:
    counted = flows()
    counted.feed(made(owner_pid=0, owner_comm=b"", known=0) + made() + made(owner_pid=0, owner_comm=b"", known=0))
    counted.tick(101.0)
    found = group(counted, "flow", "10.0.0.1:1000 -> 10.0.1.2:80")
    assert found.flow is not None and found.flow.event.owner_pid == 5


def test_reset_forgets_all() -> None:
    counted = flows()
    counted.watch(GROUPINGS["rport"], ["80"])
    counted.feed(made())
    counted.tick(101.0)
    counted.reset(102.0)
    counted.tick(103.0)
    assert counted.groups(GROUPINGS["rport"]) == {} and counted.recent("80") == [] and counted.window == 1.0
    assert counted.everything() == (tally.empty(), tally.empty())


def test_picking_gives_what_the_event_has() -> None:
    event = Event(made(stall_us=77, bytes_sent=99, reason=FAST))
    picked = Event.picking("stall_us", "bytes_sent", "reason", "daddr")
    stall, sent, remote, reason = picked.unpack(event)
    assert (stall, sent, reason, remote[:4]) == (77, 99, FAST, bytes([10, 0, 1, 2]))
