"""What a report counts."""
import random
import tracemalloc
from collections import Counter
from typing import Any, Iterator, List

import pytest
from made_up_report import ALL, REASON, START, event, facts_of, names, run, session
from retrans_ctypes.event import KNOWN_BYTES, KNOWN_OWNER, KNOWN_SEGS, KNOWN_STALL
from retrans_ctypes.ledger import LedgerRow
from retrans_ctypes.report import Gathered, facts
from retrans_ctypes.report.buckets import MOST, MOST_PREFIXES, TimeLine
from retrans_ctypes.report.gathering import Stalls
from retrans_ctypes.report.silences import Silences
from retrans_ctypes.report.tallies import MOST_OWNERS, Owned, Ranking
from retrans_ctypes.grouping import GROUPINGS
from retrans_ctypes.sums import GroupedSums
from retrans_ctypes.workload import UNKNOWN


def some_events(count: int) -> List[Any]:
    dice = random.Random(6)
    made = []
    for number in range(count):
        sport = 40000 + dice.randrange(30)
        made.append(event(
            number / 7, dice.choice(sorted(REASON)), "10.0.%d.%d" % (sport % 3, dice.randrange(5)), sport=sport,
            segs=dice.randrange(1, 5), stall_us=dice.randrange(1 << dice.randrange(1, 24)), owner_pid=sport % 4,
            bytes_sent=number * 1000, bytes_retrans=number * 10,
            known=ALL & ~(KNOWN_STALL if number % 5 == 0 else 0) & ~(KNOWN_OWNER if sport % 7 == 0 else 0)))
    return made


def test_sums_are_those_of_the_other_commands() -> None:
    """By each way of grouping: names, order and numbers."""
    made = some_events(3000)
    found = facts_of(run(made[:1000]), run(made[1000:]))
    for name, table in found["worst"].items():
        grouped = GroupedSums(GROUPINGS[name])
        for record in run(made).enriched():
            grouped.add(record)
        unknown = grouped.groups.pop("unknown", None)
        assert table["groups"] == len(grouped.groups) and table["exact"]
        for row, (key, sums) in zip(table["rows"], grouped.largest(15)):
            assert row == {
                "name": key, "segments": sums.segs, "events": sums.events,
                "share": sums.segs / found["total"]["segments"], "ratio": sums.ratio,
                "mean_stall_us": sums.mean_stall_us, "worst_stall_us": sums.worst_stall_us if sums.stalls else None,
                "reasons": dict(sums.reasons)}
        assert (table["unknown"] or {}).get("segments") == (unknown and unknown.segs)
        parts = table["rows"] + [part for part in (table["others"], table["unknown"]) if part]
        assert sum(part["segments"] for part in parts) == found["total"]["segments"]


def test_every_view_has_the_same_total() -> None:
    made = some_events(2000)
    found = facts_of(run(made))
    total = sum(one.segs for one in made)
    reasons: Any = Counter()
    for one in made:
        reasons[one.reason] += one.segs
    assert found["total"]["segments"] == total and found["total"]["reasons"] == reasons
    assert found["total"]["events"] == 2000 and sum(found["total"]["reason_events"].values()) == 2000
    assert sum(sum(step["reasons"].values()) for step in found["timeline"]["steps"]) == total
    assert sum(sum(row["segments"]) for row in found["heat"]["rows"]) == total
    stalls = [one.stall_us for one in made if one.stall_us is not None]
    assert sum(map(sum, found["stalls"]["reasons"].values())) == len(stalls) == found["total"]["stalls"]
    assert found["total"]["worst_stall_us"] == max(stalls) and found["total"]["stall_us"] == sum(stalls)


def test_forgotten_sockets_are_counted() -> None:
    """Only so many are remembered; what is forgotten is in the sums."""
    made = [event(number / 100, sport=1000 + number % 500, segs=2) for number in range(4000)]
    gathered = Gathered(most_sockets=100)
    gathered.add_all([run(made)])
    found = facts(gathered, [session()])
    assert found["total"]["segments"] == 8000 and found["worst"]["flow"]["groups"] == 500
    assert {row["segments"] for row in found["worst"]["flow"]["rows"]} == {16}


def test_an_owner_that_changes_has_its_part() -> None:
    found = facts_of(run([event(0, owner_pid=1), event(1, owner_pid=2), event(2, owner_pid=1, segs=5)]))
    assert [(row["name"], row["segments"]) for row in found["worst"]["pid"]["rows"]] == [("nginx (1)", 6), ("nginx (2)", 1)]
    assert found["worst"]["flow"]["rows"][0]["segments"] == 7


