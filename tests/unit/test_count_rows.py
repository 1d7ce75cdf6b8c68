"""Rows, totals and remainders of what is counted in the kernel, and the command that shows them."""
import json
from typing import Any, Callable, List

import pytest
from fake_library import FakeLibrary
from retrans_ctypes import Count, Tracer, UsageError
from retrans_ctypes.cli.ending import storms
from retrans_ctypes.clock import WallClock
from retrans_ctypes.counts import COUNT_BY, Counts, NativeRow, Sum, counts
from retrans_ctypes.sinks.counts import Naming, NdjsonCounts, TextCounts, amount, remainder
from test_command_line import Done, run  # noqa: F401  (a fixture)

NONE = NativeRow(0, 0, 0, 0, b"", b"", 0, 0, 0)
SIX = bytes.fromhex("20010db8000000000000000000000001")


def row(events: int = 1, segs: int = 1, size: int = 1, number: int = 0, daddr: bytes = b"\x0a\0\0\2", dport: int = 443,
        family: int = 4) -> NativeRow:
    return NativeRow(events, segs, size, number, b"\x0a\0\0\1".ljust(16, b"\0"), daddr.ljust(16, b"\0"), 80, dport, family)


@pytest.mark.parametrize("by, one, columns, key", [
    ("flow", row(), ("local", "remote"), ("10.0.0.1:80", "10.0.0.2:443")),
    ("remote", row(), ("remote",), ("10.0.0.2",)),
    ("remote", row(daddr=SIX, family=6), ("remote",), ("2001:db8::1",)),
    ("prefix", row(), ("prefix",), ("10.0.0.2/24",)),
    ("prefix", row(daddr=SIX, family=6), ("prefix",), ("2001:db8::1/64",)),
    ("lport", row(number=0), ("lport",), (0,)), ("rport", row(number=443), ("rport",), (443,)),
    ("pid", row(number=7), ("pid",), (7,)), ("pid", row(), ("pid",), (None,)),
    ("cgroup", row(number=1 << 40), ("cgroup_id",), (1 << 40,)), ("cgroup", row(), ("cgroup_id",), (None,)),
    ("reason", row(number=2), ("reason",), ("fast",)), ("reason", row(), ("reason",), (None,)),
])
def test_keys(by: str, one: NativeRow, columns: Any, key: Any) -> None:
    made = counts(by, [one], NONE)
    assert (made.by, made.columns, made.rows[0].key) == (by, columns, key)


def test_every_way_of_counting_has_keys() -> None:
    for by in set(COUNT_BY.values()) - {"none"}:
        assert len(counts(by, [row()], NONE).rows) == 1


def made_of(*segs: int, beyond: NativeRow = NONE) -> Counts:
    return counts("rport", [row(2 * one, one, 100 * one, number=port) for port, one in enumerate(segs)], beyond)


def test_the_largest_come_first_and_the_rest_is_exact() -> None:
    made = made_of(5, 1, 40, 3, beyond=row(9, 7, 8))
    assert [one.segs for one in made.rows] == [40, 5, 3, 1]
    shown, others = made.top(2)
    assert [one.key for one in shown] == [(2,), (0,)]
    assert others == Sum(rows=2, events=8, segs=4, bytes=400)
    assert made.total == Sum(rows=4, events=98 + 9, segs=49 + 7, bytes=4900 + 8)
    assert sum(one.segs or 0 for one in shown) + (others.segs or 0) + (made.beyond.segs or 0) == made.total.segs


@pytest.mark.parametrize("most", [0, 1, 4, 5])
def test_any_number_of_rows_can_be_shown(most: int) -> None:
    shown, others = made_of(5, 1, 40, 3).top(most)
    assert len(shown) == min(most, 4) and others.rows == 4 - len(shown)
    assert sum(one.segs or 0 for one in shown) + (others.segs or 0) == 49


def test_equal_rows_have_an_order() -> None:
    assert [one.key for one in made_of(1, 1, 1).rows] == [(0,), (1,), (2,)]


