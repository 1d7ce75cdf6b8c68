"""One way of attaching with one buffer: real retransmits beside what is true."""
import tempfile
import time
from collections import Counter, defaultdict
from contextlib import ExitStack
from typing import Any, Dict, List, NamedTuple, Optional

from lab.books import ended, inhabited
from lab.cast import Cast, user_at
from lab.link import Lab

from . import leavings
from .plausible import implausible, kind_of
from .traffic import CLASSES, Truth, make_lossy, play

POLL = 0.2


class Trial(NamedTuple):
    """What to try."""

    attach: str
    buffer: str
    btf: str              # "kernel", "hidden", or "file": hidden, and given as a file
    traffic: bool = True  # False: only whether and how it attaches

    @property
    def name(self) -> str:
        return "{} {} {}".format(self.attach, self.buffer, self.btf)


def ledger_of(tracer: Any, lab: Lab) -> Dict[str, Any]:
    """By side; None where there is none, or where this way of attaching has no ledger and says so."""
    from retrans_ctypes import RetransError

    if not tracer.capabilities.ledger:
        try:
            tracer.ledger()
        except RetransError:
            return {}
    rows = {row.netns: dict(row._asdict(), exact=row.exact) for row in tracer.ledger().rows}
    return {"client": rows.get(lab.client.inode), "server": rows.get(lab.server.inode)}


def owners_of(events: List[Any], lab: Lab, cast: Cast) -> Dict[str, int]:
    """Owners against the logs of the processes that used the sockets."""
    uses = cast.uses()
    by_port = {port: uses[lab.server.inode] for port in CLASSES}
    verdicts: "Counter[str]" = Counter()
    for event in events:
        user = user_at(by_port.get(event.sport, uses[lab.client.inode]), event)
        if user is None or event.err:
            continue  # a handshake of this process itself, or not yet accepted
        if event.owner_pid is None:
            verdicts["shared" if event.owner_shared else "unknown"] += 1
        else:
            verdicts["right" if event.owner_pid == user else "wrong"] += 1
    return dict(verdicts)


def known_of(events: List[Any]) -> Dict[str, Dict[str, List[int]]]:
    """For each kind of event and each field that may be unknown: in how many it is known, of how many."""
    from retrans_ctypes import Event

    names = [field.name for field in Event.FIELDS if field.optional and field.public]
    found: Dict[str, Dict[str, List[int]]] = defaultdict(dict)
    for kind in ("syn", "synack", "data"):
        mine = [event for event in events if kind_of(event) == kind and not event.err]
        for name in names:
            found[kind][name] = [sum(getattr(event, name) is not None for event in mine), len(mine)]
    return found


def without_strays(events: List[Any], lab: Lab) -> List[Any]:
    """A namespace lives on with its last orphaned socket, whose attempts fail since it has no link any
    more: such are not ours. What was sent from elsewhere would be wrong, and stays."""
    ours = (None, lab.client.inode, lab.server.inode)
    return [event for event in events if event.netns in ours or event.err == 0]


def describe(events: List[Any], lab: Lab, cast: Cast, truth: Truth) -> Dict[str, Any]:
    sent = [event for event in events if not event.err]
    return {
        "events": Counter(kind_of(event) for event in sent),
        "failed": Counter(event.err for event in events if event.err),
        "reasons": Counter("{} {}".format(kind_of(event), event.reason) for event in sent),
        "ways": Counter(event.owner_how or "unknown" for event in sent),
        "owners": owners_of(events, lab, cast),
        "known": known_of(events),
        "implausible": implausible(events, (lab.client.inode, lab.server.inode)),
        "unanswered": sum(kind_of(event) == "syn" and event.dport not in CLASSES for event in sent),
        "true_unanswered": sum(truth.syns), "true_synacks": truth.synacks(), "true_segs": truth.segments(),
    }


def trace(trial: Trial, btf: Optional[str], stack: ExitStack) -> Dict[str, Any]:
    from retrans_ctypes import Tracer

    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="retrans-vm-"))
    lab = stack.enter_context(Lab())
    make_lossy(lab)
    stack.enter_context(inhabited(lab))
    cast = stack.enter_context(Cast(lab, folder))
    opened = time.monotonic()
    tracer = stack.enter_context(Tracer(attach=trial.attach, buffer=trial.buffer, btf=btf))
    opening = time.monotonic() - opened
    truth = Truth(lab, cast)
    events: List[Any] = []
    play(lab, cast, truth, lambda: events.extend(tracer.poll(POLL)))
    events = without_strays(events + ended(tracer), lab)
    document = describe(events, lab, cast, truth)
    document.update(capabilities=tracer.capabilities.to_dict(), ledger=ledger_of(tracer, lab),
                    stats=tracer.stats()._asdict(), opening=round(opening, 2))
    return document


def run(trial: Trial, btf: Optional[str]) -> Dict[str, Any]:
    """The trial's part of the JSON document."""
    from retrans_ctypes import RetransError, Tracer

    started = time.monotonic()
    before = leavings.snapshot()
    document: Dict[str, Any] = dict(trial._asdict(), refused=None)
    try:
        if trial.traffic:
            with ExitStack() as stack:
                document.update(trace(trial, btf, stack))
        else:
            with Tracer(attach=trial.attach, buffer=trial.buffer, btf=btf) as tracer:
                document["capabilities"] = tracer.capabilities.to_dict()
    except RetransError as error:
        document["refused"] = "{}: {}".format(type(error).__name__, error)
    document["left"] = leavings.left(before)
    document["seconds"] = round(time.monotonic() - started, 1)
    return document
