"""What a report says in sentences, the same in every format: headline, ledger, what is unknown."""

from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from ..event import REASONS
from ..ledger import LedgerRow
from .advice import Advice, advice, lost, unit
from .facts import Facts
from .words import UNKNOWN, Zone, amount, number, percent, share, shown, span

# What a field that is never known leaves open.
_LEAVES_OPEN = {
    "segs": "how many segments an event covers, so events are counted",
    "stall_us": "how long data waited",
    "netns": "network namespaces",
    "reason": "reasons other than syn and synack",
    "owner_pid": "whose connections they are",
    "bytes_sent": "the share of bytes that was sent again",
    "cgroup_id": "containers and units by cgroup",
    "dsack_dups": "what was sent again needlessly",
}

REASON_WORDS = {
    "rto": "the retransmission timer ran out",
    "fast": "ACKs reported a loss",
    "tlp": "probe, since the end of a burst stayed without an ACK",
    "syn": "a connect got no answer",
    "synack": "an accept got no answer to its SYN-ACK",
    "loss_recovery": "slow start after a timeout sends the rest of the window again",
    "pmtu": "the path takes smaller packets only",
    "unknown": "not known",
}
assert set(REASON_WORDS) - {"unknown"} == {name for name in REASONS.values() if name}


class Story(NamedTuple):
    """The sentences of one report."""

    title: str
    headline: str
    advice: List[Advice]
    ledger: List[str]
    """One for each namespace, or why there is none."""
    unknown: List[str]
    sessions: List[List[Tuple[str, str]]]
    """Name and value of what there is to say of each."""
    zone: Zone


def tell_story(facts: Facts, utc: bool = False) -> Story:
    zone = Zone(facts["time"]["first_ns"] or next(
        (session["started_ns"] for session in facts["sessions"] if session["started_ns"]), None), utc)
    return Story(
        title="TCP retransmits" + _on_hosts(facts), headline=_headline(facts, zone), advice=advice(facts, zone),
        ledger=_ledger(facts), unknown=_unknown(facts, zone),
        sessions=[_session(session, zone) for session in facts["sessions"]], zone=zone)


def hosts(facts: Facts) -> List[str]:
    return list(dict.fromkeys(shown(session["host"]) for session in facts["sessions"] if session["host"]))


def _on_hosts(facts: Facts) -> str:
    names = hosts(facts)
    if not names:
        return ""
    return " on " + (names[0] if len(names) == 1 else "%s and %s" % (
        names[0], amount(len(names) - 1, "other host")))


def duration_us(facts: Facts) -> Optional[int]:
    """How long the sessions were together, as far as they tell."""
    spans = [(session["started_ns"], session["ended_ns"]) for session in facts["sessions"]]
    if not spans or any(start is None or end is None for start, end in spans):
        return None
    return int(sum(max(0, end - start) for start, end in spans)) // 1000


def _headline(facts: Facts, zone: Zone) -> str:
    total, time = facts["total"], facts["time"]
    recorded = duration_us(facts)
    within = " in %s of recording" % span(recorded) if recorded else ""
    if not total["events"]:
        chosen = " that %s chooses" % shown(facts["selection"]) if facts["selection"] else ""
        return "Nothing%s was sent again%s%s." % (chosen, _on_hosts(facts), within)
    flows, remotes = facts["worst"]["flow"], facts["worst"]["remote"]
    text = "%s%s sent again%s, %s: %s%s and %s%s." % (
        unit(facts, total["segments"]), " was" if total["segments"] == 1 else " were", within or _on_hosts(facts),
        zone.between(time["first_ns"], time["last_ns"]),
        "" if flows["exact"] else "more than ", amount(flows["groups"], "connection"),
        "" if remotes["exact"] else "more than ", amount(remotes["groups"], "remote address", "remote addresses"))
    reason, segments = max(total["reasons"].items(), key=lambda item: item[1])
    if reason != "unknown":
        text += " %s of it is %s: %s." % (percent(share(segments, total["segments"])), reason, REASON_WORDS[reason])
    if total["stalls"]:
        text += " Data waited %s on average and %s at worst." % (
            span(total["mean_stall_us"]), span(total["worst_stall_us"]))
    if total["ratio"] is not None:
        text += " %s of the bytes that these connections sent went out more than once." % percent(total["ratio"])
    return text


def ledger_rows(facts: Facts) -> List[Tuple[Dict[str, Any], Dict[str, Any]]]:
    """Each namespace of each session, with its session."""
    return [(session, row) for session in facts["sessions"]
            for row in ((session["ledger"] or {}).get("namespaces") or [])]


def _ledger(facts: Facts) -> List[str]:
    told = []
    many = len(facts["sessions"]) > 1
    for session in facts["sessions"]:
        name = "Session %d: " % session["number"] if many else ""
        ledger = session["ledger"]
        if not ledger:
            told.append(name + "there is no ledger that can be read, so nothing weighs this against the kernel's own"
                               " counter")
        elif not ledger.get("total"):
            told.append("%sno ledger: %s" % (name, shown(ledger.get("why"))))
        else:
            told.append(name + _sum(ledger))
    return told