def test_where_segments_are_not_counted() -> None:
    made = counts("rport", [row(3), row(5)], row(2), segs=False, bytes_known=False)
    assert [one.events for one in made.rows] == [5, 3]
    assert made.total == Sum(2, 10, None, None) and made.top(9)[1] == Sum(0, 0, None, None)


def test_amounts_in_words() -> None:
    assert (amount(5, 1), amount(5, 1204), amount(1, None), amount(12000, None)) == (
        "1 segment", "1,204 segments", "1 event", "12,000 events")


def test_the_remainder_in_words() -> None:
    others, beyond, nothing = Sum(317, 400, 1204, 0), Sum(0, 3, 4, 0), Sum(0, 0, 0, 0)
    assert remainder("flow", others, nothing, 9) == "others: 1,204 segments in 317 flows"
    assert remainder("flow", Sum(1, 1, 1, 0), nothing, 9) == "others: 1 segment in 1 flow"
    assert remainder("flow", others, beyond, 65536) == (
        "others: 1,204 segments in 317 flows, and 4 segments in flows beyond the 65,536 that are kept apart")
    assert remainder("remote", nothing, beyond, 5) == "others: 4 segments in remotes beyond the 5 that are kept apart"
    assert remainder("flow", nothing, nothing, 5) == ""


def test_storms_in_words() -> None:
    made = counts("flow", [row(1, port, dport=port) for port in range(1, 6)], row(1, 9))
    assert storms(made) == (
        "rate-limited (--rate): 10.0.0.1:80 -> 10.0.0.2:5 5 segments; 10.0.0.1:80 -> 10.0.0.2:4 4 segments;"
        " 10.0.0.1:80 -> 10.0.0.2:3 3 segments; others: 3 segments in 2 flows, and 9 segments in flows beyond the"
        " 5 that are kept apart")


class Lines:
    """An output."""

    def __init__(self) -> None:
        self.lines: List[str] = []

    def line(self, text: str) -> None:
        self.lines.append(text)

    def flush(self) -> None:
        self.lines.append("--")


NAMES = {"pid": Naming("comm", lambda pids: {7: "bad\x1b[31m\n"})}


def test_a_table() -> None:
    output = Lines()
    made = counts("pid", [row(1, 1204, 5000, number=7), row(2, 7, 6), row(3, 3, 3, number=8)], NONE)
    TextCounts(output, WallClock(), NAMES, 2, False).show(made)  # type: ignore[arg-type]
    assert output.lines == [
        "",
        "   SEGMENTS       EVENTS            BYTES  PID      COMM",
        "      1,204            1            5,000  7        bad\\x1b[31m\\x0a",
        "          7            2                6  unknown  unknown",
        "others: 3 segments in 1 process", "--"]


def test_a_table_of_nothing_is_its_header() -> None:
    output = Lines()
    TextCounts(output, WallClock(), {}, 2, True).show(made_of())  # type: ignore[arg-type]
    assert len(output.lines) == 4 and output.lines[2].split() == ["SEGMENTS", "EVENTS", "BYTES", "RPORT"]


def test_json_has_all_rows() -> None:
    output = Lines()
    made = counts("pid", [row(1, 2, 3, number=7), row(4, 5, 6)], row(7, 8, 9))
    NdjsonCounts(output, WallClock(), NAMES).show(made)  # type: ignore[arg-type]
    *rows, total = [json.loads(line) for line in output.lines[:-1]]
    time = total.pop("time")
    assert total == {"type": "counts", "by": "pid", "rows": 2, "events": 12, "segs": 15, "bytes": 18,
                     "beyond": {"events": 7, "segs": 8, "bytes": 9}}
    assert rows == [
        {"type": "count", "time": time, "by": "pid", "pid": None, "comm": None, "events": 4, "segs": 5, "bytes": 6},
        {"type": "count", "time": time, "by": "pid", "pid": 7, "comm": "bad\x1b[31m\n", "events": 1, "segs": 2,
         "bytes": 3}]


