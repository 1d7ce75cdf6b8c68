"""Traced events beside the oracle's truths, one by one."""
from collections import Counter, defaultdict, deque
from typing import Any, Deque, Dict, List, NamedTuple, Optional, Tuple

from .oracle import Truth

Key = Tuple[int, ...]


class Pair(NamedTuple):
    """One retransmission: what was traced and what is true."""

    event: Any
    truth: Truth


class Comparison(NamedTuple):
    pairs: List[Pair]
    only_traced: int   # the kernel skips a program that would interrupt itself, be it this one ...
    only_true: int     # ... or that one


def key_of_event(event: Any) -> Key:
    return (event.sport, event.dport, event.seq, event.end_seq, event.total_retrans, event.err)


def key_of_truth(truth: Truth) -> Key:
    record = truth.record
    return (record.sport, record.dport, record.seq, record.end_seq, record.total_retrans, record.err)


def compare(events: List[Any], truths: List[Truth]) -> Comparison:
    """Pair the events of one namespace with its truths; those that are alike, in order."""
    waiting: Dict[Key, Deque[Truth]] = defaultdict(deque)
    for truth in truths:
        waiting[key_of_truth(truth)].append(truth)
    pairs, only_traced = [], 0
    for event in events:
        if event.kind != "skb":
            continue
        same = waiting[key_of_event(event)]
        if same:
            pairs.append(Pair(event, same.popleft()))
        else:
            only_traced += 1
    return Comparison(pairs, only_traced, sum(map(len, waiting.values())))


def name(reason: Optional[str]) -> str:
    return reason or "unknown"


def confusion(pairs: List[Pair]) -> Dict[Tuple[str, str], int]:
    """(true reason, traced reason) -> how often."""
    return Counter((name(pair.truth.reason), name(pair.event.reason)) for pair in pairs)


def wrong(pairs: List[Pair]) -> List[Pair]:
    """Pairs whose traced reason is another one than the true one. Unknown is not wrong."""
    return [pair for pair in pairs if pair.event.reason not in (None, pair.truth.reason)]


def describe(pair: Pair) -> str:
    """What a failed assertion shall show of a pair."""
    event, truth = pair
    return "traced {}, true {}: pending {} ca_state {} state {} err {} flags {} by {}".format(
        name(event.reason), name(truth.reason), event.icsk_pending, event.ca_state, event.state,
        event.err, event.tcp_flags, truth.path())


class Waiting(NamedTuple):
    """How well `stall_us` does for one reason."""

    reason: str
    known: int         # events whose true waiting time is known
    covered: int       # of them: with a stall_us
    p50_us: float      # of the error
    p99_us: float
    worst_us: float


def percentile(ordered: List[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def waiting_times(pairs: List[Pair]) -> List[Waiting]:
    """One row for each reason."""
    known: Dict[str, int] = Counter()
    errors: Dict[str, List[float]] = defaultdict(list)
    for event, truth in pairs:
        if truth.waited_us is None:
            continue
        known[name(event.reason)] += 1
        if event.stall_us is not None:
            errors[name(event.reason)].append(abs(event.stall_us - truth.waited_us))
    rows = []
    for reason, count in sorted(known.items()):
        ordered = sorted(errors[reason]) or [float("nan")]
        rows.append(Waiting(reason, count, len(errors[reason]), percentile(ordered, 0.5),
                            percentile(ordered, 0.99), ordered[-1]))
    return rows