def test_many_owners_of_one_connection() -> None:
    """They are not all kept apart, and nothing is lost."""
    gathered = Gathered()
    gathered.add(run([event(number / 100, owner_pid=number % 100 or 1, segs=2) for number in range(5000)]))
    socket, = gathered._young.values()
    assert len(socket.others or ()) <= MOST_OWNERS
    gathered.add_all([])
    found = facts(gathered, [session()])
    assert found["total"]["segments"] == 10000 and found["worst"]["flow"]["rows"][0]["segments"] == 10000
    assert found["worst"]["pid"]["groups"] == 99 and found["worst"]["pid"]["rows"][0]["segments"] == 200


def test_small_groups_give_way() -> None:
    """A group that becomes large late is seen, and nothing is lost from the total."""
    ranking = Ranking(GROUPINGS["flow"], most=10)
    for sport in list(range(1, 51)) + [99] * 30:
        owned = Owned(event(sport=sport), UNKNOWN)
        owned.tally.segs = owned.tally.events = 1
        ranking.merge(owned)
    assert ranking.ranked()[0].name.startswith("10.0.0.1:99 ") and ranking.ranked()[0].tally.segs == 30
    assert len(ranking) <= 10 and ranking.full
    assert sum(group.tally.segs for group in ranking.ranked()) + ranking.beyond.segs == 80


def test_unknown_is_unknown() -> None:
    """As with `--attach tp`: addresses, and hardly anything else."""
    found = facts_of(run([event(1, "", known=0), event(2, "syn", known=0)]))
    assert found["counted"] == "events"
    total = found["total"]
    assert total["segments"] == total["events"] == 2 and total["reasons"] == {"unknown": 1, "syn": 1}
    assert total["ratio"] is None and total["mean_stall_us"] is None and total["worst_stall_us"] is None
    assert found["stalls"] == {"below_us": [], "reasons": {}}
    assert found["worst"]["pid"]["rows"] == [] and found["worst"]["pid"]["unknown"]["events"] == 2
    assert facts_of(run([event(known=0), event()]))["counted"] == "mixed"


def test_nothing_at_all() -> None:
    found = facts_of(sessions=[session()])
    assert found["total"]["events"] == 0 and found["total"]["share"] is None and found["time"]["first_ns"] is None
    assert found["timeline"]["steps"] == [] and found["heat"]["rows"] == []
    assert facts_of()["sessions"] == []


def test_failed_attempts_are_apart() -> None:
    found = facts_of(run([event(0), event(1, err=-113, segs=0), event(2, err=-113, segs=0), event(3, err=1, segs=0)]))
    assert found["total"]["events"] == 1 and found["failed"]["events"] == 3
    assert found["failed"]["rows"][0] == {"err": -113, "remote": "10.0.0.2", "events": 2}
    assert found["sessions"][0]["failed"] == 3


def test_what_grew() -> None:
    """A ratio has what was sent before; duplicates have not. Another connection may have the same ports."""
    made = [event(0, bytes_sent=1000, bytes_retrans=100, dsack_dups=5),
            event(1, bytes_sent=3000, bytes_retrans=200, dsack_dups=7),
            event(2, bytes_sent=500, bytes_retrans=50, dsack_dups=1),
            event(3, known=ALL & ~KNOWN_BYTES)]
    total = facts_of(run(made))["total"]
    assert (total["sent"], total["retransmitted"], total["dsacks"]) == (3500, 250, 2)


def test_sessions_of_several_hosts() -> None:
    other = session(2, host="web2", ended_ns=None, stats=None, ledger=None)
    found = facts_of(run([event(0), event(1)]), run([event(100)], other), sessions=[session(), other])
    assert [(one["host"], one["events"]) for one in found["sessions"]] == [("web1", 2), ("web2", 1)]


@pytest.mark.parametrize("broken", [
    {"total": {"kernel": "<b>"}}, {"total": [1]}, {"total": dict.fromkeys(("kernel", "delivered"))},
    {"total": dict.fromkeys(LedgerRow._fields, 10**4299)}, {"namespaces": [{"lost": 10**4299}] * 2, "total": None},
    {"namespaces": "x", "why": None}, {"namespaces": [{"netns": []}, 3], "total": None, "why": {}}])
def test_a_ledger_that_cannot_be(broken: Any) -> None:
    """A file may hold anything: it is no ledger then, and no crash."""
    from retrans_ctypes.report import FORMATS, render
    from retrans_ctypes.report.story import tell_story
    found = facts_of(run([event()], session(ledger=broken, stats={"lost": "many", "limited": None})))
    for form in FORMATS:
        assert render(form, found, tell_story(found))