def test_a_tracer_counts(fake: FakeLibrary) -> None:
    with Tracer(count_by="lport", _native_library=fake) as tracer:  # type: ignore[arg-type]
        made = tracer.counts()
    assert made == Counts("lport", ("lport",), (Count((0,), 1, 2, 3),), Sum(0, 4, 5, 6))
    assert fake.opened[0]["count_by"] == 4


def test_options_and_rows_cross_the_boundary(stub: Callable[..., str], use_library: Callable[[str], None]) -> None:
    use_library(stub())
    with Tracer(count_by="reason", rate=5, burst=6, count_rows=7, prefix4=8, prefix6=9) as tracer:
        made = tracer.counts()
    assert made.beyond == Sum(0, 6, 7, 8009)
    assert made.rows == tuple(Count((None,), 1 + i, 10 + i, 5) for i in (2, 1, 0))
    with Tracer(rate=None) as tracer:
        assert tracer.counts().rows[0] == Count(("10.0.0.1:80", "10.0.2.2:443"), 3, 12, (1 << 32) - 1)


@pytest.mark.parametrize("wrong", [
    {"rate": -1}, {"rate": 1 << 32}, {"burst": -1}, {"count_by": "weekday"}, {"count_rows": -1}, {"prefix4": 0},
    {"prefix6": 1 << 40}])
def test_options_that_cannot_be(fake: FakeLibrary, wrong: Any) -> None:
    with pytest.raises(UsageError):
        Tracer(_native_library=fake, **wrong)
    assert fake.opened == []


Run = Callable[..., Done]


def test_the_command(run: Run) -> None:  # noqa: F811
    done = run("count", "--top", "1", "--duration", "0.1")
    assert done.code == 0
    assert [line.split() for line in done.out[:3]] == [
        [], ["SEGMENTS", "EVENTS", "BYTES", "LOCAL", "REMOTE"], ["12", "3", "-", "10.0.0.1:80", "10.0.2.2:443"]] or (
            done.out[2].split()[:2] == ["12", "3"])
    assert done.out[3] == "others: 21 segments in 2 flows"
    assert done.err[0] == "Tracing retransmits ... Hit Ctrl-C to end" and len(done.err) == 4
    lines = [json.loads(line) for line in run("count", "--by", "rport", "--json", "--duration", "0.1").out]
    assert [line["type"] for line in lines] == ["count"] * 3 + ["counts", "ledger"]


def test_an_interval_makes_tables(run: Run) -> None:  # noqa: F811
    done = run("count", "--interval", "0.1", "--duration", "0.5")
    assert done.code == 0 and sum("SEGMENTS" in line for line in done.out) >= 3


def test_an_interval_shorter_than_a_clock_tells_ends_too(run: Run) -> None:  # noqa: F811
    done = run("count", "--interval", "1e-20", "--duration", "0.1")
    assert done.code == 0 and done.err[-2].startswith("ledger: ")


@pytest.mark.parametrize("arguments, word", [
    (["count", "--by", "weekday"], "weekday"), (["count", "--top", "0"], "above 0"),
    (["count", "--top", "3", "--json"], "leave it out"), (["count", "--prefix4", "8"], "--by prefix"),
    (["count", "--by", "prefix", "--prefix4", "33"], "up to 32 bits"), (["count", "--rows", "many"], "whole number"),
    (["--rate", "0"], "above 0"), (["--rate", "fast"], "fast"), (["--burst", "none"], "none"),
    (["--ring-size", "16T"], "16M"), (["--ring-size", "4G"], "below 4G"), (["--ring-size", "0"], "size"),
])
def test_wrong_usage(run: Run, arguments: List[str], word: str) -> None:  # noqa: F811
    done = run(*arguments)
    assert (done.code, done.out, len(done.err)) == (2, [], 1) and word in done.err[0]


def test_rates_and_sizes_reach_the_tracer(run: Run) -> None:  # noqa: F811
    done = run("--rate", "none", "--ring-size", "8K", "--json", "-v", "--duration", "0.1")
    line = json.loads(done.out[0])
    assert done.code == 0 and line["type"] == "event"
    assert "the auto buffer has 8 KiB" in done.err
