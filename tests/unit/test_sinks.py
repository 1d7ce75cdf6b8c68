"""What the sinks write, character by character."""
import errno
import json
import os
import socket
import time
from typing import Any, Callable, List

import pytest
from lab import tried
from fake_library import event
from places import REPOSITORY
from retrans_ctypes.clock import WIDTHS, WallClock
from retrans_ctypes.errors import UsageError
from retrans_ctypes.event import KNOWN_OWNER, Event
from retrans_ctypes.sinks.columns import (
    COLUMNS, Column, bcc_columns, chosen_columns, columns, default_columns, describe, names_shown,
)
from retrans_ctypes.sinks.count import NdjsonFlowCounts, TextFlowCounts
from retrans_ctypes.sinks.ndjson import NdjsonSink
from retrans_ctypes.sinks.output import Output
from retrans_ctypes.sinks.printable import printable
from retrans_ctypes.sinks.text import TextSink
from retrans_ctypes.workload import Workload


class Paper(Output):
    """An output that keeps what was written; `flushed` has what a reader could see by now."""

    def __init__(self) -> None:
        super().__init__()
        self.flushed: List[str] = []

    def flush(self) -> None:
        self.flushed += self._lines
        self._lines.clear()

    def write(self, data: memoryview) -> None:
        self.flush()
        self.flushed += bytes(data).decode("ascii").splitlines()


class StillClock(WallClock):
    def sample(self) -> None:
        self.offset_ns = 1700000000 * 10**9


ALL = (1 << 64) - 1


class Found:
    """Lookups that found this."""

    def __init__(self, **names: Any) -> None:
        self._workload = Workload([names.get(field.name) for field in Workload.FIELDS])

    def workload(self, event: Event) -> Workload:
        return self._workload


SYN = event(ts_ns=123456789, saddr=bytes([10, 0, 0, 1]), daddr=bytes([10, 0, 0, 2]), sport=40000, dport=80,
            state=2, reason=4, seq=4294967295, segs=1, known=ALL & ~KNOWN_OWNER)
PROBE = event(saddr=bytes([10, 0, 0, 1]), daddr=bytes([10, 0, 0, 2]), sport=1, dport=2, reason=3, segs=2)
SIX = event(family=6, saddr=socket.inet_pton(socket.AF_INET6, "2001:db8:1111:2222:3333:4444:5555:6666"),
            daddr=socket.inet_pton(socket.AF_INET6, "::1"), sport=65535, dport=443, owner_pid=4194304)


@pytest.fixture(autouse=True)
def utc(monkeypatch: Any) -> Any:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def text_of(*events: Event, **options: bool) -> List[str]:
    return text_in(bcc_columns(**options), *events)


def text_in(shown: List[Column], *events: Event, **found: Any) -> List[str]:
    paper = Paper()
    sink = TextSink(paper, shown, StillClock(), Found(**found))  # type: ignore[arg-type]
    sink.start()
    sink.write_all(events)
    assert all(line == line.rstrip() for line in paper.flushed)
    return paper.flushed


def test_text_is_what_bcc_users_know() -> None:
    assert text_of(SYN, SIX) == [
        "Tracing retransmits ... Hit Ctrl-C to end",
        "TIME     PID     IP LADDR:LPORT          T> RADDR:RPORT          STATE",
        "22:13:20 -       4  10.0.0.1:40000       R> 10.0.0.2:80          SYN_SENT",
        "22:13:20 4194304 6  2001:db8:1111:2222:3333:4444:5555:6666:65535 R> ::1:443              ESTABLISHED",
    ]


def test_sequence() -> None:
    unknown = event(known=0)
    lines = text_of(SYN, unknown, sequence=True)
    assert lines[1].endswith("STATE        SEQ")
    assert lines[2].endswith("SYN_SENT     4294967295")
    assert lines[3].endswith("ESTABLISHED  -")


