"""What runs come to, and how the table tells it."""
import json
from typing import Dict, List, Tuple

import pytest

from . import table
from .__main__ import MARKDOWN_BEGIN, MARKDOWN_END, chosen, put_into
from .row import Figures, Measurement, Result, Row, Target, measure
from .rows import ALL
from .rows.following import lines_due

ROW = Row("speed", "how fast", "ns", Target("<=", 0.5), "{events:,.0f} events, {rival[events]:,.0f} there")
MACHINE = {"CPU": "some, 2 cores"}


class Scripted(Measurement):
    """Gives figures that were thought of, and remembers whose turn it was."""

    rows = [ROW]
    rival_name = "other"

    def __init__(self, ours: List[float], theirs: List[float]) -> None:
        self.figures = {"ours": ours, "rival": theirs}
        self.turns: List[str] = []

    def turn(self, whose: str) -> Figures:
        number = self.turns.count(whose)
        self.turns.append(whose)
        return {"speed": self.figures[whose][number], "events": 1000.0 * (number + 1)}

    def ours(self) -> Figures:
        return self.turn("ours")

    def rival(self) -> Figures:
        return self.turn("rival")


class Alone(Scripted):
    rows = [Row("idle", "idle", "%", Target("<", 0.1, absolute=True))]
    rival_name = ""
    most_runs = 1

    def ours(self) -> Figures:
        return {"idle": self.turn("ours")["speed"]}


def results(ours: List[float], theirs: List[float]) -> Tuple[Scripted, List[Result]]:
    made = Scripted(ours, theirs)
    return made, measure(made, len(ours), lambda text: None)


def test_sides_take_turns_and_medians_are_compared() -> None:
    made, (result,) = results([4, 100, 5], [20, 10, 1])
    assert made.turns == ["ours", "rival"] * 3
    assert (result.our_median, result.rival_median, result.ratio) == (5, 10, 0.5)
    assert result.met and result.note == "2,000 events, 2,000 there"


def test_a_row_without_rival_is_held_against_its_own_figure() -> None:
    for figure, met in ((0.05, True), (0.1, False)):
        made = Alone([figure], [])
        result, = measure(made, 5, lambda text: None)
        assert made.turns == ["ours"], "one run is all it wants"
        assert (result.ratio, result.met) == (None, met)
        assert table.line(result) == ["idle", "{:g} %".format(figure), "-", "-", "< 0.1 %", "yes" if met else "NO"]


def test_a_rival_that_came_to_nothing_gives_no_ratio() -> None:
    _, (result,) = results([1.0], [0.0])
    assert result.ratio is None and not result.met


@pytest.mark.parametrize("sign, value, met", [
    ("<=", 3.0, True), ("<=", 3.01, False), (">=", 3.0, True), (">=", 2.99, False), ("<", 3.0, False)])
def test_targets(sign: str, value: float, met: bool) -> None:
    assert Target(sign, 3.0).met(value) is met


@pytest.mark.parametrize("value, text", [
    (None, "-"), (0, "0"), (0.0001234, "0.0001"), (0.1234, "0.123"), (12.34, "12.3"), (1234.5, "1,234"),
    (99.96, "100")])
def test_figures(value: float, text: str) -> None:
    assert table.figure(value) == text


def test_the_table_and_json_tell_the_same() -> None:
    _, found = results([6], [10])
    lines = table.lines(found, MACHINE, 1)
    assert lines[0] == "Medians of 1 runs of each side, in turns. CPU some, 2 cores"
    assert [cell.strip() for cell in lines[4].split("|")[1:-1]] == [
        "how fast", "6 ns", "10 ns (other)", "0.6×", "≤ 0.5×", "NO"]
    assert lines[-1] == "- speed: 1,000 events, 1,000 there"
    row, = json.loads(table.as_json(found, MACHINE, 1))["rows"]
    assert (row["ours"], row["rival"], row["ratio"], row["met"]) == (6, 10, 0.6, False)


def test_only_what_is_between_the_marks_is_replaced(tmp_path: object) -> None:
    path = "{}/page.md".format(tmp_path)
    with open(path, "w", encoding="utf-8") as page:
        page.write("a\n{}\nold\n{}\nb\n".format(MARKDOWN_BEGIN, MARKDOWN_END))
    put_into(path, ["new", "er"])
    with open(path, encoding="utf-8") as page:
        assert page.read() == "a\n{}\nnew\ner\n{}\nb\n".format(MARKDOWN_BEGIN, MARKDOWN_END)
    with open(path, "w", encoding="utf-8") as page:
        page.write("no marks\n")
    with pytest.raises(ValueError):
        put_into(path, ["new"])


def test_every_row_has_a_name_of_its_own() -> None:
    rows: Dict[str, Row] = {}
    for measurement in ALL:
        for row in measurement.rows:
            assert row.key not in rows
            rows[row.key] = row
    assert len(chosen([])) == len(ALL)
    assert [row.key for row in chosen(["memory"])[0].rows] == ["cpu", "lost", "memory"]


@pytest.mark.parametrize("summary, due", [
    ("90 events, 95 segments, 0 failed, 3 filtered, 0 lost", 90),
    ("90 events, 95 segments, 20 failed, 0 filtered, 4 rate-limited, 6 lost (7 segments): the ring buffer was full", 80)])
def test_lines_that_are_due(summary: str, due: int) -> None:
    """What the tracer says of itself is held against what it printed."""
    assert lines_due("Tracing\n%s\nledger: kernel 9 = delivered 9 + lost 0\n" % summary) == due