@pytest.mark.parametrize("seconds", [0, 10, 3600, 7 * 86400, 40 * 365 * 86400])
def test_time_lines_stay_short(seconds: int) -> None:
    found = facts_of(run([event(seconds * share / 1000) for share in range(1000)]))
    steps, width = found["timeline"]["steps"], found["timeline"]["step_ns"]
    assert 0 < len(steps) <= MOST and sum(step["reasons"]["fast"] for step in steps) == 1000
    assert all(step["start_ns"] % width == 0 for step in steps)
    assert len(found["heat"]["starts_ns"]) <= MOST
    if seconds:
        assert len(steps) > MOST / 8


def test_time_lines_take_any_order() -> None:
    line, moments = TimeLine(), [START + second * 10**9 for second in (50, 10**6, 3, 0, 9999)]
    for at_ns in moments:
        line.step(at_ns)[0].reasons["rto"] += 1
    assert sum(step.reasons["rto"] for _, step in line.steps()) == 5
    assert [start for start, _ in line.steps()] == sorted({at // line.width_ns * line.width_ns for at in moments})


def test_prefixes_are_bounded() -> None:
    made = [event(number / 1000, remote="10.%d.%d.1" % (number // 256 % 256, number % 256)) for number in range(5000)]
    found = facts_of(run(made))
    assert len(found["heat"]["rows"]) == 25 and found["heat"]["rows"][-1]["prefix"] is None
    assert sum(sum(row["segments"]) for row in found["heat"]["rows"]) == 5000
    assert MOST_PREFIXES < 5000


def test_waiting_times_are_in_their_steps() -> None:
    made = [event(stall_us=value) for value in (0, 1, 4, 5, 999, 1000, 1 << 63)]
    found = facts_of(run(made))["stalls"]
    told = {below: count for below, count in zip(found["below_us"], found["reasons"]["fast"]) if count}
    assert told == {1: 1, 2: 1, 5: 1, 10: 1, 1000: 1, 2000: 1, Stalls.LIMITS[-1]: 1}


def test_silences() -> None:
    silences = Silences()
    four = bytes([10, 0, 0, 9]) + bytes(12)
    for begin, end in ((0, 1), (1, 3), (3, 7), (100, 101)):
        silences.add(4, four, begin * 10**9, end * 10**9)
    silences.add(6, bytes(15) + b"\1", 0, 2 * 10**9)
    assert silences.longest() == [("10.0.0.9", 0, 7 * 10**9, 3), ("::1", 0, 2 * 10**9, 1)]


def test_who_answers_is_not_silent() -> None:
    """Fast retransmits come of ACKs: what times out beside them is no outage."""
    def silence(*heard: float) -> Any:
        made = [event(second, "rto", stall_us=2 * 10**6) for second in (12, 14, 16)] + [event(one) for one in heard]
        found = facts_of(run(sorted(made, key=lambda one: one.ts_ns)))["silences"]
        return [(row["begin_ns"] - START, row["end_ns"] - START) for row in found]
    assert silence() == silence(9, 17) == [(10 * 10**9, 16 * 10**9)]
    assert silence(13) == [(10 * 10**9, 12 * 10**9)]
    assert silence(11, 13, 15) == []


def test_listeners_and_services() -> None:
    found = facts_of(run([event(0, "synack", saddr=bytes([10, 0, 0, 1]), sport=80), event(1, "syn", "10.0.0.9"),
                          event(2, "syn", "10.0.0.8"), event(3, "rto", "10.0.0.8")]))
    assert [row["name"] for row in found["listeners"]] == ["10.0.0.1:80"]
    assert [(row["name"], row["answers"]) for row in found["unanswered"]] == [
        ("10.0.0.8:443", True), ("10.0.0.9:443", False)]


def test_names_of_containers() -> None:
    pod = names(container_id="c" * 64, runtime="containerd", pod_uid="u", pod_namespace="shop", pod_name="cart-0")
    found = facts_of(run([event(0)], workload=pod), run([event(1), event(2)], workload=names(unit="a.service")))
    assert found["worst"]["container"]["rows"][0]["name"] == "shop/cart-0"
    assert found["worst"]["unit"]["rows"][0]["name"] == "a.service"
    assert found["worst"]["container"]["unknown"]["events"] == 2


def many(count: int) -> Iterator[Any]:
    block = [event(number / 1000, sport=1000 + number % 200, stall_us=number) for number in range(8192)]
    for start in range(0, count, len(block)):
        yield run(block)._replace(offset_ns=START + start * 10**6)


def test_a_long_recording_takes_no_more_memory_than_a_short_one() -> None:
    peaks = []
    for count in (8192, 10 * 8192):
        tracemalloc.start()
        gathered = Gathered()
        gathered.add_all(many(count))
        facts(gathered, [session()])
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0]