def test_loss_probes_are_marked_when_asked() -> None:
    assert " R> " in text_of(PROBE)[2]
    assert " L> " in text_of(PROBE, probes=True)[2]
    assert " R> " in text_of(SYN, probes=True)[2]


OWNED = event(saddr=bytes([10, 0, 0, 1]), daddr=bytes([10, 0, 0, 2]), sport=40000, dport=80, reason=6, owner_pid=4321,
              owner_comm=b"tmux: server", stall_us=203456, uid=33, netns=4026532000)


@pytest.mark.parametrize("width, header, line", [
    (80, "TIME         PID     COMM            RADDR:RPORT          REASON        STALL_MS",
     "22:13:20.000 4321    tmux: server    10.0.0.2:80          loss_recovery 203.456"),
    (120, "TIME         PID     COMM            LADDR:LPORT          T> RADDR:RPORT          STATE        REASON        STALL_MS",
     "22:13:20.000 4321    tmux: server    10.0.0.1:40000       R> 10.0.0.2:80          ESTABLISHED  loss_recovery 203.456"),
    (150, "TIME         PID     COMM            LADDR:LPORT          T> RADDR:RPORT          STATE        REASON        STALL_MS"
     " WORKLOAD",
     "22:13:20.000 4321    tmux: server    10.0.0.1:40000       R> 10.0.0.2:80          ESTABLISHED  loss_recovery 203.456"
     "  shop/cart"),
    (None, "TIME         PID     COMM            LADDR:LPORT          T> RADDR:RPORT          STATE        REASON        STALL_MS"
     " USER       NETNS           WORKLOAD",
     "22:13:20.000 4321    tmux: server    10.0.0.1:40000       R> 10.0.0.2:80          ESTABLISHED  loss_recovery 203.456"
     "  web        4026532000      shop/cart"),
])
def test_default_columns(width: Any, header: str, line: str) -> None:
    found = {"user": "web", "pod_uid": "1", "pod_namespace": "shop", "pod_name": "cart"}
    assert text_in(columns(default_columns(width)), OWNED, **found)[1:] == [header, line]
    assert len(header) <= (width or 1000)


@pytest.mark.parametrize("width", [34, 40, 46, 47, 71, 72, 79, 80, 100, 119, 120, 149, 150, 174, 175, 200, 1000])
def test_default_columns_fit(width: int) -> None:
    """With every cell as wide as its column, whatever the style of times."""
    for style, letters in WIDTHS.items():
        widths = [column.width for column in columns(default_columns(width, style), style=style)]
        assert sum(widths) + len(widths) - 1 <= max(width, 34)
        assert len(StillClock(style).text(0)) == letters
    assert all(len(column.title) <= column.width for column in COLUMNS.values())


@pytest.mark.parametrize("found, cell", [
    ({}, "-"),
    ({"cgroup": "/a"}, "/a"),
    ({"cgroup": "/a.service", "unit": "a.service"}, "a.service"),
    ({"unit": "docker-c.scope", "container_id": "0123456789abcdef", "runtime": "docker"}, "docker:0123456789ab"),
    ({"container_id": "0123456789abcdef"}, "?:0123456789ab"),
    ({"container_id": "0123456789abcdef", "pod_uid": "8e7f"}, "8e7f"),
    ({"pod_uid": "8e7f", "pod_namespace": "shop", "pod_name": "cart"}, "shop/cart"),
])
def test_the_most_telling_name(found: Any, cell: str) -> None:
    assert text_in(columns(["workload"]), SYN, **found)[2] == cell


@pytest.mark.parametrize("found, cell", [
    ({}, "7"), ({"netns_pid": 9}, "pid:9"), ({"netns_name": "blue"}, "blue"),
])
def test_network_namespace(found: Any, cell: str) -> None:
    assert text_in(columns(["netns"]), event(netns=7), **found)[2] == cell


def test_all_columns_know_the_unknown() -> None:
    """Nothing known: a dash or an address, and never 0 or None."""
    cells = text_in(columns(COLUMNS), event(known=0, sport=1, dport=1))[2].split()
    assert len(cells) == len(COLUMNS) and not {"0", "None", "0.000"} & set(cells)


