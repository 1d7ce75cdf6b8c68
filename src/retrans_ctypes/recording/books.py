"""What a tracer counted, for each file of a recording by itself."""

from typing import Any, Dict, Optional

from ..ledger import Ledger
from ..stats import Stats
from ..tracer import Tracer


class Books:
    """Stats and ledger since the tracer was opened, or since the last turn().

    What lies in the kernel's buffer at a turn is counted before it, and written after it.
    """

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._stats: Optional[Stats] = None
        self._ledger: Optional[Ledger] = None

    def stats(self) -> Dict[str, Any]:
        """By name."""
        now, before = self._tracer.stats(), self._stats
        return (now if before is None else Stats(*[last - first for last, first in zip(now, before)]))._asdict()

    def ledger(self) -> Dict[str, Any]:
        """As Ledger.to_dict(); where there is none, it says why."""
        able = self._tracer.capabilities
        if not able.ledger:
            return {"type": "ledger", "total": None, "namespaces": [], "why": able.why("ledger")}
        now = self._tracer.ledger()
        return (now if self._ledger is None else now.since(self._ledger)).to_dict()

    def turn(self) -> None:
        """From here on it is another file's."""
        self._stats = self._tracer.stats()
        if self._tracer.capabilities.ledger:
            self._ledger = self._tracer.ledger()
