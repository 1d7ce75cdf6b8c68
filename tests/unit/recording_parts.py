"""What the tests of recordings share: sessions, events and names made up for them."""
import sqlite3
from typing import Any, Dict, List, Optional

from fake_library import packed
from retrans_ctypes.event import Event
from retrans_ctypes.recording import Session
from retrans_ctypes.workload import UNKNOWN, Workload

NOW = 1700000000 * 10**9
STATS = {"events": 3, "lost": 1}
LEDGER = {"type": "ledger", "total": {"kernel": 3}, "namespaces": []}


def session(**values: Any) -> Session:
    filled: Dict[str, Any] = dict(
        number=0, host="web\u00e4", kernel="6.1.0 x86_64", boot_id="b", version="0.1.0", attach="tp_btf",
        buffer="ring", missing=("stall_us", "segs"), filter="--port 443", started_ns=None, ended_ns=None, stats=None,
        ledger=None)
    filled.update(values)
    return Session(**filled)


def names(**values: Any) -> Workload:
    return Workload([values.get(field.name) for field in Workload.FIELDS])


class Host:
    """Gives names by process, and remembers which it was asked for."""

    def __init__(self, by_pid: Optional[Dict[int, Workload]] = None) -> None:
        self.by_pid = by_pid or {}
        self.asked: List[Optional[int]] = []

    def workload(self, event: Event) -> Workload:
        self.asked.append(event.owner_pid)
        return self.by_pid.get(event.owner_pid or 0, UNKNOWN)


def flow(number: int, **values: Any) -> bytes:
    """The number-th event of a made-up flow."""
    filled: Dict[str, Any] = dict(
        ts_ns=10**9 + number * 1000, saddr=bytes([10, 0, 0, 1]), daddr=bytes([10, 0, 1, number % 250]), sport=4000,
        dport=443, segs=1, reason=1, owner_pid=7, owner_comm=b"nginx", netns=4026531840, stall_us=number)
    filled.update(values)
    return packed(**filled)


def flows(count: int, **values: Any) -> bytes:
    return b"".join(flow(number, **values) for number in range(count))


def select(path: Any, query: str) -> List[Any]:
    """Rows of a database, as somebody else reads them."""
    database = sqlite3.connect(str(path))
    try:
        return database.execute(query).fetchall()
    finally:
        database.close()
