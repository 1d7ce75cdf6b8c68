"""What a recording tells, as one structure of plain values: what every format of a report is made of.

docs/report.md documents it; ``--format json`` prints it.
"""

from ipaddress import IPv4Network, IPv6Network
from typing import Any, Dict, Iterable, List, Optional

from ..ledger import LedgerRow
from ..recording import Session
from ..stats import is_count
from .buckets import OTHERS, Prefix, TimeLine
from .gathering import Gathered, Stalls
from .tallies import SHOWN, Group, Ranking, Rankings, Tally

VERSION = 1
"""Of the structure. A change that a reader of it would trip over takes a new one."""

ROWS = 15
"""Groups that each table has."""

HEAT_ROWS = 24
"""Remote prefixes that the heat map has."""

Facts = Dict[str, Any]


def facts(
    gathered: Gathered, sessions: Iterable[Session], selection: Optional[str] = None,
    remarks: Iterable[str] = (),
) -> Facts:
    """Of the events that were gathered, and of the sessions they are from.

    ``selection``: the options that chose among the recorded events, as they were typed; ``remarks``:
    what is wrong with the recording.
    """
    rankings, total = gathered.rankings, gathered.rankings.total
    return {
        "type": "report",
        "version": VERSION,
        "selection": selection,
        "remarks": list(remarks),
        "sessions": [_session(session, gathered) for session in sessions],
        "time": _time(gathered),
        "counted": _counted(gathered.events, gathered.uncounted),
        "total": dict(
            _tally(total, total.segs), bytes=total.bytes, sent=total.sent, retransmitted=total.retransmitted,
            stall_us=total.stall_us, stalls=total.stalls, dsacks=total.dsacks,
            reorderings=total.reorderings, timeouts=total.timeouts,
            reason_events=dict(gathered.reasons.most_common())),
        "failed": _failed(gathered),
        "timeline": _timeline(gathered.line),
        "heat": _heat(gathered.line),
        "stalls": _stalls(gathered.stalls),
        "worst": {name: _table(rankings.shown[name], total) for name in SHOWN},
        "unanswered": _unanswered(rankings, total),
        "listeners": [_row(group, total) for group in rankings.listeners.ranked()[:ROWS]],
        "limited": [{"name": group.name, "segments": group.tally.limited} for group in sorted(
            rankings.limited.ranked(), key=lambda group: -group.tally.limited)[:ROWS]],
        "silences": [dict(silence._asdict(), span_us=silence.span_us)
                     for silence in gathered.silences.longest()[:ROWS]],
    }


def _counted(events: int, uncounted: int) -> str:
    """What ``segments`` counts."""
    if not uncounted:
        return "segments"
    return "events" if uncounted == events else "mixed"


def _session(session: Session, gathered: Gathered) -> Dict[str, Any]:
    found = gathered.sessions.get(session.number)
    return dict(
        session._asdict(), missing=list(session.missing), stats=_numbers(session.stats),
        ledger=_ledger(session.ledger), events=found.events if found else 0, failed=found.failed if found else 0)


def _numbers(values: Any) -> Optional[Dict[str, Any]]:
    """Whole numbers by name, truths, and what is null: a file may hold anything."""
    if not isinstance(values, dict):
        return None
    return {name: value for name, value in values.items() if value is None or type(value) is bool or is_count(value)}


def _ledger(ledger: Optional[Dict[str, Any]]) -> Optional[Dict[str, Any]]:
    """As Ledger.to_dict() makes it; None where it cannot be one."""
    if ledger is None:
        return None
    total, rows = _numbers(ledger.get("total")), ledger.get("namespaces")
    if total is not None and any(not isinstance(total.get(name), int) for name in _TOTAL):
        return None
    return {"total": total, "namespaces": list(filter(None, map(_numbers, rows if isinstance(rows, list) else []))),
            "why": ledger.get("why") if total is None else None}


_TOTAL = set(LedgerRow._fields) - {"netns", "uncertainty"}  # what the row of all together always has


def _time(gathered: Gathered) -> Dict[str, Any]:
    """From the first event to the last one."""
    total = gathered.rankings.total
    first, last = (total.first_ns, total.last_ns) if total.events else (None, None)
    return {"first_ns": first, "last_ns": last}


