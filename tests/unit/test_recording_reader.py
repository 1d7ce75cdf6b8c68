"""Reading SQLite recordings: what was recorded, how it is cut into runs, and files that are none."""
import fcntl
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from typing import Any, Callable, Iterator, List

import pytest
from fake_library import event
from lab import interpreters, rights, tried
from made_up_recording import OFFSET, Database, Recorded, database, names, ndjson, session_lines
from places import HERE, REPOSITORY
from retrans_ctypes.errors import RecordingError
from retrans_ctypes.recording import open_recording, sqlite_reader
from retrans_ctypes.recording.session import Run
from retrans_ctypes.workload import UNKNOWN

NGINX, REDIS = names(unit="nginx.service"), names(unit="redis.service", netns_pid=7)


def content(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def told(path: Any, **choice: Any) -> List[Run]:
    with open_recording(str(path)) as recording:
        return list(recording.runs(**choice))


def test_events_come_back_in_runs(tmp_path: Any) -> None:
    made = [Recorded(event(ts_ns=1), NGINX), Recorded(event(ts_ns=5), NGINX), Recorded(event(ts_ns=3), REDIS),
            Recorded(event(ts_ns=4), REDIS, OFFSET + 1), Recorded(event(ts_ns=9))]
    path = database(tmp_path / "r.db", made)
    with open_recording(path) as recording:
        runs = list(recording.runs())
        assert recording.events == 5 and recording.done == 1.0
        assert [one.host for one in recording.sessions] == ["web1"]
    assert [(run.workload, run.offset_ns, len(run.packed) // 256) for run in runs] == [
        (NGINX, OFFSET, 2), (REDIS, OFFSET, 1), (REDIS, OFFSET + 1, 1), (UNKNOWN, OFFSET, 1)]
    assert b"".join(run.packed for run in runs) == b"".join(one.event for one in made)
    assert [record.event.ts_ns for run in runs for record in run.enriched()] == [1, 5, 3, 4, 9]


def test_a_span_of_time(tmp_path: Any) -> None:
    made = [Recorded(event(ts_ns=time)) for time in (10, 30, 20, 40, 50)]
    path = database(tmp_path / "r.db", made)
    for since, until in ((None, None), (20, 40), (None, 20), (30, None), (100, None), (None, -(1 << 70)), (1 << 70, None)):
        runs = told(path, since_ns=None if since is None else OFFSET + since,
                    until_ns=None if until is None else OFFSET + until)
        assert [record.event.ts_ns for run in runs for record in run.enriched()] == [
            one.event.ts_ns for one in made
            if (since is None or one.event.ts_ns >= since) and (until is None or one.event.ts_ns < until)]


def test_more_than_a_page(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_reader, "PAGE", 7)
    made = [Recorded(event(ts_ns=number), NGINX if number % 10 < 5 else REDIS) for number in range(100)]
    path = database(tmp_path / "r.db", made)
    with sqlite3.connect(path) as changed:
        changed.execute("DELETE FROM event WHERE id BETWEEN 20 AND 60")
    changed.close()
    with open_recording(path) as recording:
        shares = []
        times = []
        for run in recording.runs():
            times += [one.ts_ns for one, _ in run.enriched()]
            shares.append(recording.done)
    assert times == list(range(19)) + list(range(60, 100))
    assert shares == sorted(shares) and 0 < shares[0] < 0.1 and shares[-1] == 1.0


def test_while_it_is_written(tmp_path: Any) -> None:
    """Each page is a transaction of its own, so the writer's file does not grow meanwhile; what comes later is
    for the next look."""
    writer = Database(tmp_path / "r.db")
    writer.session(ended_ns=None, ledger=None)
    writer.add(Recorded(event(ts_ns=number), NGINX) for number in range(10))
    with open_recording(writer.path) as recording:
        runs = recording.runs()
        first = next(runs)
        writer.add([Recorded(event(ts_ns=99), REDIS)])
        assert writer.database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall() == [(0, 0, 0)]
        assert len(first.packed) == 2560 and list(runs) == []
        assert not recording.recorder_runs
        again = list(recording.runs())
        assert [run.workload for run in again] == [NGINX, REDIS]
        writer.session(host="web2")
        assert [one.host for one in recording.sessions] == ["web1", "web2"]
        with open(writer.path, "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            assert recording.recorder_runs
    writer.end()


def left_by_a_killed_recorder(folder: Any) -> str:
    """All in the -wal file, but for the tables."""
    path = str(folder / "r.db")
    program = ("import os, sys; sys.path.insert(0, %r); from made_up_recording import *; from fake_library import event\n"
               "writer = Database(%r); writer.database.execute('PRAGMA wal_autocheckpoint = 0')\n"
               "writer.session(ended_ns=None, ledger=None); writer.add([Recorded(event(ts_ns=5), names(user='a'))] * 9)\n"
               "os.kill(os.getpid(), 9)" % (HERE, path))
    assert subprocess.run([sys.executable, "-c", program]).returncode == -9
    assert os.path.getsize(path + "-wal") > 2000
    return path


def test_killed(tmp_path: Any) -> None:
    path = left_by_a_killed_recorder(tmp_path)
    with open_recording(path) as recording:
        one, = recording.sessions
        assert (one.ended_ns, recording.recorder_runs, recording.events) == (None, False, 9)
        assert len(b"".join(run.packed for run in recording.runs())) == 9 * 256


@pytest.fixture
def mounted(tmp_path: Any) -> Iterator[Callable[[List[str]], Any]]:
    """A disk with these files that is read-only."""
    if os.geteuid():
        pytest.skip("mounting takes root")
    place = tmp_path / "disk"
    place.mkdir()

    def mount(files: List[str]) -> Any:
        subprocess.run(["mount", "-t", "tmpfs", "none", str(place)], check=True)
        for file in files:
            shutil.copy(file, str(place))
        subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
        return place
    yield mount
    subprocess.run(["umount", str(place)], check=False)


@pytest.mark.parametrize("files", [["", "-wal", "-shm"], ["", "-wal"]], ids=["all", "without -shm"])
def test_killed_and_on_a_read_only_disk(tmp_path: Any, mounted: Any, files: List[str]) -> None:
    path = left_by_a_killed_recorder(tmp_path)
    disk = mounted([path + end for end in files])
    runs = told(disk / "r.db")
    assert len(b"".join(run.packed for run in runs)) == 9 * 256 and runs[0].workload.user == "a"
    assert sorted(os.listdir(str(disk))) == sorted("r.db" + end for end in files)


def test_of_a_recorder_that_still_had_it_open(tmp_path: Any, mounted: Any) -> None:
    """A database in WAL mode whose -wal file is empty, or was not copied."""
    writer = Database(tmp_path / "r.db")
    writer.session()
    writer.add([Recorded(event())])
    writer.database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    disk = mounted([writer.path])
    assert len(told(disk / "r.db")) == 1
    writer.end()


def test_reading_changes_nothing(tmp_path: Any) -> None:
    path = left_by_a_killed_recorder(tmp_path)
    before = [content(path + end) for end in ("", "-wal")]
    told(path)
    assert [content(path + end) for end in ("", "-wal")] == before


def test_names_that_a_path_may_have(tmp_path: Any) -> None:
    for name in ("a b.db", "100%.db", "q?mode=rw.db", "#.db", "\u00e9.db", os.fsdecode(b"\xff.db"), "file:x.db"):
        assert len(told(database(tmp_path / name, [Recorded(event())]))) == 1


HOSTILE = [
    ("UPDATE event SET packed = zeroblob(255) WHERE id = 3", "row 3 of its events"),
    ("UPDATE event SET packed = zeroblob(257) WHERE id = 3", "row 3 of its events"),
    ("UPDATE event SET packed = 'text' WHERE id = 3", "row 3 of its events"),
    ("UPDATE event SET time_ns = 'soon' WHERE id = 3", "row 3 of its events"),
    ("UPDATE event SET time_ns = 1.5 WHERE id = 3", "row 3 of its events"),
    ("UPDATE event SET session = 'x' WHERE id = 3", "row 3 of its events"),
    ("UPDATE event SET session = 7 WHERE id = 3", "row 3 of its events is of session 7"),
    ("UPDATE event SET names = 'x' WHERE id = 3", "row 3 of its events"),
    ("UPDATE event SET names = 99 WHERE id = 3", "row 99 of its names is not there"),
    ("UPDATE names SET netns_pid = 'x'", "row 1 of its names: its 'netns_pid' cannot be"),
    ("UPDATE names SET cmdline = printf('%.*c', 20000, 'x')", "row 1 of its names: its 'cmdline' has 20000 letters"),
    ("UPDATE names SET cgroup = x'00ff'", "row 1 of its names: its 'cgroup' cannot be"),
    ("UPDATE session SET stats = 'x'", "its session 1"),
    ("UPDATE session SET stats = '[]'", "its session 1: its 'stats' cannot be"),
    ("UPDATE session SET missing = '{'", "its session 1"),
    ("UPDATE session SET ledger = 5", "its session 1"),
    ("UPDATE session SET ledger = '%s'" % ("[" * 100000), "its session 1"),
    ("UPDATE session SET host = x'ff'", "its session 1: its 'host' cannot be"),
    ("UPDATE session SET started_ns = 'x'", "its session 1: its 'started_ns' cannot be"),
    ("UPDATE session SET ledger = '{\"x\": 1e999}'", "its session 1: Out of range float"),
    ("UPDATE event SET packed = x'ffffffffffffffff' || substr(packed, 9)", "row 1 of its events"),
    ("UPDATE event SET packed = CAST(x'ffffffffffffffff' || substr(packed, 9) AS BLOB)", "row 1 of its events is of a time"),
    ("CREATE TABLE s AS SELECT * FROM session; UPDATE s SET id = NULL; DROP TABLE session; ALTER TABLE s RENAME TO session",
     "a session of it has no number"),
    ("CREATE TABLE e AS SELECT * FROM event; UPDATE e SET id = 'x'; DROP TABLE event; ALTER TABLE e RENAME TO event",
     "the rows of its events have no numbers"),
    ("CREATE TABLE e AS SELECT * FROM event; UPDATE e SET id = 2.5 WHERE id = 3; DROP TABLE event;"
     " ALTER TABLE e RENAME TO event", "row 2.5 of its events"),
    ("CREATE TABLE e AS SELECT * FROM event; UPDATE e SET id = 4 WHERE id = 3; DROP TABLE event;"
     " ALTER TABLE e RENAME TO event", "are not in order"),
    ("DROP TABLE names", "its table 'names'"),
    ("ALTER TABLE event RENAME TO other", "its table 'event'"),
    ("ALTER TABLE event RENAME TO other; CREATE VIEW event AS SELECT * FROM other", "its table 'event'"),
    ("ALTER TABLE event RENAME TO other; CREATE VIEW endless AS WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id"
     " FROM n) SELECT id, 1 AS session, 1 AS time_ns, 1 AS names, x'' AS packed FROM n; CREATE VIRTUAL TABLE event USING"
     " fts5(id, session, time_ns, names, packed, content='endless')", "its table 'event'"),
    ("PRAGMA user_version = 0", "no version of its schema"),
    ("PRAGMA user_version = 2", "newer release"),
    ("PRAGMA application_id = 5", "but no recording"),
]


@pytest.mark.reliability
@pytest.mark.parametrize("change, told_of", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_values(tmp_path: Any, change: str, told_of: str) -> None:
    path = database(tmp_path / "r.db", [Recorded(event(ts_ns=number), NGINX) for number in range(5)])
    with sqlite3.connect(path) as changed:
        changed.executescript("PRAGMA foreign_keys = OFF; " + change)
    changed.close()
    with pytest.raises(RecordingError) as caught:
        told(path)
    sentence = str(caught.value)
    assert told_of in sentence and "\n" not in sentence and len(sentence) < 350 + len(path)
    tried.count("security", "recording with hostile values", "one sentence")


def test_rows_out_of_order_do_not_begin_again_and_again(tmp_path: Any, monkeypatch: Any) -> None:
    """As a damaged page has them: SQLite gives them as they lie there, and stops behind the last."""
    path = database(tmp_path / "r.db", [Recorded(event(ts_ns=number)) for number in range(5)])
    with open_recording(path) as recording:
        ask, given = recording._ask, iter(range(100))  # type: ignore[attr-defined]

        def shuffled(query: str, *values: Any) -> Any:
            rows = ask(query, *values)
            if "packed FROM event" in query:
                assert next(given) < 9, "it asks again and again"
                rows = [rows[0], rows[-1], *rows[1:-2]]
            return rows
        monkeypatch.setattr(recording, "_ask", shuffled)
        with pytest.raises(RecordingError, match="not in order"):
            list(recording.runs())


@pytest.mark.reliability
def test_text_that_is_no_utf8_is_escaped(tmp_path: Any) -> None:
    path = database(tmp_path / "r.db", [Recorded(event(), NGINX)])
    with sqlite3.connect(path) as changed:
        changed.execute("UPDATE names SET unit = CAST(x'61ff' AS TEXT)")
    changed.close()
    assert told(path)[0].workload.unit == "a\\xff"
    tried.count("security", "recording with text that is no UTF-8", "escaped")


@pytest.mark.parametrize("share", [0.05, 0.3, 0.6, 0.9, 0.99])
def test_truncated(tmp_path: Any, share: float) -> None:
    path = database(tmp_path / "r.db", [Recorded(event(ts_ns=number), NGINX) for number in range(2000)])
    os.truncate(path, int(os.path.getsize(path) * share))
    with pytest.raises(RecordingError, match="is damaged or cut short"):
        told(path)


def test_every_damaged_page_is_a_sentence_or_harmless(tmp_path: Any) -> None:
    path = database(tmp_path / "r.db", [Recorded(event(ts_ns=number), names(unit="u%d" % number)) for number in range(60)])
    whole = content(path)
    chance, refused = random.Random(4), 0
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(chance.randrange(1, 20)):
            damaged[chance.randrange(100, len(damaged))] = chance.randrange(256)
        with open(path, "wb") as file:
            file.write(damaged)
        try:
            with open_recording(path) as recording:
                for run in recording.runs():
                    for record in run.enriched():
                        record.to_dict()
                recording.sessions
        except RecordingError as error:
            assert "\n" not in str(error)
            refused += 1
    assert refused > 20


@pytest.mark.parametrize("content, told_of", [
    (b"", "is empty"), (b"SQLite format 3\0", "damaged or cut short"), (b"SQLite format 3\0" + b"\xff" * 5000, "damaged or cut short"),
    (b"hello", "no recording")])
def test_what_is_none(tmp_path: Any, content: bytes, told_of: str) -> None:
    path = tmp_path / "r.db"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=told_of):
        told(path)


def test_places_that_are_none(tmp_path: Any) -> None:
    for path, told_of in ((str(tmp_path), "Is a directory"), (str(tmp_path / "none"), "No such file"), ("/dev/zero", "no recording"),
                          ("a\0b", "cannot be read"), ("/proc/self/mem", "cannot be read"), ("/dev/null", "is empty"),
                          (str(tmp_path / "none" / "r.db"), "No such file"), ("", "No such file")):
        with pytest.raises(RecordingError, match=told_of):
            open_recording(path)


def test_no_rights(tmp_path: Any) -> None:
    path = database(tmp_path / "r.db", [])
    os.chmod(path, 0)
    program = "from retrans_ctypes.recording import open_recording\n%sopen_recording(%r)" % (
        "" if os.geteuid() else "import os; os.setgid(1); os.setuid(1)\n", path)
    for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        os.chmod(str(folder), 0o755)
    done = subprocess.run([interpreters.anybodys(), "-c", program], stderr=subprocess.PIPE, universal_newlines=True)
    assert "RecordingError: %s cannot be read (Permission denied)" % path in done.stderr


def test_a_database_through_a_pipe(tmp_path: Any) -> None:
    path = database(tmp_path / "r.db", [Recorded(event())])
    reading, writing = os.pipe()
    os.write(writing, content(path)[:4096])
    os.close(writing)
    with pytest.raises(RecordingError, match="through a pipe"):
        open_recording("/dev/fd/%d" % reading)
    os.close(reading)


def test_other_pythons(tmp_path: Any) -> None:
    """The oldest and the newest: both kinds, with nothing but the standard library."""
    made = [Recorded(event(known=(1 << 14) - 1, ts_ns=number), NGINX) for number in range(3)]
    paths = [database(tmp_path / "r.db", made), ndjson(tmp_path / "r.ndjson", session_lines(made))]
    program = ("import sys; from retrans_ctypes.recording import open_recording\n"
               "for path in sys.argv[1:]:\n"
               "    with open_recording(path) as recording:\n"
               "        print([(len(run.packed), run.workload.unit) for run in recording.runs()], len(recording.sessions))")
    every = interpreters.found()
    for interpreter in every if rights.FULL else [every[0], every[-1]]:
        done = subprocess.run([interpreter.path, "-W", "error", "-c", program] + paths, stdout=subprocess.PIPE,
                              env=dict(os.environ, PYTHONPATH=os.path.join(REPOSITORY, "src")), universal_newlines=True)
        assert done.stdout.splitlines() == ["[(768, 'nginx.service')] 1"] * 2, interpreter.name


def test_a_value_that_is_too_large_is_damage(tmp_path: Any) -> None:
    """SQLite asks for as much memory as a damaged size says; this Python says so without a word."""
    class NoMemory:
        def execute(self, query: str, values: Any) -> Any:
            raise MemoryError

    with open_recording(database(tmp_path / "r.db", [Recorded(event())])) as recording:
        real, recording._database = recording._database, NoMemory()  # type: ignore[attr-defined]
        with pytest.raises(RecordingError, match="a value of it is too large"):
            recording.sessions
        recording._database = real  # type: ignore[attr-defined]
