"""What a value that claims to be known has to be, in the traffic of these trials."""
from typing import Any, Callable, Dict, List, Tuple

from lab.link import CLIENT4, CLIENT6, DEAD4, DEAD6, SERVER4

FIN, SYN = 1, 2
ADDRESSES = {(CLIENT4, SERVER4), (SERVER4, CLIENT4), (CLIENT4, DEAD4), (CLIENT6, DEAD6)}
SECOND = 1000000  # in µs

Check = Callable[[Any], bool]


def sequence_space(event: Any) -> int:
    """How far `seq` and `end_seq` are apart by length and flags."""
    return int(event.len + bool(event.tcp_flags & SYN) + bool(event.tcp_flags & FIN))


# Field -> what must hold where it is known. Each needs only fields that are known together with it.
CHECKS: Dict[str, Check] = {
    "saddr": lambda event: (event.saddr, event.daddr) in ADDRESSES,
    "family": lambda event: event.family == (6 if ":" in event.saddr else 4),
    "state": lambda event: event.state == STATES.get(kind_of(event), event.state),
    "uid": lambda event: event.uid == 0,
    "mark": lambda event: event.mark == 0,
    "ifindex": lambda event: event.ifindex == 0,
    "end_seq": lambda event: (event.end_seq - event.seq) % (1 << 32) == sequence_space(event),
    "segs": lambda event: event.segs == 0 if event.err else 1 <= event.segs <= 64,
    "total_retrans": lambda event: 0 <= event.total_retrans < 100000,
    "snd_cwnd": lambda event: 1 <= event.snd_cwnd < 10000,
    "mss": lambda event: 500 <= event.mss <= 1460,
    "ca_state": lambda event: event.ca_state <= 4,
    "icsk_pending": lambda event: event.icsk_pending in (0, 1, 3, 5, 6),
    "ca_name": lambda event: event.ca_name == "cubic",
    "rto_us": lambda event: 4000 <= event.rto_us <= 120 * SECOND,
    "srtt_us": lambda event: 0 < event.srtt_us < 20 * SECOND,
    "stall_us": lambda event: 0 <= event.stall_us < 60 * SECOND,
    "bytes_sent": lambda event: event.bytes_retrans <= event.bytes_sent,
    "owner_pid": lambda event: event.owner_pid > 1,
    "reason": lambda event: event.reason in REASONS[kind_of(event)],
}
STATES = {"syn": "SYN_SENT", "synack": "NEW_SYN_RECV"}
REASONS = {"syn": ("syn",), "synack": ("synack",), "data": ("rto", "fast", "tlp", "loss_recovery", "pmtu")}


def kind_of(event: Any) -> str:
    """syn, synack or data, by what every way of attaching tells."""
    if event.kind == "synack":
        return "synack"
    return "syn" if event.state == "SYN_SENT" else "data"


def implausible(events: List[Any], netns: Tuple[int, int]) -> List[str]:
    """Sentences about known values that cannot be."""
    found = set()
    for event in events:
        for name, holds in CHECKS.items():
            value = getattr(event, name)
            if value is not None and not holds(event):
                found.add("{} of a {} event is {!r}".format(name, kind_of(event), value))
        if event.netns is not None and event.netns not in netns:
            found.add("netns is {}".format(event.netns))
    return sorted(found)[:20]