def _tally(tally: Tally, of: int) -> Dict[str, Any]:
    return {
        "segments": tally.segs, "events": tally.events, "share": tally.segs / of if of else None,
        "ratio": tally.ratio, "mean_stall_us": tally.mean_stall_us,
        "worst_stall_us": tally.worst_stall_us if tally.stalls else None,
        "reasons": dict(tally.reasons.most_common()),
    }


def _row(group: Group, total: Tally) -> Dict[str, Any]:
    return dict(name=group.name, **_tally(group.tally, total.segs))


def _table(ranking: Ranking, total: Tally) -> Dict[str, Any]:
    known, unknown = ranking.known(), ranking.unknown()
    others = Tally()
    for group in known[ROWS:]:
        others.join(group.tally)
    others.join(ranking.beyond)
    return {
        "groups": ranking.most if ranking.full else len(known),
        "exact": not ranking.full,
        "rows": [_row(group, total) for group in known[:ROWS]],
        "others": _tally(others, total.segs) if others.events else None,
        "unknown": _tally(unknown, total.segs) if unknown else None,
    }


def _unanswered(rankings: Rankings, total: Tally) -> List[Dict[str, Any]]:
    """Where SYNs went that were sent again, and whether anything else is known of who is there."""
    groups = [group for group in rankings.services.ranked() if group.tally.reasons["syn"]]
    groups.sort(key=lambda group: -group.tally.reasons["syn"])
    return [dict(_row(group, total), syns=group.tally.reasons["syn"],
                 answers=group.tally.segs > group.tally.reasons["syn"], timeouts=group.tally.timeouts,
                 first_ns=group.tally.first_ns, last_ns=group.tally.last_ns) for group in groups[:ROWS]]


def _failed(gathered: Gathered) -> Dict[str, Any]:
    """Attempts that the kernel could not send: no retransmits, and in none of the other counts."""
    rows = [{"err": failure.err, "remote": failure.remote or None, "events": events}
            for failure, events in gathered.failures.most_common()]
    return {"events": sum(gathered.failures.values()), "rows": rows[:ROWS]}


def _timeline(line: TimeLine) -> Dict[str, Any]:
    return {"step_ns": line.width_ns, "steps": [
        {"start_ns": start, "reasons": dict(step.reasons.most_common())} for start, step in line.steps()]}


def _heat(line: TimeLine) -> Dict[str, Any]:
    """Segments to each of the largest remote prefixes, step by step."""
    totals: Dict[Prefix, int] = {}
    for _, step in line.steps():
        for prefix, segs in step.prefixes.items():
            totals[prefix] = totals.get(prefix, 0) + segs
    known = sorted((prefix for prefix in totals if prefix != OTHERS),
                   key=lambda prefix: (-totals[prefix], prefix))
    starts = line.starts()
    places = {start: place for place, start in enumerate(starts)}
    rows = {prefix: [0] * len(starts) for prefix in known[:HEAT_ROWS]}
    others = [0] * len(starts)
    for start, step in line.steps():
        for prefix, segs in step.prefixes.items():
            rows.get(prefix, others)[places[start]] += segs
    found: List[Dict[str, Any]] = [
        {"prefix": _prefix(prefix), "segments": counts} for prefix, counts in rows.items()]
    if any(others):
        found.append({"prefix": None, "segments": others})
    return {"step_ns": line.width_ns, "starts_ns": starts, "prefixes": len(known), "rows": found}


def _prefix(prefix: Prefix) -> str:
    version, start = prefix
    if version == 4:
        return str(IPv4Network((start.ljust(4, b"\0"), 8 * len(start))))
    return str(IPv6Network((start.ljust(16, b"\0"), 8 * len(start))))


def _stalls(stalls: Stalls) -> Dict[str, Any]:
    """How many events waited less than each of ``below_us``, and not less than the one before."""
    used = [place for counts in stalls.reasons.values() for place in counts]
    places = range(min(used), max(used) + 1) if used else range(0)
    return {"below_us": [stalls.LIMITS[place] for place in places],
            "reasons": {reason: [counts[place] for place in places] for reason, counts in sorted(
                stalls.reasons.items())}}
