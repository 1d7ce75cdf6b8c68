"""A recording as NDJSON: what is before and behind the events, and what it is appended to."""
import json
import os
import stat
from typing import Any, Callable, Dict, List

import pytest
from recording_parts import LEDGER, NOW, STATS, Host, flows, names, session
from retrans_ctypes.errors import OutputError, RecordingError
from retrans_ctypes.event import Event
from retrans_ctypes.recording.lines import FileLinesWriter, LinesWriter
from retrans_ctypes.sinks.output import Output


@pytest.fixture(autouse=True)
def library(stub: Callable[..., str], use_library: Callable[[str], None]) -> None:
    use_library(stub())


@pytest.fixture
def path(tmp_path: Any) -> Any:
    return tmp_path / "retrans.ndjson"


def open_one(path: Any, **values: Any) -> FileLinesWriter:
    return FileLinesWriter(str(path), session(**values), Host({7: names(unit="nginx.service")}).workload,
                           lambda descriptor, name: Output(descriptor, name).write)


def records(path: Any) -> List[Dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_lines(path: Any) -> None:
    writer = open_one(path)
    writer.write(flows(3), NOW)
    assert [one["type"] for one in records(path)] == ["session"] + ["event"] * 3, "nothing waits"
    writer.keep(STATS, LEDGER)
    assert writer.size() == os.path.getsize(str(path)) and writer.events == 3
    writer.end(STATS, LEDGER)
    begin, *events, end, ledger = records(path)
    assert begin.pop("started_ns") > NOW
    assert begin == {
        "type": "session", "host": "web\u00e4", "kernel": "6.1.0 x86_64", "boot_id": "b", "version": "0.1.0",
        "attach": "tp_btf", "buffer": "ring", "missing": ["stall_us", "segs"], "filter": "--port 443", "ended_ns": None}
    assert [one["ts_ns"] for one in events] == [one.ts_ns for one in Event.read(flows(3))]
    assert {one["unit"] for one in events} == {"nginx.service"}
    assert end.pop("ended_ns") > NOW and end == {"type": "end", "stats": STATS}
    assert ledger == LEDGER
    assert stat.S_IMODE(os.stat(str(path)).st_mode) & 0o077 == 0


def test_standard_output() -> None:
    written: List[bytes] = []
    writer = LinesWriter("-", session(), Host().workload, lambda data: written.append(bytes(data)))
    writer.write(flows(2), NOW)
    writer.end(STATS, LEDGER)
    lines = b"".join(written).splitlines()
    assert [json.loads(line)["type"] for line in lines] == ["session", "event", "event", "end", "ledger"]
    assert writer.size() == sum(map(len, written))


def test_a_second_session_and_a_line_that_was_never_finished(path: Any) -> None:
    writer = open_one(path)
    writer.write(flows(2), NOW)
    writer.close()
    with open(str(path), "ab") as file:
        file.write(b'{"type":"event","ti')
    second = open_one(path)
    second.end(STATS, LEDGER)
    assert [one["type"] for one in records(path)] == ["session", "event", "event", "session", "end", "ledger"]


def test_it_is_appended_to_what_trace_wrote(path: Any) -> None:
    path.write_text('{"type":"event","ts_ns":1}\n')
    open_one(path).end(STATS, LEDGER)
    assert [one["type"] for one in records(path)] == ["event", "session", "end", "ledger"]


@pytest.mark.parametrize("content", [
    b"my thesis\n", b"{}\n", b"[]\n", b'{"type":"count"}\n', b'{"type":"session"', b"\xff\n", b"SQLite format 3\0", b"1\n",
    b"[" * 100000 + b"\n",
], ids=lambda content: repr(content[:30]))
def test_what_is_not_written_to(path: Any, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(RecordingError, match="is not a recording: name another file") as raised:
        open_one(path)
    assert raised.value.exit_code == 7
    assert path.read_bytes() == content


def test_an_empty_file_is_as_good_as_none(path: Any) -> None:
    path.write_bytes(b"")
    open_one(path).end(STATS, LEDGER)
    assert len(records(path)) == 3


def test_two_writers(path: Any) -> None:
    first = open_one(path)
    with pytest.raises(RecordingError, match="another process is recording into"):
        open_one(path)
    first.end(STATS, LEDGER)
    open_one(path).close()


def test_no_space(path: Any, tmp_path: Any) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        with pytest.raises(OutputError, match="retrans.ndjson could not be written .*: free some space"):
            FileLinesWriter(str(path), session(), Host().workload,
                            lambda descriptor, name: Output(full, os.path.basename(name)).write)
    finally:
        os.close(full)
    open_one(path).end(STATS, LEDGER)  # it was closed