def _sum(ledger: Dict[str, Any]) -> str:
    total = ledger["total"]
    row = LedgerRow(**{field: total.get(field) for field in LedgerRow._fields})
    verdict = "everything that the kernel counted is accounted for" if total.get("exact") else (
        "%s unexplained" % amount(abs(row.unexplained), "segment") if row.unexplained else
        "nothing is unexplained")
    unreadable = total.get("unreadable")
    if unreadable:
        verdict += "; the counter of %s with %s could not be read" % (
            amount(unreadable, "namespace"), amount(sum(
                row.get(name) or 0 for row in ledger["namespaces"] if row.get("kernel") is None
                for name in ("delivered", "filtered", "failed", "limited", "lost")), "segment"))
    return "%s: %s" % (verdict[:1].upper() + verdict[1:], row.sentence())


def _unknown(facts: Facts, zone: Zone) -> List[str]:
    """What this report cannot know, one sentence for each."""
    told = [shown(remark) for remark in facts["remarks"]]
    for session in facts["sessions"]:
        told += _unknown_of(session, "Session %d" % session["number"] if len(facts["sessions"]) > 1 else "The recorder")
    gone = lost(facts)
    if gone.get("skipped_segs"):
        told.append("%s came while the kernel skipped the programs; they are in no other number here" % (
            amount(gone["skipped_segs"], "segment")))
    if facts["counted"] == "mixed":
        told.append("Some events do not tell their segments; they count as one each")
    total = facts["total"]
    if total["events"]:
        told += _shares(facts)
    if facts["selection"]:
        told.append("Only events that %s chooses are in this report; the ledger is of all" % shown(facts["selection"]))
    tables = [table for table in facts["worst"].values() if not table["exact"]]
    if tables:
        told.append("There were more groups than are kept apart, so the smaller ones of some tables are counted"
                    " together, and one that is shown may have more than it says")
    return told


def _unknown_of(session: Dict[str, Any], name: str) -> List[str]:
    told = []
    if session["ended_ns"] is None:
        told.append("%s was killed or still runs: the last second may be missing, and the ledger is older" % name)
    if session["filter"]:
        told.append("%s was told %s: what that leaves out was not recorded" % (name, shown(session["filter"])))
    if session["missing"]:
        open_ = [_LEAVES_OPEN[field] for field in session["missing"] if field in _LEAVES_OPEN]
        told.append("%s attached by %s, which never tells %s%s" % (
            name, shown(session["attach"]), ", ".join(open_) if open_ else "some fields",
            " (%s)" % amount(len(session["missing"]), "field")))
    if any(row.get("kernel") is None for row in (session["ledger"] or {}).get("namespaces") or []):
        told.append("%s could not read the kernel's counter in some namespaces: there nothing says whether all was"
                    " seen" % name)
    return told


def _shares(facts: Facts) -> List[str]:
    """What part of the events lacks something."""
    total = facts["total"]
    told = []
    unowned = facts["worst"]["pid"]["unknown"]
    if unowned:
        told.append("%s have no known process (%s of all)" % (
            unit(facts, unowned["segments"]), percent(unowned["share"])))
    reasonless = total["reasons"].get("unknown", 0)
    if reasonless:
        told.append("%s have no known reason (%s of all)" % (
            unit(facts, reasonless), percent(share(reasonless, total["segments"]))))
    waiting = total["events"] - total["stalls"]
    if waiting:
        told.append("How long data waited is not known of %s (%s of all); in recovery after a timeout it never is" % (
            amount(waiting, "event"), percent(waiting / total["events"])))
    return told


def _session(session: Dict[str, Any], zone: Zone) -> List[Tuple[str, str]]:
    ended = session["ended_ns"]
    lasted = "" if ended is None or session["started_ns"] is None else " (%s)" % span(
        (ended - session["started_ns"]) / 1000)
    return [
        ("Host", shown(session["host"])),
        ("Kernel", shown(session["kernel"])),
        ("Started", "%s %s" % (zone.moment(session["started_ns"]), zone.name)),
        ("Ended", "not in order" if ended is None else "%s %s%s" % (zone.moment(ended), zone.name, lasted)),
        ("Started, UTC", Zone(None, utc=True).moment(session["started_ns"])),
        ("Attached by", "%s, %s buffer" % (shown(session["attach"]), shown(session["buffer"]))),
        ("Filter", shown(session["filter"]) if session["filter"] else "none: all events"),
        ("Events here", number(session["events"]) + (
            " and %s" % amount(session["failed"], "failed attempt") if session["failed"] else "")),
        ("Recorded with", "retrans_ctypes %s" % shown(session["version"])),
        ("Boot", shown(session["boot_id"])),
    ]


__all__ = ["REASON_WORDS", "Story", "UNKNOWN", "tell_story"]
