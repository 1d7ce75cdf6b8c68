"""How `top` looks: on any terminal, whatever the names hold."""
import os
import re
import sys
from typing import Any, Callable, List

import pytest
from lab import tried
from fake_library import event, packed
from places import REPOSITORY
from retrans_ctypes.clock import WallClock
from retrans_ctypes.errors import ExtraMissing
from retrans_ctypes.event import Event
from retrans_ctypes.ledger import Ledger, LedgerRow
from retrans_ctypes.screen import pages
from retrans_ctypes.screen.flows import MOST, RECENT, SHOWN, Flows
from retrans_ctypes.screen.frame import LETTERS, Look, bar, cells, cut, shorten
from retrans_ctypes.screen.plain_drawing import draw, draw_table
from retrans_ctypes.screen.rich_drawing import RichDrawing
from retrans_ctypes.screen.table import COLUMNS_BESIDE, amount, share, table, waiting, words
from retrans_ctypes.screen.view import View, rows_of
from retrans_ctypes.sinks.columns import columns, default_columns
from retrans_ctypes.stats import Stats
from retrans_ctypes.workload import Workload

SGR = re.compile(r"\x1b\[[0-9;]*m")
HOSTILE = b"\x1b[2J[red]\n\"'"
EVENT_COLUMNS = columns(default_columns(80))
DARK = Look(80, 24, True, True)


class Names:
    def workload(self, event: Event) -> Workload:
        return Workload([None if field.json_type == "integer" else "\u4e2d[bold]\x1b[31m" + "x" * 40
                         for field in Workload.FIELDS])


def packets(number: int) -> bytes:
    long = {"family": 6, "saddr": bytes(range(16)), "daddr": bytes(range(100, 116))} if number % 2 else {
        "saddr": bytes([10, 0, 0, 1]), "daddr": bytes([10, 0, number, 2])}
    return packed(sport=50000 + number, dport=443, segs=number + 1, reason=number % 8, stall_us=10 ** (number % 8),
                  bytes_sent=1000, bytes_retrans=number, owner_pid=number, owner_comm=HOSTILE, ts_ns=number, **long)


def counted() -> Flows:
    flows = Flows(Names(), 4, 100.0)
    for number in range(40):
        flows.feed(packets(number) * (number + 1))
    flows.tick(102.0)
    return flows


FLOWS = counted()
STATUS = pages.Status("host\x1b[2J[red]", "tp_btf", 4000.0, 2.0, *FLOWS.everything(), Stats(*range(13)),
                      "ledger adds up within 16", True)


def page(kind: str, look: Look, by: str = "flow") -> Any:
    view = View(by)
    groups = FLOWS.groups(view.grouping)
    view.show(rows_of(groups, FLOWS.window))
    FLOWS.watch(view.grouping, pages.visible(view, look))
    if kind == "help":
        return pages.help_page(view, look)
    if kind == "events":
        view.press("enter")
        assert view.detail is not None
        return pages.detail_page(view, look, FLOWS.recent(view.detail), EVENT_COLUMNS, Names(), WallClock())
    if kind == "typing":
        view.press("/")
        view.filter = "\x1b" + "1" * 300
    return pages.groups_page(view, STATUS, look)


@pytest.mark.parametrize("drawing", [draw, RichDrawing().draw], ids=["plain", "rich"])
@pytest.mark.parametrize("width, height", [(40, 10), (40, 24), (80, 24), (110, 30), (200, 60), (20, 6), (300, 100)])
@pytest.mark.parametrize("unicode", [True, False])
def test_every_page_fits(drawing: Callable[..., List[str]], width: int, height: int, unicode: bool) -> None:
    for colour in (True, False):
        look = Look(width, height, unicode, colour)
        for kind, by in [(kind, "flow") for kind in ("help", "events", "typing")] + [("groups", by) for by in SHOWN]:
            lines = drawing(page(kind, look, by), look)
            assert len(lines) == height, kind
            for line in lines:
                text = SGR.sub("", line)
                assert text.isprintable() and cells(text) <= width, (kind, by, text)
                assert unicode or max(text, default=" ") <= "~"
                assert colour or not re.search(r"\x1b\[[0-9;]*[34][0-9][;m]", line), "a colour"


