"""What to look at, and the numbers that say so. Each rule claims only what the facts hold."""

import errno
import os
from typing import Any, Callable, Dict, Iterator, List, Optional

from ..event import NET_XMIT_DROP
from .facts import Facts
from .words import NS, Zone, amount, number, percent, shown, span

MOST_SHARE = 0.5
"""From here on something is 'most of it'."""

ONE_SHARE = 0.8
"""From here on one group has practically all."""

FEW = 20
"""Segments below which no share of them says much."""


class Advice(Dict[str, Any]):
    """``rule``, ``title``, ``text`` and the ``numbers`` it rests on."""

    def __init__(self, rule: str, title: str, text: str, **numbers: Any) -> None:
        super().__init__(rule=rule, title=title, text=text, numbers=numbers)


Advices = Iterator[Advice]


def advice(facts: Facts, zone: Zone) -> List[Advice]:
    """All that the facts give, first what is wrong with the picture itself."""
    rules: List[Callable[[Facts, Zone], Advices]] = [
        _incomplete, _failed, _unanswered, _listeners, _silences, _reasons, _spurious, _concentrated, _burst, _ratio]
    return [found for rule in rules for found in rule(facts, zone)]


def unit(facts: Facts, count: int) -> str:
    """``count`` of what is counted, as text."""
    return amount(count, "event" if facts["counted"] == "events" else "segment")


def lost(facts: Facts) -> Dict[str, int]:
    """What was seen by nobody, of all sessions together."""
    found: Dict[str, int] = {}
    for session in facts["sessions"]:
        stats = session["stats"] or {}
        for name in ("lost", "lost_segs", "limited", "limited_segs", "skipped_segs", "missed"):
            value = stats.get(name)
            found[name] = found.get(name, 0) + (value if isinstance(value, int) else 0)
    return found


def _incomplete(facts: Facts, zone: Zone) -> Advices:
    gone = lost(facts)
    if gone.get("lost"):
        yield Advice("lost", "The picture is incomplete: events were lost",
                     "The buffer was full for %s (%s). Record with a larger --ring-size, or with filters." % (
                         amount(gone["lost"], "event"), amount(gone["lost_segs"], "segment")),
                     lost=gone["lost"], lost_segs=gone["lost_segs"])
    if gone.get("limited"):
        flows = facts["limited"][:1]
        most = ", most of it of %s (%s)" % (shown(flows[0]["name"]), amount(flows[0]["segments"], "segment")) \
            if flows else ""
        yield Advice("limited", "A storm was cut short: the rate limit kept events back",
                     "%s (%s) of connections above --rate are in no other number here%s." % (
                         amount(gone["limited"], "event"), amount(gone["limited_segs"], "segment"), most),
                     limited=gone["limited"], limited_segs=gone["limited_segs"], flows=facts["limited"][:3])


def _failed(facts: Facts, zone: Zone) -> Advices:
    failed = facts["failed"]
    if not failed["events"]:
        return
    by_err: Dict[int, int] = {}
    for row in failed["rows"]:
        by_err[row["err"]] = by_err.get(row["err"], 0) + row["events"]
    err, events = max(by_err.items(), key=lambda item: item[1])
    where = next((row["remote"] for row in failed["rows"] if row["err"] == err and row["remote"]), None)
    yield Advice("failed", "This host itself could not send",
                 "%s never left it: %s %s%s. Such a failure is on this side of the wire: look at %s." % (
                     amount(failed["events"], "attempt"),
                     "all" if events == failed["events"] else "%s of them" % number(events), _error(err),
                     ", most to %s" % where if where else "",
                     "queues and shaping of the outgoing device (tc -s qdisc)" if err == NET_XMIT_DROP
                     else "routes, neighbours, packet filter and memory"),
                 events=failed["events"], by_err={str(err): count for err, count in by_err.items()})


def _error(err: int) -> str:
    if err == NET_XMIT_DROP:
        return "dropped by the local queue (NET_XMIT_DROP)"
    name = errno.errorcode.get(-err)
    return "with %s (%s)" % (name, os.strerror(-err)) if name else "with error %d" % err


