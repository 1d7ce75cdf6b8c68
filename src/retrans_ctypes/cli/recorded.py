"""What there is to say of a session that was recorded."""

import os
import time
from typing import List, Optional

from ..ledger import Ledger
from ..recording import Session
from ..stats import Stats
from .follow import summary

_NS = 1000000000


def about(path: str, session: Session) -> str:
    """One line: which session, whose, and when."""
    return "%s, session %d: %s, %s, from %s to %s" % (
        os.path.basename(path), session.number, session.host or "unknown host", session.kernel or "unknown kernel",
        _moment(session.started_ns), _moment(session.ended_ns))


def details(session: Session) -> List[str]:
    """What -v tells besides."""
    told = ["recorded by retrans_ctypes %s, attached by %s, %s buffer" % (
        session.version or "?", session.attach or "?", session.buffer or "?")]
    told.append("filter while recording: %s" % (session.filter or "none"))
    if session.missing:
        told.append("never known there: %s" % ", ".join(session.missing))
    return told


def account_for(session: Session, recorder_runs: bool) -> List[str]:
    """The lines that ``trace`` would have ended with, and what is unknown where they are not there."""
    return _ending(session, recorder_runs) + _summary(session) + _ledger(session)


def _ending(session: Session, recorder_runs: bool) -> List[str]:
    if session.ended_ns is not None:
        return []
    if recorder_runs:
        return ["it is still being recorded, and what follows is some seconds old:"]
    return ["its recorder was killed: what happened in its last second is unknown, and what follows, if anything,"
            " is from some seconds before:"]


def _summary(session: Session) -> List[str]:
    if session.stats is None:
        return ["no counts of losses were recorded"]
    counted = session.ledger is None or session.ledger.get("total") is not None
    try:
        return [summary(Stats.from_dict(session.stats), counted)]
    except ValueError as error:
        return ["its counts are damaged: %s" % error]


def _ledger(session: Session) -> List[str]:
    fields = session.ledger
    if fields is None:
        return ["no ledger was recorded"]
    if fields.get("total") is None and isinstance(fields.get("why"), str):
        return ["no ledger: %s" % fields["why"]]
    try:
        return [Ledger.from_dict(fields).sentence()]
    except ValueError as error:
        return ["its ledger is damaged: %s" % error]


def _moment(time_ns: Optional[int]) -> str:
    try:
        return "?" if time_ns is None else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(time_ns // _NS))
    except (ValueError, OverflowError, OSError):
        return "?"
