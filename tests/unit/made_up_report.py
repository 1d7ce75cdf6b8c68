"""Recordings of nobody, for the tests of `report`."""
import json
from typing import Any, Dict, Iterable, List, Optional

from fake_library import packed
from retrans_ctypes.event import Event
from retrans_ctypes.recording import Run, Session
from retrans_ctypes.report import Gathered, facts
from retrans_ctypes.report.facts import Facts
from retrans_ctypes.report.story import Story, tell_story
from retrans_ctypes.workload import UNKNOWN, Workload

START = 1700000000 * 10**9  # 2023-11-14 22:13:20 UTC
ALL = (1 << 64) - 1
REASON = {"rto": 1, "fast": 2, "tlp": 3, "syn": 4, "synack": 5, "loss_recovery": 6, "pmtu": 7}
TOTAL = {"netns": None, "kernel": 7, "delivered": 7, "filtered": 0, "failed": 0, "limited": 0, "lost": 0,
         "unexplained": 0, "uncertainty": 0, "exact": True, "unreadable": 0}
HOSTILE = '</script><img src=x onerror=alert(1)>&amp;"\'\x1b[2J\r\n\u202e`|*_[x](http://evil.example/)<!--'


def session(number: int = 1, **values: Any) -> Session:
    found: Dict[str, Any] = dict(
        number=number, host="web1", kernel="6.1.0 x86_64", boot_id="b", version="0.1.0", attach="tp_btf",
        buffer="ring", missing=(), filter=None, started_ns=START, ended_ns=START + 600 * 10**9, stats={"lost": 0},
        ledger={"type": "ledger", "total": TOTAL, "namespaces": [dict(TOTAL, netns=4026531833)]})
    found.update(values)
    return Session(**found)


def event(seconds: float = 0, reason: str = "fast", remote: str = "10.0.0.2", dport: int = 443, **values: Any) -> Event:
    """``seconds`` after START; one segment of the connection 10.0.0.1:40000 -> 10.0.0.2:443."""
    filled: Dict[str, Any] = dict(
        ts_ns=int(seconds * 1e9), reason=REASON.get(reason, 0), saddr=bytes([10, 0, 0, 1]), sport=40000,
        daddr=bytes(map(int, remote.split("."))), dport=dport, segs=1, owner_pid=7, owner_comm=b"nginx", len=1000)
    filled.update(values)
    return Event.read(packed(**filled))[0]


def run(events: Iterable[Event], of: Optional[Session] = None, workload: Workload = UNKNOWN) -> Run:
    return Run(of or session(), b"".join(events), START, workload)


def names(**known: Any) -> Workload:
    return Workload(known.get(field.name) for field in Workload.FIELDS)


def facts_of(*runs: Run, sessions: Optional[List[Session]] = None, **more: Any) -> Facts:
    """They have to be JSON, too."""
    gathered = Gathered()
    gathered.add_all(runs)
    found = facts(gathered, sessions or list({one.session.number: one.session for one in runs}.values()), **more)
    same: Facts = json.loads(json.dumps(found, allow_nan=False))
    assert same == found
    return found


def story_of(*events: Event, **more: Any) -> Story:
    return tell_story(facts_of(run(events), **more), utc=True)


def rules(story: Story) -> List[str]:
    return [found["rule"] for found in story.advice]