def _unanswered(facts: Facts, zone: Zone) -> Advices:
    total = facts["total"]["segments"]
    for row in facts["unanswered"][:5]:
        share = row["syns"] / total if total else 0
        if row["answers"] or row["syns"] < 3 or share < 0.01:
            continue
        yield Advice(
            "unanswered", "No answer from %s" % shown(row["name"]),
            "%s of all %s (%s) are SYNs to it, first at %s, last at %s, up to %s in a row; no connection to it"
            " sent data again, so nothing here shows that anybody answers. Look for a firewall that drops, a wrong"
            " address, a listener that is full or gone." % (
                percent(share), _many(facts), number(row["syns"]), zone.clock(row["first_ns"], False),
                zone.clock(row["last_ns"], False), amount(max(1, row["timeouts"]), "timeout")),
            remote=row["name"], syns=row["syns"], share=share, timeouts=row["timeouts"],
            first_ns=row["first_ns"], last_ns=row["last_ns"])


def _many(facts: Facts) -> str:
    return "events" if facts["counted"] == "events" else "segments"


def _listeners(facts: Facts, zone: Zone) -> Advices:
    total, found = facts["total"], facts["total"]["reasons"].get("synack", 0)
    if found < FEW or found / total["segments"] < 0.1:
        return
    row = facts["listeners"][0]
    yield Advice(
        "synack", "Clients do not complete the handshake with %s" % shown(row["name"]),
        "%s of all %s (%s) are SYN-ACKs, most from this listener (%s). The client's last ACK does not come: a SYN"
        " flood from forged addresses, a way back that drops, or a listener whose accept queue is full"
        " (ss -ltn; nstat -az 'TcpExtListen*')." % (
            percent(found / total["segments"]), _many(facts), number(found),
            number(row["reasons"].get("synack", 0))),
        synacks=found, listener=row["name"], of_listener=row["reasons"].get("synack", 0))


def _silences(facts: Facts, zone: Zone) -> Advices:
    """Timeouts in a row: the longest, and how many remotes had one at the same time."""
    silences = [row for row in facts["silences"] if row["timeouts"] >= 2]
    if not silences:
        return
    worst = silences[0]
    same = [row for row in silences if row["begin_ns"] < worst["end_ns"] and worst["begin_ns"] < row["end_ns"]]
    many = len(same)
    yield Advice(
        "silence",
        "Timeouts in a row to %s for %s" % (
            worst["remote"] if many == 1 else "%d remotes" % many, span(worst["span_us"])),
        "From %s to %s, %s to %s followed one another, each after a second of waiting or more%s. So it is"
        " when a path is gone or a peer hangs: look for link flaps, route changes, failovers and reboots at"
        " that time." % (
            zone.moment(worst["begin_ns"], False), zone.clock(worst["end_ns"], False),
            amount(worst["timeouts"], "timeout"), worst["remote"],
            "" if many == 1 else "; %s had the same at that time, which speaks for this host's own link or"
                                 " something that they share" % amount(many - 1, "other remote")),
        remote=worst["remote"], begin_ns=worst["begin_ns"], end_ns=worst["end_ns"], timeouts=worst["timeouts"],
        remotes=many)


# Reason -> title, what it means and what to look at. For reasons that are most of what there is.
_MOSTLY = {
    "rto": ("Mostly timeouts",
            "Nothing came back that could have repaired the loss sooner: whole windows or lone packets"
            " vanished, or their ACKs did. Look for outages, full queues and policers on the path."),
    "fast": ("Mostly fast retransmits",
             "Single packets are lost inside a stream that goes on, and are repaired within a round trip. Look for a"
             " congested or faulty link (ethtool -S, switch counters), and whether the ratio matters at all."),
    "tlp": ("Mostly tail loss probes",
            "The last packets of a burst stay without an ACK, as with short requests and answers. Look for"
            " shallow buffers and policers that cut bursts, and for peers that delay ACKs."),
    "loss_recovery": ("Mostly recovery after timeouts",
                      "After a timeout whole windows were sent again. What counts is the timeout before: see"
                      " the reason rto."),
}


def _reasons(facts: Facts, zone: Zone) -> Advices:
    total, reasons = facts["total"]["segments"], facts["total"]["reasons"]
    if total >= FEW:
        for reason, (title, text) in _MOSTLY.items():
            share = reasons.get(reason, 0) / total
            if share >= MOST_SHARE:
                yield Advice("mostly", title, "%s of all %s are %s. %s" % (
                    percent(share), _many(facts), reason, text),
                    reason=reason, share=share, segments=reasons[reason])
    if reasons.get("pmtu"):
        yield Advice("pmtu", "The path takes smaller packets only",
                     "%s sent again because a router reported a smaller MTU. Look for tunnels and VPNs on"
                     " the way, and at the MTU of this host's device." % _were(facts, reasons["pmtu"]),
                     segments=reasons["pmtu"])


