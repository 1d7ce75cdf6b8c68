"""What is written into a database, and what becomes of it when its writer dies."""
import json
import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
from typing import Any, Dict, Iterator, List

import pytest
from fake_library import event, packed
from places import HERE
from recording_parts import LEDGER, NOW, STATS, Host, flow, flows, names, select, session
from retrans_ctypes.errors import OutputError, RecordingError
from retrans_ctypes.event import Event
from retrans_ctypes.recording import schema
from retrans_ctypes.recording.database import DatabaseWriter
from retrans_ctypes.recording.rows import Rows
from retrans_ctypes.workload import Workload
from test_ndjson import random_event

HOSTILE = [b"\x1b[31mred\x1b[0m", b"a'b\"c;--", b"line\nfeed\r\t", b"<script>&amp;", b"\xff\xfe\x80", b"'); DROP TABLE",
           "n\u00e4me\U0001f600".encode(), b"%s%n%x", b"\x01\x02\x7f", b""]


@pytest.fixture
def path(tmp_path: Any) -> Any:
    return tmp_path / "retrans.db"


@pytest.fixture
def writer(path: Any) -> Iterator[DatabaseWriter]:
    made = DatabaseWriter(str(path), session(), Host().workload)
    yield made
    made.close()


def open_one(path: Any, **values: Any) -> DatabaseWriter:
    return DatabaseWriter(str(path), session(**values), Host().workload)


def test_rows_are_what_the_events_say() -> None:
    """Every column, with fields known and not, numbers of any size, and any bytes in texts."""
    chance = random.Random(6)
    made = [random_event(chance) for _ in range(3000)]
    rows = Rows(5, Host().workload, lambda workload: 0).of(b"".join(made), 12345)
    for one, row in zip(made, rows):
        found = dict(zip(schema.EVENT.names[1:], row))
        assert (found["session"], found["time_ns"], found["packed"]) == (5, one.ts_ns + 12345, one)
        for name in schema.EVENT.names[4:-1]:
            wanted = getattr(one, name)
            assert found[name] == (min(wanted, 2**63 - 1) if name == "stall_us" and wanted else wanted), name
    assert len(rows) == len(made)


def test_everything_comes_back(writer: DatabaseWriter, path: Any) -> None:
    chance = random.Random(7)
    made = [random_event(chance) for _ in range(500)]
    writer.write(b"".join(made), NOW)
    writer.end(STATS, LEDGER)
    rows = select(path, "SELECT time_ns, packed, owner_comm, stall_us, daddr FROM event ORDER BY id")
    assert [Event(row[1]) for row in rows] == made
    assert [row[0] for row in rows] == [one.ts_ns + NOW for one in made]
    assert [row[2] for row in rows] == [one.owner_comm for one in made]
    assert [row[4] for row in rows] == [one.daddr for one in made]


@pytest.mark.parametrize("comm", HOSTILE, ids=repr)
def test_hostile_names_are_kept_as_they_are(writer: DatabaseWriter, path: Any, comm: bytes) -> None:
    writer.write(packed(owner_comm=comm), NOW)
    writer.end(STATS, LEDGER)
    assert select(path, "SELECT owner_comm FROM event") == [(event(owner_comm=comm).owner_comm,)]


def test_session(path: Any) -> None:
    writer = open_one(path)
    row, = select(path, "SELECT * FROM session")
    found = dict(zip(schema.SESSION.names, row))
    assert found["host"] == "web\u00e4" and json.loads(found["missing"]) == ["stall_us", "segs"]
    assert found["started_ns"] > NOW and found["ended_ns"] is None and found["stats"] is None
    writer.keep(STATS, None)
    assert [json.loads(text) for text, in select(path, "SELECT stats FROM session")] == [STATS]
    writer.keep(dict(STATS, events=4), LEDGER)
    stats, ledger = select(path, "SELECT stats, ledger FROM session")[0]
    assert json.loads(stats)["events"] == 4 and json.loads(ledger) == LEDGER
    writer.end(STATS, dict(LEDGER, why="over"))
    ended, ledger = select(path, "SELECT ended_ns, ledger FROM session")[0]
    assert ended >= found["started_ns"] and json.loads(ledger)["why"] == "over"


