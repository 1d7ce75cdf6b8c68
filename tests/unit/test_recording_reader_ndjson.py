"""Reading NDJSON recordings: sessions, times to the microsecond, cut and damaged lines."""
import json
import os
import random
import threading
from typing import Any, List

import pytest
from fake_library import event
from made_up_recording import LEDGER, OFFSET, Recorded, event_line, names, ndjson, session_lines
from retrans_ctypes.clock import WallClock
from retrans_ctypes.errors import RecordingError
from retrans_ctypes.recording import open_recording
from retrans_ctypes.recording.session import Run

KNOWN = (1 << 14) - 1
NGINX, REDIS = names(unit="nginx.service"), names(unit="redis.service", netns_pid=7)
MADE = [Recorded(event(known=KNOWN, ts_ns=1000 * number, sport=number), NGINX if number % 3 else REDIS)
        for number in range(1, 50)]


def told(path: str, **choice: Any) -> List[Run]:
    with open_recording(path) as recording:
        return list(recording.runs(**choice))


def packed(runs: List[Run]) -> bytes:
    return b"".join(run.packed for run in runs)


def test_two_sessions(tmp_path: Any) -> None:
    path = ndjson(tmp_path / "r.ndjson", session_lines(MADE[:20]) + session_lines(MADE[20:], host="web2", filter="-4"))
    with open_recording(path) as recording:
        before = recording.sessions
        runs = list(recording.runs())
        assert recording.sessions == before and (recording.done, recording.events, recording.remarks) == (1.0, None, [])
    assert [(one.number, one.host, one.filter, one.ledger, one.ended_ns) for one in before] == [
        (1, "web1", None, LEDGER, OFFSET + 10**9), (2, "web2", "-4", LEDGER, OFFSET + 10**9)]
    assert before[0].stats and before[0].stats["segs"] == 7
    assert packed(runs) == b"".join(one.event for one in MADE)
    assert [run.session.number for run in runs] == sorted(run.session.number for run in runs)
    assert [workload for run in runs for _, workload in run.enriched()] == [one.workload for one in MADE]