def test_what_a_column_shows_is_looked_up() -> None:
    """A column that shows a name says so; else it would never be there."""
    every = {field.name: "name-" + field.name for field in Workload.FIELDS}
    for name, column in COLUMNS.items():
        others = {field: None if field in column.names else value for field, value in every.items()}
        assert text_in([column], SYN, **others) == text_in([column], SYN), name
        assert (text_in([column], SYN, **every) != text_in([column], SYN)) == bool(column.names), name
    assert set(names_shown(columns(COLUMNS))) == set(every)


HOSTILE = "a\x1b[2J\r\n\x7f\x9b\u202egnp\u2028\u200b\ud800\U000e0001"


@pytest.mark.reliability
def test_nothing_hostile_reaches_the_terminal() -> None:
    shown = columns(["comm", "cgroup", "unit", "container", "pod", "workload", "netns", "user", "cmdline"])
    found = {field.name: HOSTILE for field in Workload.FIELDS}
    line = text_in(shown, event(owner_comm=b"\x1b]0;x\x07\n\xff"), **found)[2]
    assert line.isprintable() and "\\x1b[2J\\x0d\\x0a\\x7f\\x9b\\u202egnp\\u2028\\u200b" in line
    assert line.startswith("\\x1b]0;x\\x07\\x0a\\xff ")
    tried.count("security", "hostile names in every text column", "shown escaped")


@pytest.mark.reliability
def test_printable() -> None:
    assert printable("plain \u00fc\u20ac\U0001f600 \\x") == "plain \u00fc\u20ac\U0001f600 \\x"
    assert printable(HOSTILE).isprintable()
    assert printable("\ud800\U000e0001") == "\\ud800\\U000e0001"
    for nothing in "\u200b\u034f\u115f\u3164\ufe0f\uffa0\u202e":
        assert printable("a%sb" % nothing) == "a\\u%04xb" % ord(nothing)
    tried.count("security", "letters that nobody sees, or that turn the line", "shown escaped", 7)


def test_columns_are_documented() -> None:
    assert [line.split(None, 1) for line in describe().splitlines()] == [
        [name, column.doc] for name, column in COLUMNS.items()]
    with open(os.path.join(REPOSITORY, "docs", "columns.md"), encoding="utf-8") as file:
        text = file.read()
    for name, column in COLUMNS.items():
        assert "| `%s` | %s | %s |\n" % (name, column.title, column.doc) in text
    assert text.count("\n| `") == len(COLUMNS)


def test_choosing_columns() -> None:
    assert chosen_columns("pid, comm") == ["pid", "comm"]
    with pytest.raises(UsageError, match="x1b"):
        chosen_columns("\x1b[2J")
    assert [column.title for column in columns(["seq", "pid"], sequence=True)] == ["SEQ", "PID"]


@pytest.mark.parametrize("probes", [False, True])
def test_failed_attempts_are_marked_and_named(probes: bool) -> None:
    failed = event(err=-errno.EHOSTUNREACH, reason=3)
    line = text_of(failed, probes=probes)[2]
    assert " !> " in line and line.endswith("ESTABLISHED (not sent: EHOSTUNREACH)")
    assert text_of(event(err=-4000))[2].endswith("(not sent: -4000)")
    assert text_of(event(err=1))[2].endswith("(not sent: dropped by the local queue)")