def _were(facts: Facts, count: int) -> str:
    return "%s %s" % (unit(facts, count), "was" if count == 1 else "were")


def _spurious(facts: Facts, zone: Zone) -> Advices:
    total = facts["total"]
    if total["dsacks"] >= 3 and total["dsacks"] >= 0.05 * total["segments"]:
        yield Advice("spurious", "Some of it was not needed",
                     "At least %s had arrived already: peers said so (DSACK). Delays or reordering%s were taken for"
                     " loss; look for parallel paths, and for delays that jump." % (
                         unit(facts, total["dsacks"]),
                         " (seen %s)" % amount(total["reorderings"], "time") if total["reorderings"] else ""),
                     dsacks=total["dsacks"], reorderings=total["reorderings"])


# Table -> one of it, and what it means that practically all is there.
_ONE = (
    ("remote", "remote", "Look at it and at the way there first."),
    ("flow", "connection", "It is not the network at large."),
    ("container", "container", ""),
    ("unit", "unit", ""),
    ("pid", "process", "Look at whom it talks to, and how."),
)


def _concentrated(facts: Facts, zone: Zone) -> Advices:
    """Practically all is in one group of several, or in one process."""
    if facts["total"]["segments"] < FEW:
        return
    for table, one, text in _ONE:
        rows, groups = facts["worst"][table]["rows"], facts["worst"][table]["groups"]
        if not rows or rows[0]["share"] < ONE_SHARE or table == "flow" and groups == 1:
            continue
        name, share = rows[0]["name"], rows[0]["share"]
        if table == "unit" and any(row["share"] >= ONE_SHARE for row in facts["worst"]["container"]["rows"][:1]):
            continue  # says it better
        yield Advice("one_" + table, "%s %s" % ("All in one" if share == 1 else "Nearly all in one", one),
                     ("%s has %s of all %s%s. %s" % (
                         shown(name), percent(share), _many(facts), _besides(groups, facts["worst"][table]["exact"]),
                         text)).strip(),
                     name=name, share=share, groups=groups)


def _besides(groups: int, exact: bool) -> str:
    if groups < 2:
        return ""
    if groups == 2:
        return "; there is one other"
    return "; there are %s%s others" % ("" if exact else "more than ", number(groups - 1))


def _burst(facts: Facts, zone: Zone) -> Advices:
    """Most of it came in a small part of the time."""
    steps, width = facts["timeline"]["steps"], facts["timeline"]["step_ns"]
    counts = {step["start_ns"]: sum(step["reasons"].values()) for step in steps}
    total = sum(counts.values())
    if total < FEW or not counts:
        return
    first, last = min(counts), max(counts)
    peak = max(counts, key=lambda start: counts[start])
    begin = end = peak
    while counts.get(begin - width, 0) * 4 >= counts[peak]:
        begin -= width
    while counts.get(end + width, 0) * 4 >= counts[peak]:
        end += width
    inside = sum(count for start, count in counts.items() if begin <= start <= end)
    part = (end + width - begin) / (last + width - first)
    if part > 0.2 or inside < MOST_SHARE * total:
        return
    yield Advice("burst", "It came in a burst",
                 "%s of all %s came from %s to %s, in %s of the time. Look for what else happened then." % (
                     percent(inside / total), _many(facts), zone.moment(begin, width < NS),
                     zone.clock(end + width, width < NS), percent(part)),
                 begin_ns=begin, end_ns=end + width, share=inside / total, part=part)


def _ratio(facts: Facts, zone: Zone) -> Advices:
    total = facts["total"]
    ratio: Optional[float] = total["ratio"]
    if ratio is None or total["segments"] < FEW:
        return
    if ratio >= 0.01:
        yield Advice("ratio", "%s of the bytes were sent more than once" % percent(ratio),
                     "%s of %s that these connections sent. From one in a hundred on, transfers become slower"
                     " noticeably." % (number(total["retransmitted"]), amount(total["sent"], "byte")),
                     ratio=ratio, retransmitted=total["retransmitted"], sent=total["sent"])
    elif ratio < 0.001:
        yield Advice("ratio_small", "Little was sent twice",
                     "%s of the bytes that these connections sent were retransmits. Such a share is usual on"
                     " the Internet; what hurts then is waiting, not volume." % percent(ratio),
                     ratio=ratio, retransmitted=total["retransmitted"], sent=total["sent"])