@pytest.mark.reliability
@pytest.mark.parametrize("drawing", [draw, RichDrawing().draw], ids=["plain", "rich"])
def test_hostile_names_are_shown_escaped(drawing: Callable[..., List[str]]) -> None:
    look = Look(110, 24, True, True)
    for kind, start in (("groups", "\\x1b[2J[r…x0a\"' (39)"), ("events", "\\x1b[2J…]\\x0a\"'")):
        text = SGR.sub("", "\n".join(drawing(page(kind, look), look)))
        assert start in text and "\x1b" not in text
    assert "host\\x1b[2J[red]" in SGR.sub("", drawing(page("groups", look), look)[0])
    tried.count("security", "hostile host and process names: drawings of top", "shown escaped")


def test_rich_colours_and_the_chosen_row() -> None:
    lines = RichDrawing().draw(page("groups", DARK), DARK)
    chosen = [line for line in lines if SGR.sub("", line).startswith(">")]
    assert len(chosen) == 1 and "\x1b[7m" in chosen[0]
    assert any("\x1b[37;41m" in line for line in lines), "white on red"


def lines(columns: int, by: str = "flow", height: int = 24) -> List[str]:
    look = Look(columns, height, True, False)
    return draw(page("groups", look, by), look)


def test_columns_go_by_width() -> None:
    titles = {width: lines(width)[4].split() for width in (40, 80, 110, 200)}
    assert titles[40] == ["FLOW", "SEG/S*", "RATIO"]
    assert titles[80] == ["FLOW", "SEG/S*", "TOTAL", "RATIO", "STALL", "WHY"]
    assert titles[110] == ["FLOW", "OWNER", "SEG/S*", "TOTAL", "RATIO", "STALL", "WORST", "WHY"]
    assert titles[200] == titles[110] + ["WORKLOAD"], "the names are long"
    assert lines(250)[4].split() == titles[110] + ["REASONS", "WORKLOAD"]
    assert "FLOWS" in lines(110, "remote")[4] and "OWNER" not in lines(110, "remote")[4]
    assert lines(40)[5].startswith(">:50039>[646…71:7273]:443")


def test_a_row_says_what_was_counted() -> None:
    """40 events of 40 segments in 2 s, 40 events of 39 bytes in 1,000 (one socket), 10 s of waiting each."""
    found = next(line for line in lines(200) if ":50039" in line)
    assert found.startswith(">[1:203:") or "50039" in found
    numbers = found[found.index("(39)") + 4:].split()
    assert numbers[:5] == ["800", "1,600", "3.9%", "10.0s", "10.0s"]
    assert "PPPPPP" in found
    assert "pmtu 100%" in next(line for line in lines(250) if ":50039" in line)


def test_a_low_terminal_keeps_the_rows() -> None:
    low = lines(80, height=10)
    assert "seg/s" in low[0] and low[3].split()[0] == "FLOW" and low[4].startswith(">") and "quit" in low[-1]


def test_the_chosen_row_is_always_there() -> None:
    view = View()
    view.show(rows_of(FLOWS.groups(view.grouping), 2.0))
    for _ in range(len(view.rows)):
        drawn = draw(pages.groups_page(view, STATUS, DARK), DARK)
        assert sum(line.startswith(">") for line in drawn) == 1
        view.press("down")
    assert drawn[-2].startswith(">")


def test_head_and_foot() -> None:
    drawn = draw(page("groups", DARK), DARK)
    assert drawn[0].startswith("retrans top  host") and "up 1:06:40" in drawn[0]
    assert drawn[1].startswith("11,070 seg/s  410 events/s  22,140 segments")
    assert drawn[2].startswith("lost 3  limited 11  ledger adds up within 16")
    assert drawn[3] == "flows by segments a second (40)"
    view = View()
    view.paused, view.filter = True, "abc"
    assert draw(pages.groups_page(view, STATUS, DARK), DARK)[3] == "PAUSED  flows by segments a second (0)  with 'abc'"


def test_help_has_every_key_and_column() -> None:
    text = "\n".join(draw(page("help", DARK), DARK))
    for words_ in list(pages.HELP) + [(column.title, column.doc) for column in COLUMNS_BESIDE if "flow" in column.by]:
        assert words_[0] in text and words_[1][:60] in text
    for reason in ("R rto", "F fast", "L loss_recovery", "? unknown"):
        assert reason in text


def test_the_document_has_every_key_column_and_reason() -> None:
    with open(os.path.join(REPOSITORY, "docs", "top.md"), encoding="utf-8") as file:
        text = file.read()
    for column in COLUMNS_BESIDE:
        assert re.search(r"^\| ([A-Z/]+, )?%s(, [A-Z]+)? \|" % column.title, text, re.M), column.title
    for name, letter in LETTERS.items():
        assert "`%s` %s" % (letter, name) in text or name == "unknown" and "`?` unknown" in text
    for key in ("q", "s", ">", "<", "1", str(len(SHOWN)), "g", "/", "k", "j", "p", "r", "?"):
        assert "`%s`" % key in text
    assert "last\n{} events".format(RECENT) in text and "{:,} flows".format(MOST) in text


