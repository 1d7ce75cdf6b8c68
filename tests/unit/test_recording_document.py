"""docs/recording.md has the schema word for word, and its questions get answers."""
import os
import re
import sqlite3
from typing import Any, List

import pytest
from places import REPOSITORY
from recording_parts import Host, flows, names, session
from retrans_ctypes.recording import schema
from retrans_ctypes.recording.database import DatabaseWriter

with open(os.path.join(REPOSITORY, "docs", "recording.md"), encoding="utf-8") as file:
    TEXT = file.read()
QUESTIONS = re.findall(r"```sql\n(.*?)```", TEXT, re.S)
AT = 1795387800 * 10**9  # 2026-11-22 22:50:00


@pytest.mark.parametrize("table", schema.TABLES, ids=lambda table: table.name)
def test_the_document_has_exactly_the_table(table: schema.Table) -> None:
    written = schema.markdown(table)
    assert written.count("\n") == 2 + len(table.columns)
    assert "### %s\n" % table.name in TEXT and written in TEXT, "paste this into docs/recording.md:\n" + written


def test_the_document_has_the_numbers() -> None:
    assert "application_id` is 0x%x (`rtrs`)" % schema.APPLICATION_ID in TEXT
    assert schema.APPLICATION_ID.to_bytes(4, "big") == b"rtrs"
    assert "Schema %d:" % schema.VERSION in TEXT and "user_version` is %d." % schema.VERSION in TEXT


def test_a_database_has_the_columns(tmp_path: Any) -> None:
    path = str(tmp_path / "x.db")
    DatabaseWriter(path, session(), Host().workload).end({}, None)
    database = sqlite3.connect(path)
    for table in schema.TABLES:
        found = database.execute("PRAGMA table_info(%s)" % table.name).fetchall()
        assert [row[1] for row in found] == table.names
        assert [row[2] for row in found] == [column.type.split()[0] for column in table.columns]
    made = {name for name, in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert made == {table.name for table in schema.TABLES}
    database.close()


def answers(tmp_path: Any, question: str) -> List[Any]:
    """About two sessions: one of nginx.service, one in which nothing is known."""
    path = str(tmp_path / "x.db")
    nginx = Host({7: names(unit="nginx.service")})
    first = DatabaseWriter(path, session(), nginx.workload)
    first.write(flows(40, segs=2, err=0, stall_us=5000) + flows(10, ts_ns=0, err=0), AT)
    first.end({"lost_segs": 4}, {"total": {"unexplained": 1}})
    second = DatabaseWriter(path, session(host=None), Host().workload)
    second.write(flows(30, known=0, ts_ns=120 * 10**9), AT)
    second.end({"lost_segs": 0}, None)
    database = sqlite3.connect(path)
    found = database.execute(question).fetchall()
    database.close()
    return found


def test_questions(tmp_path: Any) -> None:
    whom, when, whose, before, missing = QUESTIONS
    for place, (question, check) in enumerate((
            (whom, lambda rows: sorted(rows) == [("10.0.1.%d" % number, 3, 5.0) for number in range(10)]),
            (when, lambda rows: rows == [("2026-11-22 22:50", "rto", 50), ("2026-11-22 22:52", "rto", 30)]),
            (whose, lambda rows: rows == [("nginx.service", 90), ("unknown", None)]),
            (before, lambda rows: len(rows) == 80),
            (missing, lambda rows: rows == [(1, "web\u00e4", 4, 1), (2, None, 0, None)]))):
        folder = tmp_path / str(place)
        folder.mkdir()
        rows = answers(folder, question)
        assert check(rows), (question, rows)


def test_the_index_is_used(tmp_path: Any) -> None:
    plan = answers(tmp_path, "EXPLAIN QUERY PLAN " + re.sub(r"--.*\n", "", QUESTIONS[3]))
    assert "event_time" in str(plan)
