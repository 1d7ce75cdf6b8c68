"""What a tracer counted, for each file of a recording by itself."""

from typing import Any, Dict, Optional, Tuple

from ..ledger import Ledger
from ..stats import Stats
from ..tracer import Tracer

_Moment = Tuple[Optional[Stats], Optional[Ledger]]


class Books:
    """Stats and ledger since the tracer was opened, or since the last turn().

    What lies in the kernel's buffer at a turn is counted before it, and written after it.
    """

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._from: _Moment = (None, None)
        self._told: _Moment = (None, None)

    def stats(self) -> Dict[str, Any]:
        """By name."""
        now, before = self._tracer.stats(), self._from[0]
        self._told = now, self._told[1]
        return (now if before is None else Stats(*[last - first for last, first in zip(now, before)]))._asdict()

    def ledger(self) -> Dict[str, Any]:
        """As Ledger.to_dict(); where there is none, it says why."""
        able = self._tracer.capabilities
        if not able.ledger:
            return {"type": "ledger", "total": None, "namespaces": [], "why": able.why("ledger")}
        now, before = self._tracer.ledger(), self._from[1]
        self._told = self._told[0], now
        return (now if before is None else now.since(before)).to_dict()

    def turn(self) -> None:
        """What comes after that which was told last is another file's."""
        self._from = self._told
