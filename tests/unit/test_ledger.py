"""The ledger's arithmetic, with readings made up for it."""
import json
from typing import Any, Dict, List, Optional, Tuple

import pytest
from retrans_ctypes.kernel_counters import Reading, Readings
from retrans_ctypes.ledger import Bookkeeper, Ledger, LedgerRow
from retrans_ctypes.stats import NetnsCount

HERE = 4026531840


def count(netns: int = HERE, cookie: int = 1, **segments: int) -> NetnsCount:
    return NetnsCount(*[0] * len(NetnsCount._fields))._replace(netns=netns, cookie=cookie, **segments)


def at(segs: Optional[int], netns: int = HERE, cookie: int = 1) -> Readings:
    return {netns: None if segs is None else Reading(segs, cookie)}


def books(*readings: Readings) -> Tuple[Bookkeeper, List[Readings]]:
    """A bookkeeper that will read these, in order; the first before attaching, the second after."""
    left = list(readings)
    keeper = Bookkeeper(lambda: left.pop(0))
    keeper.attached(lambda: left.pop(0))
    return keeper, left


def ended(readings: Tuple[Readings, Readings, Readings, Readings], *counts: NetnsCount) -> Ledger:
    keeper, left = books(*readings)
    keeper.detaching()
    keeper.detached()
    assert not left
    return keeper.ledger(lambda: counts)


def quiet(start: int, end: int) -> Any:
    return at(start), at(start), at(end), at(end)


def test_everything_in_its_place() -> None:
    ledger = ended(quiet(100, 125), count(
        segs=10, filtered_segs=5, failed_segs=3, limited_segs=4, lost_segs=2, skipped_segs=1))
    row, = ledger.rows
    assert row == (HERE, 25, 10, 5, 3, 4, 3, 0, 0)
    assert row.exact and ledger.total.exact and ledger.total.kernel == 25
    assert ledger.sentence() == (
        "ledger: kernel 25 = delivered 10 + filtered 5 + failed 3 + rate-limited 4 + lost 3 + unexplained 0")


def test_a_cookie_that_is_not_known_is_no_other_one() -> None:
    """Without the rights to enter a namespace there is none; so it may be at one reading only."""
    for first, last in ((1, 0), (0, 1), (0, 0)):
        readings = at(100, cookie=first), at(100, cookie=first), at(121, cookie=last), at(121, cookie=last)
        assert ended(readings, count(segs=21)).rows[0].exact


def test_two_namespaces_had_this_number_and_nobody_knows_which_one_has_it() -> None:
    readings = at(3, cookie=0), at(3, cookie=0), at(5, cookie=0), at(5, cookie=0)
    ledger = ended(readings, count(cookie=1, segs=2), count(cookie=2, segs=1))
    assert [row.kernel for row in ledger.rows] == [None, None] and not ledger.exact


@pytest.mark.parametrize("ours, unexplained", [(18, 2), (20, 0), (23, -3)])
def test_what_is_left_over_is_told(ours: int, unexplained: int) -> None:
    ledger = ended(quiet(0, 20), count(segs=ours))
    assert ledger.rows[0].unexplained == unexplained
    assert ledger.rows[0].exact is (unexplained == 0)
    assert "unexplained %d" % unexplained in ledger.sentence()
    assert ("1 of 1 namespace with a remainder" in ledger.sentence()) is (unexplained != 0)


@pytest.mark.parametrize("ours, kernel, unexplained", [(5, 10, 5), (10, 10, 0), (13, 13, 0), (17, 17, 0), (18, 17, -1)])
def test_counting_while_attaching_and_detaching_is_doubt(ours: int, kernel: int, unexplained: int) -> None:
    """Between 10 (all doubt outside) and 17 (all inside) is no remainder, but never exact."""
    row, = ended((at(100), at(103), at(113), at(117)), count(segs=ours)).rows
    assert (row.kernel, row.unexplained, row.uncertainty) == (kernel, unexplained, 7)
    assert not row.exact and "(uncertainty 7)" in row.sentence()


def test_segments_that_no_program_saw_are_not_hidden() -> None:
    row, = ended(quiet(7, 9)).rows
    assert (row.kernel, row.accounted, row.unexplained) == (2, 0, 2)


def test_a_quiet_namespace_is_left_out() -> None:
    assert ended(quiet(7, 7)).rows == ()