def test_the_last_events_are_at_the_bottom() -> None:
    view = View()
    view.detail = "x"
    events = [event(ts_ns=number, dport=number, reason=number % 8) for number in range(100)]
    look = Look(80, 10, True, False)

    def remotes() -> List[str]:
        drawn = draw(pages.detail_page(view, look, events, EVENT_COLUMNS, Names(), WallClock()), look)
        return re.findall(r"0\.0\.0\.0:(\d+)", "\n".join(drawn))
    assert remotes() == [str(number) for number in range(93, 100)]
    view.press("up")
    assert remotes()[-1] == "98"
    view.press("home")
    assert remotes()[0] == "0"
    view.press("end")
    assert remotes()[-1] == "99"


@pytest.mark.parametrize("number, text", [
    (0, "0"), (0.25, "0.2"), (9.96, "10.0"), (12.6, "13"), (99999, "99,999"), (100000, "100k"), (123456, "123k"),
    (1234567, "1.2M"), (10 ** 9, "1.0G"), (10 ** 12, "1.0T")])
def test_amounts(number: float, text: str) -> None:
    assert amount(number) == text and len(text) <= 7


@pytest.mark.parametrize("micros, text", [
    (None, "-"), (0, "0.0ms"), (999, "1.0ms"), (99949, "99.9ms"), (99950, "100ms"), (999499, "999ms"), (999500, "1.0s"),
    (12345678, "12.3s"), (123456789, "123s")])
def test_waiting_times(micros: Any, text: str) -> None:
    assert waiting(micros) == text and len(text) <= 6


def test_shares_and_words() -> None:
    assert [share(value) for value in (None, 0.0, 0.1234, 1.0)] == ["-", "0.0%", "12.3%", "100%"]
    assert words({"fast": 1, "rto": 3}) == "rto 75% fast 25%"


@pytest.mark.parametrize("reasons, width, letters", [
    ({"rto": 1}, 6, "RRRRRR"), ({"rto": 1, "fast": 1}, 6, "FFFRRR"), ({"rto": 1000, "fast": 1, "syn": 1}, 4, "RRFS"),
    ({"rto": 3, "fast": 2, "syn": 1}, 2, "RF"), ({}, 6, ""), ({"newer": 1}, 2, "??"), ({"rto": 5}, 0, "")])
def test_bars(reasons: Any, width: int, letters: str) -> None:
    assert "".join(text for text, _ in bar(reasons, width)) == letters


def test_text_is_cut_by_what_it_takes_on_a_terminal() -> None:
    assert cells("a\u4e2de\u0301") == 4
    assert cut("\u4e2d\u4e2d", 3) == "\u4e2d"
    assert shorten("abcdefghij", 7, DARK) == "abc\u2026hij"
    assert shorten("abcdefghij", 8, Look(80, 24, False, False)) == "abc..hij"
    assert shorten("abcdefghij", 2, DARK) == "ab"


@pytest.mark.parametrize("rows, told", [
    ([], ("ledger adds up", True)),
    ([{}], ("ledger adds up", True)),
    ([{"uncertainty": 5, "unexplained": 4}], ("ledger adds up within 5", True)),
    ([{"uncertainty": 5, "unexplained": 6}], ("ledger: 6 unexplained", False)),
    ([{"kernel": None, "unexplained": None, "uncertainty": None}], ("ledger: 1 unreadable", None)),
    ([{"uncertainty": None}], ("ledger: doubt not bounded", None)),
])
def test_the_ledger_in_a_few_words(rows: Any, told: Any) -> None:
    whole = LedgerRow(7, 10, 10, 0, 0, 0, 0, 0, 0)
    assert pages.ledger_words(Ledger(tuple(whole._replace(**row) for row in rows))) == told


def test_without_rich_one_sentence(monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "rich.console", None)
    with pytest.raises(ExtraMissing, match=r"pip install 'retrans_ctypes\[top\]'"):
        RichDrawing()


def test_a_table_without_a_screen() -> None:
    view = View()
    view.show(rows_of(FLOWS.groups(view.grouping), 2.0))
    drawn = draw_table(table(view, view.rows[:3], Look(100, 24, True, False)))
    assert len(drawn) == 4 and drawn[0].startswith(" FLOW") and not any(">" == line[0] for line in drawn)
