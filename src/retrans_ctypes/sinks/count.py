"""Retransmits counted for each flow, shown when tracing ends."""

from typing import Dict, List, Tuple

from ..event import Event
from . import Sink
from .ndjson import encode
from .output import Output
from .text import BANNER


class FlowCounts(Sink):
    """Counts only; the two below show the counts. A failed attempt is no retransmit."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._flows: Dict[Tuple[str, str], List[int]] = {}

    def write(self, event: Event) -> None:
        if event.failed:
            return
        counts = self._flows.setdefault((event.local, event.remote), [0, 0])
        counts[0] += 1
        counts[1] += event.segs or 0

    def rows(self) -> List[Tuple[str, str, int, int]]:
        """Local, remote, retransmits, segments. The largest last: that is next to the prompt."""
        rows = [(flow[0], flow[1], counts[0], counts[1]) for flow, counts in self._flows.items()]
        return sorted(rows, key=lambda row: (row[3], row[2], row[0], row[1]))


class TextFlowCounts(FlowCounts):
    """bcc's columns for -c, and the segments."""

    def start(self) -> None:
        self._output.line(BANNER)
        self._output.flush()

    def finish(self) -> None:
        self._output.line("\n%-25s %-25s %11s %10s" % (
            "LADDR:LPORT", "RADDR:RPORT", "RETRANSMITS", "SEGS"))
        for row in self.rows():
            self._output.line("%-21s <-> %-25s %11d %10d" % row)
        self._output.flush()


class NdjsonFlowCounts(FlowCounts):
    """One object for each flow, ``type`` is ``"flow"``."""

    def finish(self) -> None:
        for local, remote, retransmits, segs in self.rows():
            self._output.line(encode({
                "type": "flow", "local": local, "remote": remote,
                "retransmits": retransmits, "segs": segs}))
        self._output.flush()
