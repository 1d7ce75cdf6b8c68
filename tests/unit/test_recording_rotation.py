"""Files that follow each other, and the sink that goes from one to the next."""
import os
import time
from typing import Any, Dict, List, Optional

import pytest
from fake_library import event
from recording_parts import LEDGER, STATS, Host, flows, select, session
from retrans_ctypes.errors import OutputError, RecordingError
from retrans_ctypes.event import Event
from retrans_ctypes.recording.database import DatabaseWriter
from retrans_ctypes.recording.rotation import Keep, Series
from retrans_ctypes.recording.writer import Writer
from retrans_ctypes.sinks import recording
from retrans_ctypes.sinks.recording import Limits, RecordingSink

FIRST = "retrans-20231114-221320Z.db"


@pytest.fixture
def folder(tmp_path: Any, monkeypatch: Any) -> Any:
    """The current folder; the time stands still."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(time, "gmtime", lambda: time.struct_time((2023, 11, 14, 22, 13, 20, 1, 318, 0)))
    return tmp_path


def record(path: str, age: float = 0) -> str:
    writer = DatabaseWriter(path, session(), Host().workload)
    writer.end(STATS, LEDGER)
    os.utime(path, (time.time() - age,) * 2)
    return path


def test_names(folder: Any) -> None:
    series = Series("retrans.db", Keep())
    made = [record(series.next()) for _ in range(3)]
    assert made == [FIRST, "retrans-20231114-221320Z-2.db", "retrans-20231114-221320Z-3.db"]
    (folder / "b.c").mkdir()
    assert Series("b.c/x", Keep()).next() == "b.c/x-20231114-221320Z"
    assert Series("%d*.ndjson", Keep()).next() == "%d*-20231114-221320Z.ndjson"


def test_two_series_of_the_same_second(folder: Any, monkeypatch: Any) -> None:
    """Each has looked before the other made its file."""
    monkeypatch.setattr(Series, "_files", lambda self: iter(()))
    one, other = Series("retrans.db", Keep()), Series("retrans.db", Keep())
    made = [one.next(), other.next(), one.next(), other.next()]
    assert made == [FIRST] + ["retrans-20231114-221320Z-%d.db" % number for number in (2, 3, 4)]
    assert [os.path.getsize(path) for path in made] == [0] * 4


def test_a_folder_that_is_not_there(folder: Any) -> None:
    with pytest.raises(OutputError, match=r"gone/retrans-20231114-221320Z\.db cannot be written \(No such file or dir"):
        Series("gone/retrans.db", Keep()).next()


def test_the_newest_are_kept(folder: Any) -> None:
    series = Series("retrans.db", Keep(files=3))
    made = [record(series.next()) for _ in range(12)]  # by name alone, the tenth comes before the second
    assert series.remove_old(made[-1]) == made[:-3]
    assert sorted(os.listdir()) == sorted(made[-3:])


def test_the_young_are_kept(folder: Any) -> None:
    series = Series("retrans.db", Keep(seconds=60))
    made = [record(series.next(), age) for age in (100, 90, 50, 70, 0)]
    assert series.remove_old(made[-1]) == [made[0], made[1], made[3]]
    assert Series("retrans.db", Keep()).remove_old(made[-1]) == []


def test_what_is_not_ours_stays(folder: Any) -> None:
    """Other names, no recordings, links, folders, and what somebody writes."""
    day = "retrans-20231113-2213%02dZ%s"
    others = ["retrans.db", "retrans-1.db", "my-" + FIRST, FIRST + ".bak", "retrans-20231113-221320.db", day % (1, ".ndjson")]
    for name in others:
        record(name)
    (folder / (day % (2, ".db"))).write_text("my thesis")
    (folder / (day % (3, ".db"))).write_bytes(b"")
    (folder / (day % (4, ".db"))).mkdir()
    os.mkfifo(str(folder / (day % (5, ".db"))))
    (folder / (day % (6, ".db"))).symlink_to(folder / "retrans.db")
    busy = DatabaseWriter(day % (7, ".db"), session(), Host().workload)
    ours = record(day % (8, ".db"))
    before = set(os.listdir())
    assert Series("retrans.db", Keep(files=1)).remove_old(FIRST) == [ours]
    assert set(os.listdir()) == before - {ours}
    busy.end(STATS, LEDGER)


def test_what_a_killed_recorder_left_goes_too(folder: Any) -> None:
    series = Series("retrans.db", Keep(files=1))
    first = record(series.next())
    for end in ("-wal", "-shm"):
        (folder / (first + end)).write_bytes(b"x")
    last = record(series.next())
    assert series.remove_old(last) == [first] and os.listdir() == [last]


def test_lines_are_recognised(folder: Any) -> None:
    series = Series("retrans.ndjson", Keep(files=1))
    first = series.next()
    (folder / first).write_text('{"type":"session","host":"x"}\n{"type":"event"')
    assert series.remove_old(series.next()) == [first]


class FakeBooks:
    """Counts how often it was asked and turned."""

    def __init__(self) -> None:
        self.turns = self.ledgers = 0

    def stats(self) -> Dict[str, Any]:
        return {"turn": self.turns}

    def ledger(self) -> Dict[str, Any]:
        self.ledgers += 1
        return {"type": "ledger", "turn": self.turns}

    def turn(self) -> None:
        self.turns += 1


class Memory(Writer):
    """Remembers what it was told; an event has 500 bytes."""

    def __init__(self) -> None:
        self.calls: List[Any] = []
        self.offsets: List[int] = []

    def write(self, batch: Any, offset_ns: int) -> None:
        self.calls.append(len(batch) // Event.LAYOUT.size)
        self.offsets.append(offset_ns)
        self.events += len(batch) // Event.LAYOUT.size

    def size(self) -> int:
        return self.events * 500

    def keep(self, stats: Dict[str, Any], ledger: Optional[Dict[str, Any]]) -> None:
        self.calls.append("keep" if ledger is None else "ledger")

    def end(self, stats: Dict[str, Any], ledger: Optional[Dict[str, Any]]) -> None:
        self.calls.append(("end", stats["turn"]))

    def close(self) -> None:
        self.calls.append("close")


class Stage:
    """A sink, its files, and a clock that goes when it is told to."""

    def __init__(self, limits: Limits, monkeypatch: Any) -> None:
        self.now = 1000.0
        monkeypatch.setattr(recording.time, "monotonic", lambda: self.now)
        self.files: List[Memory] = []
        self.stopped = self.told = 0
        self.books = FakeBooks()
        self.sink = RecordingSink(self.begin, self.books, limits, self.stop, self.tell)

    def begin(self) -> Writer:
        self.files.append(Memory())
        return self.files[-1]

    def stop(self) -> None:
        self.stopped += 1

    def tell(self, sink: RecordingSink) -> None:
        self.told += 1

    def at(self, seconds: float) -> RecordingSink:
        self.now = 1000 + seconds
        return self.sink


def test_a_commit_comes_each_half_second_when_quiet_too(monkeypatch: Any) -> None:
    stage = Stage(Limits(), monkeypatch)
    stage.at(0.1).write_packed(flows(3))
    stage.at(0.3).flush()
    assert stage.files[0].calls == [3]
    for tick in range(1, 301):
        stage.at(tick / 2).flush()
    keeps = ["keep" if tick % 120 else "ledger" for tick in range(1, 301)]
    assert stage.files[0].calls == [3] + keeps and stage.told == 300
    stage.sink.finish()
    stage.sink.end()
    assert stage.files[0].calls[-2:] == ["keep", ("end", 0)]


def test_no_ledger_is_made_in_a_storm(monkeypatch: Any) -> None:
    """It takes so long that the kernel's buffer might run over meanwhile."""
    stage = Stage(Limits(), monkeypatch)
    for second in range(100):
        stage.at(second).write_packed(flows(1001))
    assert "ledger" not in stage.files[0].calls and stage.files[0].calls.count("keep") == 99
    stage.at(100).write_packed(flows(1000))
    assert stage.files[0].calls[-1] == "ledger"


