"""What must hold in every trial, as data: by way of attaching and by what the kernel offers.

Nothing here asks for a kernel's version.
"""
from typing import Any, Callable, Dict, FrozenSet, List, NamedTuple, Tuple

Document = Dict[str, Any]
Offers = Dict[str, bool]

# Fields by what they are read from.
SENT = frozenset(["err"])
SEGMENTS = frozenset(["segs", "skipped_segs", "limited_segs"])
HEADER = frozenset("netns cgroup_id uid seq end_seq len tcp_flags".split())
SOCKET = frozenset("""
    snd_una total_retrans mark ifindex bytes_sent bytes_retrans bytes_acked ca_name rto_us
    snd_cwnd ssthresh packets_out sacked_out lost_out retrans_out delivered mss dsack_dups reord_seen
    undo_retrans ca_state icsk_pending retransmits backoff""".split())
ROUND_TRIP = frozenset(["srtt_us", "rttvar_us"])
REASON = frozenset(["reason"])
NONE: FrozenSet[str] = frozenset()


class Way(NamedTuple):
    """What one way of attaching promises."""

    ledger: bool
    failures: bool                      # attempts that failed are told, where the tracepoint does
    data: FrozenSet[str]                # fields known in every event about data,
    syn: FrozenSet[str]                 # about a SYN,
    synack: FrozenSet[str]              # about a SYN-ACK
    owners: float                       # share of the events about data whose owner must be known
    needs_btf: Tuple[str, ...]          # where type information may come from; empty: needs none


COUNTED = SENT | SEGMENTS | HEADER | REASON
FULL = Way(ledger=True, failures=True, data=COUNTED | SOCKET | ROUND_TRIP, syn=COUNTED | SOCKET,
           synack=COUNTED, owners=0.8, needs_btf=("kernel", "file"))

WAYS: Dict[str, Way] = {
    "tp_btf": FULL._replace(needs_btf=("kernel",)),
    "raw_tp": FULL,
    "tp": Way(ledger=False, failures=True, data=SENT, syn=SENT | REASON, synack=SENT | REASON, owners=0.0,
              needs_btf=()),
    "kprobe": Way(ledger=False, failures=False, data=HEADER | REASON | SOCKET | ROUND_TRIP,
                  syn=HEADER | REASON | SOCKET, synack=NONE, owners=0.0, needs_btf=("kernel", "file")),
}

# What `auto` has to find, by where type information may come from.
BEST = {"kernel": "tp_btf", "file": "raw_tp", "hidden": "tp"}

STALLS = 0.3          # of the events about data, how many have a waiting time at least
REASONS_UNSEEN = 0.7  # and a reason, where the kernel does not tell of congestion states,
REASONS_BEFORE = 0.9  # or where they are asked for before the kernel sends, as a kprobe does, or it skipped programs
DATA_EVENTS = 25  # of each trial at least; one may cover many segments


def way_of(trial: Document) -> str:
    return BEST[trial["btf"]] if trial["attach"] == "auto" else str(trial["attach"])


def possible(trial: Document, offers: Offers) -> bool:
    needs = WAYS[way_of(trial)].needs_btf
    return (not needs or trial["btf"] in needs) and (trial["buffer"] != "ring" or offers["ring"])


def refusal(trial: Document, offers: Offers) -> List[str]:
    """A trial that cannot work has to say so in one sentence that names what is missing."""
    sentence = trial["refused"]
    if possible(trial, offers):
        return ["refused: " + sentence] if sentence else []
    if not sentence:
        return ["worked where it cannot"]
    names_it = "BTF" in sentence or "type information" in sentence or "ring buffer" in sentence
    return [] if names_it and "\n" not in sentence else ["refused without saying what is missing: " + sentence]


def attached(trial: Document, offers: Offers) -> List[str]:
    buffer = trial["buffer"] if trial["buffer"] != "auto" else "ring" if offers["ring"] else "perf"
    wanted, found = (way_of(trial), buffer), tuple(trial["capabilities"][name] for name in ("attach", "buffer"))
    return [] if found == wanted else ["attached by {}, not by {}".format(found, wanted)]


def seen(trial: Document, offers: Offers) -> List[str]:
    """Handshakes are few, so each must be there; the kernel's skips, which are rare, are counted."""
    events, missed, found = trial["events"], trial["stats"]["missed"], []
    sure = WAYS[way_of(trial)].failures  # else attempts are seen, of which not every one is sent
    pairs = [("SYN", trial["unanswered"], trial["true_unanswered"])]
    if trial["capabilities"]["synack"]:
        pairs.append(("SYN-ACK", events.get("synack", 0), trial["true_synacks"]))
    for what, number, truth in pairs:
        if number < truth - missed or (number > truth and (sure or what != "SYN")):
            found.append("{} {} events, {} in truth".format(number, what, truth))
    if events.get("data", 0) < DATA_EVENTS:
        found.append("only {} events about data".format(events.get("data", 0)))
    if trial["stats"]["lost"]:
        found.append("{} events lost".format(trial["stats"]["lost"]))
    return found


