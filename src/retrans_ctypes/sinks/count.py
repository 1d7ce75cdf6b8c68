"""Retransmits counted for each flow, shown when tracing ends."""

from typing import Dict, List, NamedTuple, Optional, Tuple

from ..event import Event
from ..ndjson import encode
from . import Sink
from .output import Output
from .text import BANNER


MOST = 65536
"""Flows that are told apart; whoever makes more shall not have our memory."""

OTHERS = "*:*", "*:*"


class Row(NamedTuple):
    """One flow, or OTHERS: what came of flows beyond MOST."""

    local: str
    remote: str
    retransmits: int
    segs: Optional[int]
    """None where this kernel does not tell."""


class FlowCounts(Sink):
    """Counts only; the two below show the counts. A failed attempt is no retransmit."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._flows: Dict[Tuple[str, str], Tuple[int, Optional[int]]] = {}

    def write(self, event: Event) -> None:
        if event.failed:
            return
        flow = event.local, event.remote
        if len(self._flows) >= MOST and flow not in self._flows:
            flow = OTHERS
        events, segs = self._flows.get(flow, (0, 0))
        more = event.segs
        self._flows[flow] = events + 1, None if segs is None or more is None else segs + more

    def rows(self) -> List[Row]:
        """The largest last: that is next to the prompt."""
        rows = [Row(*flow, *counts) for flow, counts in self._flows.items()]
        return sorted(rows, key=lambda row: (row.segs or 0, row.retransmits, row.local, row.remote))


class TextFlowCounts(FlowCounts):
    """bcc's columns for -c, and the segments."""

    def __init__(self, output: Output, banner: Optional[str] = BANNER) -> None:
        super().__init__(output)
        self._banner = banner

    def start(self) -> None:
        if self._banner:
            self._output.line(self._banner)
            self._output.flush()

    def finish(self) -> None:
        self._output.line("\n%-25s %-25s %11s %10s" % (
            "LADDR:LPORT", "RADDR:RPORT", "RETRANSMITS", "SEGS"))
        for row in self.rows():
            self._output.line("%-21s <-> %-25s %11d %10s" % (
                row.local, row.remote, row.retransmits, "-" if row.segs is None else row.segs))
        self._output.flush()


class NdjsonFlowCounts(FlowCounts):
    """One object for each flow, ``type`` is ``"flow"``."""

    def finish(self) -> None:
        for row in self.rows():
            self._output.line(encode(dict(row._asdict(), type="flow")))
        self._output.flush()