def test_the_size_ends_it(monkeypatch: Any) -> None:
    """What is still in the kernel's buffer then is counted and left out."""
    stage = Stage(Limits(bytes=1000000), monkeypatch)
    for _ in range(3):
        stage.sink.write_packed(flows(1500))
    assert (stage.stopped, stage.sink.full, stage.sink.events, stage.sink.dropped) == (1, True, 2524, 1976)
    assert len(stage.files) == 1


def test_a_file_that_has_its_size_already(monkeypatch: Any) -> None:
    """That is known before the first event comes, on a quiet host too."""
    stage = Stage(Limits(bytes=1000), monkeypatch)
    stage.files[0].events = 2
    stage.sink.start()
    assert stage.stopped == 1 and stage.sink.full
    stage = Stage(Limits(bytes=1000), monkeypatch)
    stage.sink.start()
    assert not stage.stopped and not stage.sink.full


def test_the_size_begins_the_next(monkeypatch: Any) -> None:
    stage = Stage(Limits(bytes=1000000, rotate=True), monkeypatch)
    stage.sink.write_packed(flows(5000))
    stage.sink.write(event())
    stage.sink.end()
    assert [file.events for file in stage.files] == [2048, 2048, 905] and stage.sink.events == 5001
    assert [file.calls[-1] for file in stage.files] == [("end", 0), ("end", 1), ("end", 2)]
    assert not stage.stopped and not stage.sink.full and stage.books.turns == 2