def test_plain_output_of_trace(tmp_path: Any) -> None:
    path = ndjson(tmp_path / "r.ndjson", [event_line(one) for one in MADE] + [json.dumps(LEDGER)])
    with open_recording(path) as recording:
        one, = recording.sessions
    assert (one.host, one.stats, one.ledger) == (None, None, LEDGER)
    assert (one.started_ns, one.ended_ns) == (OFFSET // 1000 * 1000 + 1000, OFFSET // 1000 * 1000 + 49000)
    assert packed(told(path)) == b"".join(one.event for one in MADE)
    with open_recording(ndjson(tmp_path / "none.ndjson", [json.dumps(LEDGER)])) as recording:
        assert [one.ledger for one in recording.sessions] == [LEDGER] and not list(recording.runs())
    with open_recording(ndjson(tmp_path / "killed.ndjson", [event_line(MADE[0])])) as recording:
        assert [(one.ledger, one.ended_ns) for one in recording.sessions] == [(None, None)]


def test_each_event_has_its_own_time_again(tmp_path: Any) -> None:
    """Times are rounded in the file; some offset gives each of a run the same text."""
    chance = random.Random(1)
    made, offset_ns, ts_ns = [], OFFSET, 10**12
    for _ in range(3000):
        ts_ns += chance.choice((1, 499, 500, 10**6, chance.randrange(10**9))) - (10**9 if not chance.randrange(50) else 0)
        offset_ns += chance.choice((0,) * 30 + (-10**9, 1, 700, chance.randrange(-1000, 1000)))
        made.append(Recorded(event(known=0, ts_ns=ts_ns), offset_ns=offset_ns))
    runs = told(ndjson(tmp_path / "r.ndjson", map(event_line, made)))
    times = [WallClock(offset_ns=run.offset_ns).iso(one.ts_ns) for run in runs for one, _ in run.enriched()]
    assert times == [WallClock(offset_ns=one.offset_ns).iso(one.event.ts_ns) for one in made]
    assert len(runs) < 500


@pytest.mark.parametrize("time, fits", [
    ("2262-04-11T23:47:16.854775Z", True), ("2262-04-11T23:47:16.854776Z", True), ("2262-04-11T23:47:16.854777Z", False),
    ("1677-09-21T00:12:43.145224Z", True), ("1677-09-21T00:12:43.145223Z", False)])
def test_the_last_moment_that_64_bits_hold(tmp_path: Any, time: str, fits: bool) -> None:
    """Lines have microseconds, so it is written rounded."""
    line = dict(json.loads(event_line(MADE[0])), time=time, ts_ns=(1 << 62) if time > "2" else 0)
    path = ndjson(tmp_path / "r.ndjson", [json.dumps(line)])
    if fits:
        assert len(told(path)) == 1
    else:
        with pytest.raises(RecordingError, match="its 'time' cannot be"):
            told(path)


def test_a_span_of_time(tmp_path: Any) -> None:
    path = ndjson(tmp_path / "r.ndjson", session_lines(MADE))
    start = OFFSET // 1000 * 1000
    runs = told(path, since_ns=start + 10000, until_ns=start + 13000)
    assert [one.sport for run in runs for one, _ in run.enriched()] == [10, 11, 12]


def test_a_cut_last_line_is_left_out_and_told(tmp_path: Any) -> None:
    lines = session_lines(MADE)[:-2]
    whole = ("\n".join(lines) + "\n").encode()
    for cut in (1, 2, 5, 700, len(lines[-1])):
        path = tmp_path / "r.ndjson"
        path.write_bytes(whole[:-cut])
        with open_recording(str(path)) as recording:
            runs = list(recording.runs())
            assert recording.sessions[0].ended_ns is None
            assert packed(runs) == b"".join(one.event for one in (MADE if cut < 2 else MADE[:-1]))
            assert [remark for remark in recording.remarks if "is cut" in remark and "killed" in remark] == (
                recording.remarks if cut > 1 else [])
            assert len(recording.remarks) == (cut > 1)


WRONG = [
    '{"type":"event"', "[]", "7", "null", '{"type":5}', "{}", "\x00" * 9, "x" * (1 << 20), '{"type":"end"}',
    '{"type":"event","time":"2023-11-14T22:13:20.000001Z"}', event_line(MADE[0]).replace('"sport":1', '"sport":"1"'),
    event_line(MADE[0]).replace('"time":"', '"time":"x'), event_line(MADE[0]) + "}",
    event_line(MADE[0]).replace('"nginx.service"', "[1]"), event_line(MADE[0]).replace('"nginx.service"', "5"),
    '{"type":"session","host":5}', '{"type":"session","missing":{}}', "[" * 100000, '{"type":"event","ts_ns":1e999}',
    event_line(MADE[0]).replace('"kind":"skb"', '"kind":1e999'),
    event_line(MADE[0]).replace('"netns_pid":null', '"netns_pid":1%s' % ("0" * 30)),
    event_line(MADE[0]).replace('"time":"2023', '"time":"9999'), event_line(MADE[0]).replace('"time":"2023', '"time":"0001'),
    '{"type":"session","started_ns":9223372036854775808}']


@pytest.mark.parametrize("line", WRONG, ids=range(len(WRONG)))
def test_a_damaged_line_has_a_number(tmp_path: Any, line: str) -> None:
    first = [json.dumps(LEDGER), event_line(MADE[0])] if '"end"' not in line else [json.dumps(LEDGER)]
    path = ndjson(tmp_path / "r.ndjson", first + [line, event_line(MADE[1])])
    with pytest.raises(RecordingError, match="^line %d of .* is damaged" % (len(first) + 1)) as caught:
        told(path)
    assert len(str(caught.value)) < 300 + len(path)


def test_half_characters_are_escaped(tmp_path: Any) -> None:
    """JSON can write them, and no output takes them."""
    lines = [line.replace("nginx.service", "\\ud800") for line in session_lines(MADE, host="\ud801")]
    with open_recording(ndjson(tmp_path / "r.ndjson", lines)) as recording:
        assert "\\ud800" in {run.workload.unit for run in recording.runs()}
        assert recording.sessions[0].host == "\\ud801"


@pytest.mark.parametrize("text", [
    b"\n", b"hello\n", b"{}\n", b'{"type":"flow","local":"10.0.0.1:80"}\n', b"\0" * 5000, b"\x7fELF", b"[1]\n", b'{"type":"ev'])
def test_what_is_no_recording(tmp_path: Any, text: bytes) -> None:
    path = tmp_path / "r"
    path.write_bytes(text)
    with pytest.raises(RecordingError, match="no recording"):
        open_recording(str(path))


def test_lines_of_types_from_the_future_and_other_spacing(tmp_path: Any) -> None:
    line = json.dumps(dict(json.loads(event_line(MADE[0])), later={"a": 1}))
    path = ndjson(tmp_path / "r.ndjson", [line, '{"type":"remark"}', line])
    with open_recording(path) as recording:
        assert packed(list(recording.runs())) == MADE[0].event * 2
        assert len(recording.sessions) == 1


def test_through_a_pipe(tmp_path: Any) -> None:
    path = str(tmp_path / "pipe")
    os.mkfifo(path)
    text = ("\n".join(session_lines(MADE)) + "\n").encode()

    def write() -> None:
        with open(path, "wb") as file:
            file.write(text)
    thread = threading.Thread(target=write)
    thread.start()
    with open_recording(path) as recording:
        assert recording.done is None and recording.sessions == []
        assert packed(list(recording.runs())) == b"".join(one.event for one in MADE)
        assert recording.sessions[0].ledger == LEDGER
    thread.join()


def test_twice_the_same(tmp_path: Any) -> None:
    with open_recording(ndjson(tmp_path / "r.ndjson", session_lines(MADE))) as recording:
        assert list(recording.runs()) == list(recording.runs())


def test_another_file_of_that_name(tmp_path: Any) -> None:
    """As a rotation leaves it: what is open is read, and its sessions are told."""
    path = ndjson(tmp_path / "r.ndjson", session_lines(MADE[:20], host="web1"))
    with open_recording(path) as recording:
        runs = recording.runs()
        first = next(runs)
        os.rename(path, path + ".1")
        with open(path + ".1", "a") as file:
            file.write("\n".join(session_lines(MADE[20:], host="web2")) + "\n")
        ndjson(tmp_path / "r.ndjson", session_lines(MADE, host="other"))
        assert [one.host for one in recording.sessions] == ["web1", "web2"]
        assert packed([first, *runs]) == b"".join(one.event for one in MADE)


@pytest.mark.parametrize("name", ["stats", "ledger"])
def test_deep_values(tmp_path: Any, name: str) -> None:
    """Some that json reads it does not write again."""
    for depth in (100, 900, 950, 980, 990, 995, 1000, 100000):
        deep = '{"a":' * depth + "1" + "}" * depth
        lines = session_lines(MADE[:2])
        end = next(number for number, line in enumerate(lines) if '"end"' in line)
        lines[end] = '{"type":"end","ended_ns":1,"stats":%s}' % deep if name == "stats" else lines[end]
        if name == "ledger":
            lines.append('{"type":"ledger","a":%s}' % deep)
        path = ndjson(tmp_path / "r.ndjson", lines)
        try:
            with open_recording(path) as recording:
                assert recording.sessions
                list(recording.runs())
        except RecordingError as error:
            assert "\n" not in str(error)