def test_ndjson(stub: Callable[..., str], use_library: Callable[[str], None]) -> None:
    use_library(stub())
    paper = Paper()
    sink = NdjsonSink(paper, StillClock(), Found(pod_name="a\x1b\n\"\u20ac"))  # type: ignore[arg-type]
    sink.start()
    sink.write_all([SYN, event(known=0)])
    sink.finish()
    known, unknown = [json.loads(line) for line in paper.flushed]
    assert list(known)[:3] == ["type", "time", "ts_ns"]
    assert known["time"] == "2023-11-14T22:13:20.123457Z"
    for name, value in (("type", "event"), ("saddr", "10.0.0.1"), ("dport", 80), ("state", "SYN_SENT"),
                        ("reason", "syn"), ("seq", 4294967295), ("err", 0)):
        assert known[name] == value
    assert unknown["netns"] is None and unknown["reason"] is None and unknown["segs"] is None
    assert known["pod_name"] == "a\x1b\n\"\u20ac" and known["pod_uid"] is None
    assert set(known) == set(unknown) == {"type", "time"} | {
        field.name for field in Event.FIELDS + Workload.FIELDS if field.public}
    assert all(line.isascii() if hasattr(line, "isascii") else True for line in paper.flushed)


def test_lines_follow_a_clock_that_steps(
    stub: Callable[..., str], use_library: Callable[[str], None], monkeypatch: Any,
) -> None:
    """Forwards or backwards: the next batch has the new time, and `ts_ns` knows nothing of it."""
    use_library(stub())
    paper, clock = Paper(), 100.5
    sink = NdjsonSink(paper, WallClock(), Found())  # type: ignore[arg-type]
    monkeypatch.setattr(time, "clock_gettime", lambda number: clock)
    for now in (1700000000.5, 1700003600.5, 1600000000.5):
        monkeypatch.setattr(time, "time", lambda: now)
        sink.write_packed(event(ts_ns=100 * 10**9) + event(ts_ns=100 * 10**9 + 1500))
    records = [json.loads(line) for line in paper.flushed]
    assert [record["time"] for record in records] == [
        "2023-11-14T22:13:20.000000Z", "2023-11-14T22:13:20.000002Z", "2023-11-14T23:13:20.000000Z",
        "2023-11-14T23:13:20.000002Z", "2020-09-13T12:26:40.000000Z", "2020-09-13T12:26:40.000002Z"]
    assert {record["ts_ns"] for record in records} == {100 * 10**9, 100 * 10**9 + 1500}


def counted(sink: Any, paper: Paper) -> List[str]:
    sink.start()
    sink.write_all([SYN, PROBE, PROBE])
    before = list(paper.flushed)
    sink.finish()
    return paper.flushed[len(before):]


def test_counts_as_text() -> None:
    paper = Paper()
    assert counted(TextFlowCounts(paper), paper) == [
        "\nLADDR:LPORT               RADDR:RPORT               RETRANSMITS       SEGS",
        "10.0.0.1:40000        <-> 10.0.0.2:80                         1          1",
        "10.0.0.1:1            <-> 10.0.0.2:2                          2          4",
    ]


def test_counts_as_ndjson() -> None:
    paper = Paper()
    rows = [json.loads(line) for line in counted(NdjsonFlowCounts(paper), paper)]
    assert rows[-1] == {"type": "flow", "local": "10.0.0.1:1", "remote": "10.0.0.2:2",
                        "retransmits": 2, "segs": 4}
    assert len(rows) == 2


def test_counts_are_bounded(monkeypatch: Any) -> None:
    monkeypatch.setattr("retrans_ctypes.sinks.count.MOST", 3)
    paper = Paper()
    sink = NdjsonFlowCounts(paper)
    flood = [Event(event(sport=1 + number % 10, segs=2)) for number in range(100)]
    sink.write_all(flood)
    rows = {row.local: (row.retransmits, row.segs) for row in sink.rows()}
    assert len(rows) == 4 and rows["*:*"] == (70, 140) and sum(events for events, _ in rows.values()) == 100


def test_text_is_flushed_by_batch(tmp_path: Any) -> None:
    """Nothing stays behind in a buffer, whatever stdout is."""
    with open(str(tmp_path / "out"), "w+b") as file:
        sink = TextSink(Output(file.fileno(), "out"), bcc_columns(), StillClock(), Found())  # type: ignore[arg-type]
        sink.start()
        sink.write_all([SYN])
        with open(file.name, "rb") as other:
            assert other.read().count(b"\n") == 3