def test_the_age_begins_the_next(monkeypatch: Any) -> None:
    stage = Stage(Limits(seconds=60, rotate=True), monkeypatch)
    for second in range(200):
        stage.at(second).write_packed(flows(1))
    assert [file.events for file in stage.files] == [61, 60, 60, 19]


def test_the_offset_of_the_clocks_is_that_of_a_clock_that_was_set(monkeypatch: Any) -> None:
    """Not what each look at them differs by."""
    stage = Stage(Limits(), monkeypatch)
    first = stage.sink._offset_ns
    for offset in (first + 900000, first - 900000, first + 2000000, first + 2900000, first - 10**12):
        monkeypatch.setattr(stage.sink._clock, "sample", lambda: setattr(stage.sink._clock, "offset_ns", offset))
        stage.sink.write_packed(flows(1))
    assert stage.files[0].offsets == [first, first, first + 2000000, first + 2000000, first - 10**12]


def test_an_error_closes_the_file(monkeypatch: Any) -> None:
    stage = Stage(Limits(), monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        with stage.sink:
            raise KeyboardInterrupt
    assert stage.files[0].calls == ["close"]


def test_databases_follow_each_other(folder: Any) -> None:
    series = Series("retrans.db", Keep(files=2))
    paths: List[str] = []

    def begin() -> Writer:
        paths.append(series.next())
        writer = DatabaseWriter(paths[-1], session(), Host().workload, 256 << 10)
        series.remove_old(paths[-1])
        return writer
    with RecordingSink(begin, FakeBooks(), Limits(bytes=256 << 10, rotate=True), lambda: None) as sink:
        sink.write_packed(flows(20000))
        with pytest.raises(RecordingError):
            DatabaseWriter(paths[-1], session(), Host().workload)
        sink.end()
    assert len(paths) > 10 and sorted(os.listdir()) == sorted(paths[-2:])
    found = [select(path, "SELECT count(*), min(time_ns) FROM event")[0] for path in paths[-2:]]
    assert found[0][0] >= 500 and found[0][1] < found[1][1]
    assert all(os.path.getsize(path) < 1 << 20 for path in paths[-2:])