def capable(trial: Document, offers: Offers) -> List[str]:
    """The tracer's own word about itself."""
    way, said = WAYS[way_of(trial)], trial["capabilities"]
    wanted = {"ledger": way.ledger, "failed": way.failures and offers["error"]}
    if way is not WAYS["kprobe"]:
        wanted["synack"] = offers["synack"]
    return ["says {}: {}".format(name, said[name]) for name, value in wanted.items() if said[name] != value]


def ledger(trial: Document, offers: Offers) -> List[str]:
    if not WAYS[way_of(trial)].ledger:
        return ["there is a ledger where there cannot be one"] if trial["ledger"] else []
    found = []
    for side, row in trial["ledger"].items():
        if row is None or row["kernel"] != trial["true_segs"][side]:
            found.append("the ledger of the {} is {}, not about {} segments".format(
                side, row, trial["true_segs"][side]))
        elif not row["exact"]:
            found.append("the ledger of the {} is not exact: {}".format(side, row))
    return found


def owners(trial: Document, offers: Offers) -> List[str]:
    verdicts = trial["owners"]
    total = sum(verdicts.values())
    if verdicts.get("wrong"):
        return ["owners: {}".format(verdicts)]
    enough = verdicts.get("right", 0) >= WAYS[way_of(trial)].owners * total
    return [] if enough else ["too few owners: {}".format(verdicts)]


def share_of(name: str, kind: str, offers: Offers, way: Way, missed: int) -> float:
    """Why data is sent again after a timeout may remain open where nobody saw the state change: the kernel tells
    nobody of it, or skipped the program (`missed`)."""
    if name != "reason" or kind != "data":
        return 1.0
    if not offers["congestion"]:
        return REASONS_UNSEEN
    return REASONS_BEFORE if missed or way is WAYS["kprobe"] else 1.0


def known(trial: Document, offers: Offers) -> List[str]:
    """What is promised is there, what is named as missing is not, and both are all there is to it."""
    way, missing, found = WAYS[way_of(trial)], set(trial["capabilities"]["missing"]), []
    missed = trial["stats"]["missed"]
    for kind in ("syn", "synack", "data"):
        promised = getattr(way, kind)
        for name, (number, total) in trial["known"][kind].items():
            if name in promised and number < total * share_of(name, kind, offers, way, missed):
                found.append("{} is known in {} of {} {} events, {} times skipped".format(
                    name, number, total, kind, missed))
            if name in missing and number:
                found.append("{} is said to be missing, and known in {} {} events".format(name, number, kind))
    return found


def stall(trial: Document, offers: Offers) -> List[str]:
    """It needs the tracepoint of congestion states; without, only what needs no look ahead is known."""
    if not WAYS[way_of(trial)].ledger or not offers["congestion"]:
        return []
    (syn, syns), (data, total) = trial["known"]["syn"]["stall_us"], trial["known"]["data"]["stall_us"]
    found = [] if syn == syns else ["stall_us is known in {} of {} syn events".format(syn, syns)]
    if data < STALLS * total:
        found.append("stall_us is known in {} of {} data events".format(data, total))
    return found


def failed(trial: Document, offers: Offers) -> List[str]:
    if trial["failed"] and not (WAYS[way_of(trial)].failures and offers["error"]):
        return ["failures are told where they cannot be known: {}".format(trial["failed"])]
    return []


def clean(trial: Document, offers: Offers) -> List[str]:
    return ["left behind: " + thing for thing in trial["left"]]


Check = Callable[[Document, Offers], List[str]]
ATTACHED: Tuple[Check, ...] = (attached, capable)
TRACED: Tuple[Check, ...] = (seen, ledger, owners, known, stall, failed)


def problems(trial: Document, offers: Offers) -> List[str]:
    """Sentences about what does not hold; none, and the trial has passed."""
    if trial.get("broken"):
        return ["broken: " + str(trial["broken"]).strip()]
    found = refusal(trial, offers) + clean(trial, offers)
    if trial["refused"]:
        return found
    for check in ATTACHED + (TRACED if trial["traffic"] else ()):
        found += check(trial, offers)
    return found + list(trial.get("implausible", []))
