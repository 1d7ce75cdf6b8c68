"""What the keys of `top` do."""
from typing import Any, List

import pytest
from retrans_ctypes.screen import tally
from retrans_ctypes.screen.flows import SHOWN, Group
from retrans_ctypes.screen.keys import Keys
from retrans_ctypes.screen.view import SORTS, Row, View


def row(name: str, rate: float = 0.0, owner: str = "-", **numbers: int) -> Row:
    recent, total = tally.empty(), tally.empty()
    for place, value in numbers.items():
        recent[getattr(tally, place)] = total[getattr(tally, place)] = value
    return Row(Group(name, recent, total, None, 1), rate, owner, name)


ROWS = [row("a", 1.0, SEGS=9, STALL=100, STALLS=1, WORST=100, owner="cat (1)"), row("b", 3.0, SEGS=1, SENT=100, AGAIN=50),
        row("c", 2.0, SEGS=5, SENT=100, AGAIN=1, STALL=100, STALLS=10, WORST=900), row("d", 0.0, SEGS=2)]


def view(*keys: str, **options: Any) -> View:
    shown = View(**options)
    shown.show(ROWS)
    for key in keys:
        shown.press(key)
    return shown


def names(shown: View) -> List[str]:
    return [one.name for one in shown.rows]


@pytest.mark.parametrize("sort, order", [
    ("rate", "bcad"), ("total", "acdb"), ("ratio", "bcad"), ("stall", "acdb"), ("worst", "cadb"), ("name", "abcd"),
])
def test_sorting(sort: str, order: str) -> None:
    """The largest first; what is not known comes last, by its total."""
    assert "".join(names(view(sort=sort))) == order


def test_keys_go_through_all_sorts_and_groups() -> None:
    shown = view()
    seen = []
    for _ in SORTS:
        seen.append(shown.sort)
        shown.press("s")
    assert seen == list(SORTS) and shown.sort == seen[0]
    shown.press("<")
    assert shown.sort == seen[-1]
    shown.press(">")
    for by in SHOWN[1:] + SHOWN[:1]:
        assert shown.press("g") == "group" and shown.by == by
    for number, by in enumerate(SHOWN, 1):
        assert shown.press(str(number)) == "group" and shown.by == by
    for key in ("9", "0", "\u00b2", "\u2460", "\u0661"):  # digits, of a kind
        assert shown.press(key) is None and shown.by == SHOWN[-1]


def test_a_filter_is_typed() -> None:
    shown = view("/", "C", "A", "x", "backspace", "q")
    assert shown.typing and shown.filter == "CAq" and names(shown) == []
    shown.press("backspace")
    assert names(shown) == ["a"], "the owner counts, capitals do not"
    shown.press("enter")
    assert not shown.typing and shown.press("q") == "quit" and names(shown) == ["a"]
    shown.press("escape")
    assert shown.filter == "" and len(shown.rows) == 4
    assert names(view("/", "a", "escape")) == ["b", "c", "a", "d"]
    assert view("/", "a", "b", "kill").filter == ""


def test_the_chosen_row_follows_its_group() -> None:
    shown = view("down", "j", "k")
    assert shown.rows[shown.chosen].name == "c"
    shown.press("s")  # by total
    assert names(shown)[shown.chosen] == "c" and shown.chosen == 1
    shown.show([one for one in ROWS if one.name != "c"])
    assert shown.chosen == 0
    assert view("end").chosen == 3 and view("end", "home").chosen == 0 and view("up").chosen == 0
    assert view("page down", "down", "down").chosen == 3


def test_going_into_a_group_and_back() -> None:
    shown = view("down", "enter")
    assert shown.detail == "c"
    shown.press("up")
    shown.press("k")
    assert shown.back == 2
    shown.press("down")
    assert shown.back == 1 and shown.chosen == 1
    shown.press("/")
    assert not shown.typing
    shown.press("escape")
    assert shown.detail is None and shown.chosen == 1
    shown.press("enter")
    assert shown.press("3") == "group" and shown.detail is None
    empty = View()
    empty.press("enter")
    empty.press("down")
    assert empty.detail is None and empty.chosen == 0


def test_the_other_keys() -> None:
    shown = view()
    assert shown.press("p") == "pause" and shown.paused
    assert shown.press(" ") == "pause" and not shown.paused
    assert shown.press("r") == "reset" and shown.press("x") is None and shown.press("") is None
    shown.press("?")
    assert shown.help
    shown.press("s")
    assert not shown.help and shown.sort == "rate"
    shown.press("h")
    assert shown.press("q") == "quit"


@pytest.mark.parametrize("data, keys", [
    ([b"q"], ["q"]), ([b"\x1b[A\x1b[B"], ["up", "down"]), ([b"\x1b", b"[", b"5~"], ["page up"]),
    ([b"\x1bOA\r\n"], ["up", "enter", "enter"]), ([b"\x1b", b""], ["escape"]), ([b"\x1b\x1b[C"], ["escape", "right"]),
    ([b"\x1b[1;5A"], []), ([b"\x1b[", b"", b"q"], ["q"]), ([b"\x1ba", b"b"], ["b"]), ([b"\x00\x01\x7f\x15\x0c"], ["backspace", "kill", "redraw"]),
    (["\u00e9\u4e2d".encode()], ["\u00e9", "\u4e2d"]), ([b"\xc3", b"\xa9"], ["\u00e9"]), ([b"\xff"], ["\ufffd"]),
    ([b"\x1b[" + b"1" * 40 + b"x"], ["1"] * 24 + ["x"]),
])
def test_bytes_become_keys(data: List[bytes], keys: List[str]) -> None:
    decoder = Keys()
    assert [key for part in data for key in decoder.give(part)] == keys
    assert not decoder.waiting