def test_names_are_there_once(path: Any) -> None:
    nginx, psql = names(unit="nginx.service", user="www"), names(unit="psql.service", netns_pid=3)
    host = Host({7: nginx, 8: psql})
    writer = DatabaseWriter(str(path), session(), host.workload)
    writer.write(flows(100) + flows(100, owner_pid=8) + flows(100, owner_pid=9), NOW)
    writer.write(flows(100) + flows(100, owner_pid=8), NOW)
    writer.end(STATS, None)
    assert host.asked == [7, 8, 9], "once for each owner in a second"
    assert select(path, "SELECT * FROM names") == [(1,) + nginx, (2,) + psql]
    assert select(path, "SELECT names, count(*) FROM event GROUP BY names") == [(None, 100), (1, 200), (2, 200)]


def test_small_batches_are_looked_up_anew(path: Any) -> None:
    """An owner may have another name by then."""
    host = Host({7: names(unit="old.service")})
    writer = DatabaseWriter(str(path), session(), host.workload)
    writer.write(flow(1), NOW)
    host.by_pid[7] = names(unit="new.service")
    writer.write(flow(2), NOW)
    writer.end(STATS, None)
    assert [row[0] for row in select(path, "SELECT unit FROM event JOIN names ON names.id = names")] == [
        "old.service", "new.service"]


@pytest.mark.parametrize("change", [
    {"cgroup_id": 5}, {"netns": 5}, {"uid": 5}, {"owner_pid": 5}, {"owner_comm": b"other"}, {"owner_how": 3},
    {"known": (1 << 64) - 1 - (1 << 9)}, {"known": (1 << 64) - 1 - (1 << 2)},
], ids=str)
def test_what_names_depend_on(change: Dict[str, Any]) -> None:
    host = Host()
    Rows(1, host.workload, lambda workload: 0).of(flows(20) + flows(20, **change), NOW)
    assert len(host.asked) == 2


def test_memory_is_bounded() -> None:
    """However many processes there are, each with another command line."""
    host = Host({pid: names(cmdline=str(pid)) for pid in range(20000)})
    added: List[Workload] = []
    rows = Rows(1, host.workload, lambda workload: added.append(workload) or len(added))
    made = rows.of(b"".join(flow(1, owner_pid=pid, owner_comm=b"%d" % pid) for pid in range(20000)), NOW)
    assert len(rows._ids) <= 16384 and len(rows._added) <= 16385 and len(rows._comms) <= 16384
    assert [added[row[2] - 1].cmdline for row in made[1:]] == [str(pid) for pid in range(1, 20000)]


def test_a_second_session(path: Any) -> None:
    for number in (1, 2, 3):
        writer = open_one(path, host="host%d" % number)
        writer.write(flows(number), NOW)
        writer.end(STATS, LEDGER)
    assert select(path, "SELECT id, host FROM session") == [(1, "host1"), (2, "host2"), (3, "host3")]
    assert select(path, "SELECT session, count(*) FROM event GROUP BY 1") == [(1, 1), (2, 2), (3, 3)]


def test_the_file(path: Any) -> None:
    """Nobody else may read it; ended in order it is one file, which needs nothing beside it."""
    before = os.umask(0)
    try:
        writer = open_one(path)
        writer.write(flows(10), NOW)
        writer.keep(STATS, None)
        modes = {name: stat.S_IMODE(os.stat(str(path.parent / name)).st_mode) for name in os.listdir(str(path.parent))}
        assert modes == {"retrans.db": 0o600, "retrans.db-wal": 0o600, "retrans.db-shm": 0o600}
        writer.end(STATS, None)
    finally:
        os.umask(before)
    assert os.listdir(str(path.parent)) == ["retrans.db"]
    assert select(path, "PRAGMA journal_mode") == [("delete",)]
    assert select(path, "PRAGMA application_id") == [(0x72747273,)] and select(path, "PRAGMA user_version") == [(1,)]
    assert select(path, "PRAGMA integrity_check") == [("ok",)]


