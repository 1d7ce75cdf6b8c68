"""Reading SQLite recordings: what was recorded, how it is cut into runs, and files that are none."""
import os
import sqlite3
from typing import Any, List

import pytest
from fake_library import event
from made_up_recording import OFFSET, Database, Recorded, database, names
from retrans_ctypes.errors import RecordingError
from retrans_ctypes.recording import open_recording
from retrans_ctypes.recording.session import Run
from retrans_ctypes.workload import UNKNOWN

NGINX, REDIS = names(unit="nginx.service"), names(unit="redis.service", netns_pid=7)


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
