"""What the sinks write, character by character."""
import errno
import json
import socket
import time
from typing import Any, List

import pytest
from fake_library import event
from retrans_ctypes.clock import WallClock
from retrans_ctypes.event import Event
from retrans_ctypes.sinks.count import NdjsonFlowCounts, TextFlowCounts
from retrans_ctypes.sinks.ndjson import NdjsonSink
from retrans_ctypes.sinks.output import Output
from retrans_ctypes.sinks.text import TextSink, bcc_columns


class Paper(Output):
    """An output that keeps what was written; `flushed` has what a reader could see by now."""

    def __init__(self) -> None:
        super().__init__()
        self.flushed: List[str] = []

    def flush(self) -> None:
        self.flushed += self._lines
        self._lines.clear()


class StillClock(WallClock):
    def sample(self) -> None:
        self._offset = 1700000000.0


SYN = event(ts_ns=123456789, saddr=bytes([10, 0, 0, 1]), daddr=bytes([10, 0, 0, 2]), sport=40000, dport=80,
            state=2, reason=4, seq=4294967295, segs=1)
PROBE = event(saddr=bytes([10, 0, 0, 1]), daddr=bytes([10, 0, 0, 2]), sport=1, dport=2, reason=3, segs=2)
SIX = event(family=6, saddr=socket.inet_pton(socket.AF_INET6, "2001:db8:1111:2222:3333:4444:5555:6666"),
            daddr=socket.inet_pton(socket.AF_INET6, "::1"), sport=65535, dport=443)


@pytest.fixture(autouse=True)
def utc(monkeypatch: Any) -> Any:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def text_of(*events: Event, **options: bool) -> List[str]:
    paper = Paper()
    sink = TextSink(paper, bcc_columns(**options), StillClock())
    sink.start()
    sink.write_all(events)
    assert all(line == line.rstrip() for line in paper.flushed)
    return paper.flushed


def test_text_is_what_bcc_users_know() -> None:
    assert text_of(SYN, SIX) == [
        "Tracing retransmits ... Hit Ctrl-C to end",
        "TIME     PID     IP LADDR:LPORT          T> RADDR:RPORT          STATE",
        "22:13:20 -       4  10.0.0.1:40000       R> 10.0.0.2:80          SYN_SENT",
        "22:13:20 -       6  [2001:db8:1111:2222:3333:4444:5555:6666]:65535 R> [::1]:443            ESTABLISHED",
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


@pytest.mark.parametrize("probes", [False, True])
def test_failed_attempts_are_marked_and_named(probes: bool) -> None:
    failed = event(err=-errno.EHOSTUNREACH, reason=3)
    line = text_of(failed, probes=probes)[2]
    assert " !> " in line and line.endswith("ESTABLISHED (not sent: EHOSTUNREACH)")
    assert text_of(event(err=-4000))[2].endswith("(not sent: -4000)")
    assert text_of(event(err=1))[2].endswith("(not sent: dropped by the local queue)")


def test_ndjson() -> None:
    paper = Paper()
    sink = NdjsonSink(paper, StillClock())
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
    assert set(known) == set(unknown) == {"type", "time"} | {field.name for field in Event.FIELDS if field.public}
    assert all(line.isascii() if hasattr(line, "isascii") else True for line in paper.flushed)


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


def test_clock_is_right_and_follows_a_step(monkeypatch: Any) -> None:
    clock = WallClock()
    now_ns = int(time.clock_gettime(time.CLOCK_MONOTONIC) * 1e9)
    assert abs(clock.seconds(now_ns) - time.time()) < 0.05
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 3600)
    clock.sample()
    assert abs(clock.seconds(now_ns) - real() - 3600) < 0.05


@pytest.mark.parametrize("ts_ns, text", [(0, "2023-11-14T22:13:20.000000Z"), (999999999, "2023-11-14T22:13:21.000000Z")])
def test_time_rounds_without_overflow(ts_ns: int, text: str) -> None:
    assert StillClock().iso(ts_ns) == text


def test_text_is_flushed_by_batch(tmp_path: Any) -> None:
    """Nothing stays behind in a buffer, whatever stdout is."""
    with open(str(tmp_path / "out"), "w+b") as file:
        sink = TextSink(Output(file.fileno(), "out"), bcc_columns(), StillClock())
        sink.start()
        sink.write_all([SYN])
        with open(file.name, "rb") as other:
            assert other.read().count(b"\n") == 3