def test_it_can_be_read_meanwhile(writer: DatabaseWriter, path: Any) -> None:
    for number in range(1, 4):
        writer.write(flows(10), NOW)
        writer.keep(STATS, None)
        assert select(path, "SELECT count(*) FROM event") == [(10 * number,)]


def test_a_reader_does_not_hinder_the_end(writer: DatabaseWriter, path: Any) -> None:
    reader = sqlite3.connect(str(path))
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM session").fetchall()
    writer.write(flows(10), NOW)
    writer.end(STATS, None)
    reader.close()
    assert select(path, "SELECT count(*) FROM event") == [(10,)]


def test_the_size_counts_what_waits(writer: DatabaseWriter, path: Any) -> None:
    empty = writer.size()
    writer.write(flows(1000), NOW)
    assert 200000 < writer.size() - empty < 1000000
    writer.keep(STATS, None)
    on_disk = sum(os.path.getsize(str(path) + end) for end in ("", "-wal"))
    assert writer.size() == on_disk and on_disk - empty > 200000


CHILD = """
import os, signal, sys
sys.path.insert(0, {here!r})
from recording_parts import NOW, STATS, Host, flows, session
from retrans_ctypes.recording.database import DatabaseWriter
writer = DatabaseWriter({path!r}, session(), Host().workload)
for number in range({batches}):
    writer.write(flows(100), NOW)
    writer.keep(STATS, None)
writer.write(flows(50), NOW)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("batches", [0, 1, 200])
def test_what_was_kept_outlives_kill_9(path: Any, batches: int) -> None:
    done = subprocess.run([sys.executable, "-c", CHILD.format(here=HERE, path=str(path), batches=batches)])
    assert done.returncode == -signal.SIGKILL
    assert select(path, "PRAGMA integrity_check") == [("ok",)]
    assert select(path, "SELECT count(*) FROM event") == [(100 * batches,)]
    assert select(path, "SELECT ended_ns FROM session") == [(None,)]
    writer = open_one(path)  # nobody writes it now
    writer.write(flows(3), NOW)
    writer.end(STATS, None)
    assert select(path, "SELECT count(*) FROM event") == [(100 * batches + 3,)]


def test_two_writers(writer: DatabaseWriter, path: Any) -> None:
    writer.write(flows(10), NOW)
    with pytest.raises(RecordingError, match="another process is recording into .*retrans.db: wait") as raised:
        open_one(path)
    assert raised.value.exit_code == 7
    writer.write(flows(10), NOW)
    writer.end(STATS, None)
    assert select(path, "SELECT count(*) FROM event") == [(20,)]
    open_one(path).close()


def test_somebody_else_locks_the_database(writer: DatabaseWriter, path: Any, monkeypatch: Any) -> None:
    writer._database.execute("PRAGMA busy_timeout = 10")  # type: ignore[union-attr]
    other = sqlite3.connect(str(path), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(RecordingError, match="another process holds .* locked"):
        writer.write(flows(1), NOW)
    other.execute("ROLLBACK")
    other.close()
    writer.write(flows(1), NOW)
    writer.end(STATS, None)


def test_no_space(writer: DatabaseWriter, path: Any) -> None:
    """What was kept before stays."""
    writer.write(flows(10), NOW)
    writer.keep(STATS, None)
    writer._database.execute("PRAGMA max_page_count = 20").fetchall()  # type: ignore[union-attr]
    with pytest.raises(OutputError, match="No space left on device.: free some space"):
        for _ in range(10):
            writer.write(flows(100), NOW)
    writer.close()
    assert select(path, "PRAGMA integrity_check") == [("ok",)]
    assert select(path, "SELECT count(*) FROM event")[0][0] >= 10


def made(path: Any, *statements: str) -> None:
    database = sqlite3.connect(str(path))
    with database:
        for statement in statements:
            database.execute(statement)
    database.close()


def whole(path: Any) -> None:
    writer = open_one(path)
    writer.write(flows(500), NOW)
    writer.end(STATS, None)


BAD = {
    "damaged .*it has triggers": lambda path: (whole(path), made(
        path, "CREATE TRIGGER late AFTER INSERT ON event BEGIN DELETE FROM event; END")),
    "damaged .*'event' is missing or another": lambda path: (whole(path), made(
        path, "ALTER TABLE event RENAME TO other", "CREATE VIEW event AS SELECT * FROM other")),
    "damaged .*'names' is missing or another": lambda path: (whole(path), made(
        path, "PRAGMA foreign_keys = OFF", "ALTER TABLE names RENAME TO other",
        "CREATE VIRTUAL TABLE names USING fts5(%s)" % ", ".join(schema.NAMES.names))),
    "not a recording": lambda path: path.write_text("my thesis\n" * 50),
    "is a database, but not a recording": lambda path: made(path, "CREATE TABLE thesis (text)"),
    "has schema 2": lambda path: made(path, *schema.statements() + ["PRAGMA user_version = 2"]),
    "its end is missing": lambda path: (whole(path), path.write_bytes(path.read_bytes()[:20000])),
    "damaged .*'session' is missing": lambda path: made(path, "PRAGMA application_id = %d" % schema.APPLICATION_ID,
                                                 "PRAGMA user_version = 1"),
    "but not a rec": lambda path: path.write_bytes(schema.MAGIC + b"\0" * 10),
    "damaged .*not a database": lambda path: (
        whole(path), path.write_bytes(path.read_bytes()[:20] + b"x" * 8 + path.read_bytes()[28:])),
}


@pytest.mark.parametrize("sentence", sorted(BAD))
def test_what_is_not_written_to(path: Any, sentence: str) -> None:
    BAD[sentence](path)
    before = path.read_bytes()
    with pytest.raises(RecordingError, match=sentence) as raised:
        open_one(path)
    assert raised.value.exit_code == 7 and str(path) in str(raised.value)
    assert path.read_bytes() == before


def test_an_empty_file_is_as_good_as_none(path: Any) -> None:
    path.write_bytes(b"")
    whole(path)
    assert select(path, "SELECT count(*) FROM event") == [(500,)]


@pytest.mark.parametrize("make, sentence", [
    (lambda path: path.mkdir(), "Is a directory"),
    (lambda path: os.mkfifo(str(path)), "not a regular file"),
    (lambda path: path.symlink_to("/dev/null"), "not a regular file"),
    (lambda path: path.symlink_to(path), "Too many levels|links"),
], ids=["folder", "fifo", "device", "loop"])
def test_places_that_cannot_be_written(path: Any, make: Any, sentence: str) -> None:
    make(path)
    with pytest.raises(OutputError, match=sentence) as raised:
        open_one(path)
    assert raised.value.exit_code == 6 and str(path.name) in str(raised.value) or "null" in str(raised.value)


def test_a_folder_that_is_not_there(tmp_path: Any) -> None:
    with pytest.raises(OutputError, match="No such file or directory.*-o"):
        open_one(tmp_path / "nowhere" / "retrans.db")


def test_ones_own_link_is_followed(tmp_path: Any, path: Any) -> None:
    target = tmp_path / "elsewhere"
    path.symlink_to(target)
    whole(path)
    assert path.is_symlink() and select(target, "SELECT count(*) FROM event") == [(500,)]


@pytest.mark.parametrize("name", [":memory:", "file:x?mode=ro", "with space", "\udcff", "%41", "'"])
def test_odd_names(tmp_path: Any, monkeypatch: Any, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    writer = DatabaseWriter(name, session(), Host().workload)
    writer.write(flows(1), NOW)
    writer.end(STATS, None)
    assert os.listdir() == [name] and os.path.getsize(name) > 0


def test_an_event_of_a_time_that_no_database_holds(path: Any) -> None:
    writer = DatabaseWriter(str(path), session(), Host().workload)
    with pytest.raises(RecordingError, match="cannot hold an event of such a time"):
        writer.write(packed(ts_ns=(1 << 64) - 1), NOW)
    writer.close()