def test_what_nobody_can_know_is_not_left_out() -> None:
    """Nothing was seen there, but perhaps something was retransmitted."""
    ledger = ended((at(None), at(None), at(None), at(None)))
    assert [row.kernel for row in ledger.unreadable] == [None]
    assert ledger.sentence() == "ledger: kernel counter unreadable in 1 namespace, with 0 segments"
    assert not ledger.exact and not ledger.to_dict()["total"]["exact"]
    assert ledger.to_dict()["total"]["unreadable"] == 1


def test_a_namespace_made_later_began_with_nothing() -> None:
    row, = ended(({}, {}, {}, at(6)), count(segs=6)).rows
    assert (row.kernel, row.unexplained, row.uncertainty) == (6, 0, 6)
    row, = ended(({}, {}, at(6), at(6)), count(segs=6)).rows
    assert row.exact


@pytest.mark.parametrize("readings", [
    (at(5), at(5), at(5), {}), (at(5), at(5), {}, {}), (at(None), at(None), at(9), at(9)),
    (at(5), at(5), at(None), at(None)), (at(5), at(5), at(1, cookie=2), at(1, cookie=2)),
    (at(5, cookie=0), at(5, cookie=0), at(4, cookie=0), at(4, cookie=0)),
], ids=["gone", "long gone", "forbidden at first", "forbidden at last", "inode given to another",
        "the same without cookies"])
def test_what_cannot_be_read_is_never_exact(readings: Any) -> None:
    ledger = ended(readings, count(segs=4))
    assert ledger.rows[0].kernel is ledger.rows[0].unexplained is None
    assert not ledger.rows[0].exact and ledger.unreadable
    assert "kernel counter unreadable in 1 namespace, with 4 segments" in ledger.sentence()


def test_an_inode_given_to_another_namespace_starts_anew() -> None:
    row, = ended((at(50), at(50), at(3, cookie=2), at(3, cookie=2)), count(cookie=2, segs=3)).rows
    assert row.exact and row.kernel == 3


def test_after_run_the_end_is_not_bounded() -> None:
    keeper, _ = books(at(0), at(0), at(8))
    keeper.detached()
    row, = keeper.ledger(lambda: [count(segs=7)]).rows
    assert (row.kernel, row.unexplained, row.uncertainty) == (8, 1, None)
    assert not row.exact and "not bounded" in row.sentence()


def test_while_it_runs() -> None:
    keeper, _ = books(at(0), at(0), at(5), at(6), at(9), at(9))
    assert keeper.ledger(lambda: [count(segs=6)]).rows[0].uncertainty == 1
    assert keeper.ledger(lambda: [count(segs=9)]).rows[0].exact


def test_the_moment_of_detaching_stays() -> None:
    keeper, _ = books(at(0), at(0), at(5), at(5))
    for _ in range(2):
        keeper.detaching()
        keeper.detached()
    assert keeper.ledger(lambda: [count(segs=5)]).rows[0].exact


def test_json() -> None:
    ledger = ended((at(1), at(1), at(3), at(3)), count(segs=2), count(netns=5, segs=1))
    made: Dict[str, Any] = json.loads(json.dumps(ledger.to_dict()))
    assert made["type"] == "ledger"
    assert [row["netns"] for row in made["namespaces"]] == [5, HERE]
    assert [row["exact"] for row in made["namespaces"]] == [False, True]
    assert made["total"]["kernel"] == 2 and made["total"]["delivered"] == 2


def test_what_came_since_an_earlier_ledger() -> None:
    first = Ledger((LedgerRow(HERE, 10, 8, 1, 0, 0, 1, 0, 2), LedgerRow(7, None, 5, 0, 0, 0, 0, None, None)))
    last = Ledger((LedgerRow(HERE, 25, 20, 2, 0, 1, 1, 1, 1), LedgerRow(7, None, 5, 0, 0, 0, 0, None, None),
                   LedgerRow(8, 3, 3, 0, 0, 0, 0, 0, 0)))
    assert last.since(first).rows == (
        (HERE, 15, 12, 1, 0, 1, 0, 1, 3), (7, None, 0, 0, 0, 0, 0, None, None), (8, 3, 3, 0, 0, 0, 0, 0, 0))
    assert last.since(Ledger(())) == last
    assert last.since(last).rows == ((7, None, 0, 0, 0, 0, 0, None, None),)


def test_namespaces_that_had_one_number_are_told_together_since_then() -> None:
    row = LedgerRow(HERE, 10, 8, 1, 0, 0, 1, 0, 0)
    assert Ledger((row, row)).since(Ledger((row,))).rows == (row,)
