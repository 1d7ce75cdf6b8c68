"""One line an event, in the columns of bcc's tcpretrans."""

import errno
from typing import Callable, NamedTuple, Sequence

from ..clock import WallClock
from ..event import NET_XMIT_DROP, Event
from . import Sink
from .output import Output

BANNER = "Tracing retransmits ... Hit Ctrl-C to end"


class Column(NamedTuple):
    """``text`` gives an event's cell; a longer one pushes the rest of the line to the right."""

    title: str
    width: int
    text: Callable[[Event, WallClock], str]

    def pad(self, cell: str) -> str:
        return "%-*s" % (self.width, cell)


def _type(event: Event, _: WallClock) -> str:
    return "!>" if event.failed else "R>"


def _type_with_probes(event: Event, clock: WallClock) -> str:
    return "L>" if event.reason == "tlp" and not event.failed else _type(event, clock)


def _state(event: Event, _: WallClock) -> str:
    if not event.failed:
        return event.state
    why = "dropped by the local queue" if event.err == NET_XMIT_DROP else (
        errno.errorcode.get(-event.err, str(event.err)))
    return "%s (not sent: %s)" % (event.state, why)


def _sequence(event: Event, _: WallClock) -> str:
    return "-" if event.seq is None else str(event.seq)


COLUMNS = {
    "time": Column("TIME", 8, lambda event, clock: clock.local(event.ts_ns)),
    # The process that owns the socket. The running process would be a guess, mostly a wrong one:
    # retransmits happen in timers and on arriving packets.
    "pid": Column("PID", 7, lambda event, _: "-"),
    "ip": Column("IP", 2, lambda event, _: str(event.family)),
    "laddr": Column("LADDR:LPORT", 20, lambda event, _: event.local),
    "type": Column("T>", 2, _type),
    "type+tlp": Column("T>", 2, _type_with_probes),
    "raddr": Column("RADDR:RPORT", 20, lambda event, _: event.remote),
    "state": Column("STATE", 12, _state),
    "seq": Column("SEQ", 10, _sequence),
}


def bcc_columns(sequence: bool = False, probes: bool = False) -> Sequence[Column]:
    """What bcc's tcpretrans shows, with its -s and -l."""
    names = ["time", "pid", "ip", "laddr", "type+tlp" if probes else "type", "raddr", "state"]
    return [COLUMNS[name] for name in names + ["seq"] * sequence]


class TextSink(Sink):
    """Banner, header, then a line for each event."""

    def __init__(self, output: Output, columns: Sequence[Column], clock: WallClock) -> None:
        self._output = output
        self._columns = columns
        self._clock = clock

    def start(self) -> None:
        self._output.line(BANNER)
        self._output.line(self._row([column.title for column in self._columns]))
        self._output.flush()

    def write(self, event: Event) -> None:
        self._output.line(self._row(
            [column.text(event, self._clock) for column in self._columns]))

    def flush(self) -> None:
        self._output.flush()
        self._clock.sample()

    def _row(self, cells: Sequence[str]) -> str:
        padded = [column.pad(cell) for column, cell in zip(self._columns, cells)]
        return " ".join(padded).rstrip()
