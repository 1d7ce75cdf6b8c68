"""What a tracer can tell on this kernel. Mirrors tcpretrans_capabilities() of libtcpretrans.h."""

from typing import Any, Dict, NamedTuple, Tuple

from .event import Event
from .records import Names

ATTACH = Names({0: "auto", 1: "tp_btf", 2: "raw_tp", 3: "tp", 4: "kprobe"})
"""Ways of attaching, from the one tried first; ``kprobe`` only where asked for."""

BUFFERS = Names({0: "auto", 1: "ring", 2: "perf"})
"""Ways from the kernel to here."""

# Bits of `can`, in the order of enum tcpretrans_can.
CAN = ("ledger", "reason", "synack", "failed", "seed", "settle", "holders", "inherit", "cookie")


class Capabilities(NamedTuple):
    """How a tracer is attached and what it can therefore tell."""

    attach: str
    """How: one of ATTACH."""
    buffer: str
    """One of BUFFERS."""
    ledger: bool
    """Segments are counted as the kernel's RetransSegs counts them."""
    reason: bool
    """Every reason can be told; without it only ``syn`` and ``synack``."""
    synack: bool
    """SYN-ACKs sent again are events too."""
    failed: bool
    """Attempts that the kernel could not send are events too."""
    seed: bool
    """Sockets that were open at the start begin with what they had retransmitted by then."""
    settle: bool
    """What came after the last event of a socket is asked for at the end."""
    holders: bool
    """The open files of all processes are searched for owners."""
    inherit: bool
    """Connections not yet accepted are told to be those of who listens."""
    cookie: bool
    """A network namespace is told from a later one with the same inode."""
    missing: Tuple[str, ...]
    """Fields of the event that are never known here."""
    notes: Tuple[str, ...]
    """Why it is not more: sentences that begin with what they are about and a colon."""

    buffer_bytes: int
    """Size of the ring buffer, or of all perf buffers together."""

    @property
    def complete(self) -> bool:
        """Nothing is missing. (A note about the ring buffer tells of costs only.)"""
        return (not self.missing and all(getattr(self, name) for name in CAN)
                and all(note.startswith("ring: ") for note in self.notes))

    def why(self, topic: str) -> str:
        """The note about one of CAN or of the fields, without its topic; empty where there is none."""
        for note in self.notes:
            about, _, sentence = note.partition(": ")
            if about == topic:
                return sentence
        return ""

    def sentence(self) -> str:
        """For people, in a line."""
        lacking = [name for name in CAN if not getattr(self, name)] + list(self.missing)
        told = "never known here: " + ", ".join(dict.fromkeys(lacking)) if lacking else (
            "nothing is missing" if self.complete else "less is known here")
        return "attached by %s, %s buffer; %s" % (self.attach, self.buffer, told)

    def to_dict(self) -> Dict[str, Any]:
        """Ready for JSON."""
        return dict(self._asdict(), missing=list(self.missing), notes=list(self.notes))


def capabilities(
    attach: int, buffer: int, can: int, known: int, notes: str, buffer_bytes: int = 0,
) -> Capabilities:
    """From the library's numbers."""
    able = {name: bool(can >> bit & 1) for bit, name in enumerate(CAN)}
    missing = tuple(field.name for field in Event.FIELDS if field.bit and not known & field.bit)
    return Capabilities(attach=ATTACH[attach], buffer=BUFFERS[buffer], missing=missing,
                        notes=tuple(notes.splitlines()), buffer_bytes=buffer_bytes, **able)
