"""The columns that text output can have, each described once, and which of them are shown."""

import errno
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

from ..clock import LOCAL, WIDTHS, WallClock
from ..errors import UsageError
from ..event import NET_XMIT_DROP, Event, endpoint
from ..workload import Enriched
from .colours import BAD, PLAIN, style_of_reason
from .printable import printable

UNKNOWN = "-"


def _plain(_: Event) -> str:
    return PLAIN


class Column(NamedTuple):
    """``text`` gives an event's cell; a longer one pushes the rest of the line to the right.

    ``names``: the fields of Workload that it shows. ``style``: how the cell is painted, see colours.py.
    """

    title: str
    width: int
    doc: str
    text: Callable[[Enriched, WallClock], str]
    names: Tuple[str, ...] = ()
    style: Callable[[Event], str] = _plain

    def pad(self, cell: str) -> str:
        return "%-*s" % (self.width, cell)


def _cell(value: Any) -> str:
    return UNKNOWN if value is None else str(value)


def _field(title: str, width: int, doc: str, name: str) -> Column:
    """A field of the event as it is."""
    return Column(title, width, doc, lambda record, _: _cell(getattr(record.event, name)))


def _name(title: str, width: int, doc: str, name: str) -> Column:
    """A field of the workload as it is."""
    return Column(
        title, width, doc, lambda record, _: _cell(getattr(record.workload, name)), (name,))


def _ms(title: str, doc: str, name: str) -> Column:
    """A field in microseconds, shown in milliseconds: to the microsecond below 10 seconds."""
    def text(record: Enriched, _: WallClock) -> str:
        micros = getattr(record.event, name)
        if micros is None:
            return UNKNOWN
        return "%.3f" % (micros / 1000) if micros < 9999999.5 else "%.1f" % (micros / 1000)
    return Column(title, 8, doc, text)


def _style_of_failed(event: Event) -> str:
    return BAD if event.failed else PLAIN


def _type(record: Enriched, _: WallClock) -> str:
    return "!>" if record.event.failed else "R>"


def _type_with_probes(record: Enriched, clock: WallClock) -> str:
    probe = record.event.reason == "tlp" and not record.event.failed
    return "L>" if probe else _type(record, clock)


def _state(record: Enriched, _: WallClock) -> str:
    event = record.event
    if not event.failed:
        return event.state
    err = event.err or 0
    why = "dropped by the local queue" if err == NET_XMIT_DROP else (
        errno.errorcode.get(-err, str(err)))
    return "%s (not sent: %s)" % (event.state, why)


def _netns(record: Enriched, _: WallClock) -> str:
    names = record.workload
    if names.netns_name is not None:
        return names.netns_name
    return _cell(record.event.netns) if names.netns_pid is None else "pid:%d" % names.netns_pid


def _user(record: Enriched, _: WallClock) -> str:
    return _cell(record.workload.user or record.event.uid)


def _container(record: Enriched, _: WallClock) -> str:
    names = record.workload
    if names.container_id is None:
        return UNKNOWN
    return "%s:%s" % (names.runtime or "?", names.container_id[:12])


def _pod(record: Enriched, _: WallClock) -> str:
    names = record.workload
    if names.pod_name is not None:
        return "%s/%s" % (names.pod_namespace, names.pod_name)
    return _cell(names.pod_uid)


def _workload(record: Enriched, clock: WallClock) -> str:
    """The name that tells a person most."""
    names = record.workload
    if names.pod_uid is not None:
        return _pod(record, clock)
    if names.container_id is not None:
        return _container(record, clock)
    return _cell(names.unit or names.cgroup)


_POD = ("pod_uid", "pod_namespace", "pod_name")
_CONTAINER = ("container_id", "runtime")

COLUMNS: Dict[str, Column] = {
    "time": Column("TIME", WIDTHS[LOCAL], "when, local time; UTC with --utc, and the date with --iso",
                   lambda record, clock: clock.text(record.event.ts_ns)),
    # The process that owns the socket. The running process would be a guess, mostly a wrong one:
    # retransmits happen in timers and on arriving packets.
    "pid": _field("PID", 7, "process that owns the socket", "owner_pid"),
    "comm": _field("COMM", 15, "name of the owner's thread", "owner_comm"),
    "how": _field("HOW", 9, "how the owner is known", "owner_how"),
    "ip": _field("IP", 2, "IP version", "family"),
    "laddr": Column("LADDR:LPORT", 20, "local address and port",
                    lambda record, _: record.event.local),
    "type": Column("T>", 2, "R retransmit, ! could not be sent; with -l also L, tail loss probe",
                   _type, style=_style_of_failed),
    "raddr": Column("RADDR:RPORT", 20, "remote address and port",
                    lambda record, _: record.event.remote),
    "state": Column("STATE", 12, "TCP state", _state, style=_style_of_failed),
    "reason": _field("REASON", 13, "why it was sent again", "reason")._replace(
        style=lambda event: style_of_reason(event.reason)),
    "stall": _ms("STALL_MS", "how long the data had been waiting", "stall_us"),
    "seq": _field("SEQ", 10, "first sequence number", "seq"),
    "segs": _field("SEGS", 4, "segments sent", "segs"),
    "len": _field("LEN", 6, "bytes of payload", "len"),
    "total": _field("TOTAL", 6, "segments this socket has retransmitted so far", "total_retrans"),
    "rto": _ms("RTO_MS", "retransmission timeout", "rto_us"),
    "srtt": _ms("SRTT_MS", "smoothed round-trip time", "srtt_us"),
    "cwnd": _field("CWND", 5, "congestion window in segments", "snd_cwnd"),
    "ca": _field("CA", 8, "congestion control", "ca_name"),
    "netns": Column("NETNS", 15, "network namespace: name, else a process in it, else number",
                    _netns, ("netns_name", "netns_pid")),
    "user": Column("USER", 10, "user, else uid", _user, ("user",)),
    "cgroup": _name("CGROUP", 40, "path of the cgroup", "cgroup"),
    "unit": _name("UNIT", 25, "systemd unit", "unit"),
    "container": Column("CONTAINER", 23, "runtime and first 12 digits of the container's id",
                        _container, _CONTAINER),
    "pod": Column("POD", 40, "Kubernetes namespace and pod, else the pod's uid", _pod, _POD),
    "workload": Column("WORKLOAD", 30, "pod, else container, else unit, else cgroup",
                       _workload, _POD + _CONTAINER + ("unit", "cgroup")),
    "cmdline": _name("CMDLINE", 40, "the owner's command line", "cmdline"),
}

_PROBES = COLUMNS["type"]._replace(text=_type_with_probes)

# Terminal width -> what fits. A file or a pipe has no width, and gets the last one.
_NARROW = "time pid comm raddr reason stall"
_MIDDLE = "time pid comm laddr type raddr state reason stall"
MARKED = 120  # from this width on, marks for failed attempts and loss probes are shown
_DEFAULTS = [
    (0, "raddr reason"),
    (47, "time raddr reason"),
    (72, "time comm raddr reason stall"),
    (80, _NARROW),
    (MARKED, _MIDDLE),
    (150, _MIDDLE + " workload"),
    (175, _MIDDLE + " user netns workload"),
]
_BCC = "time pid ip laddr type raddr state"


def default_columns(width: Optional[int], style: str = LOCAL) -> List[str]:
    """The names of what is shown on a terminal ``width`` characters wide, with times of that style
    (clock.py); None is no terminal."""
    wider = WIDTHS[style] - WIDTHS[LOCAL]
    fitting = [names for least, names in _DEFAULTS if width is None or not least or least + wider <= width]
    return fitting[-1].split()


def chosen_columns(text: str) -> List[str]:
    """Names from a list such as ``time,pid,comm``."""
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in COLUMNS:
            raise UsageError(
                "there is no column %r; '-o help' lists those that there are" % printable(name))
    return names


def columns(
    names: Iterable[str], sequence: bool = False, probes: bool = False, style: str = LOCAL,
) -> List[Column]:
    """The columns with these names, and what -s, -l and the style of times change in them."""
    wanted = list(names)
    if sequence and "seq" not in wanted:
        wanted.append("seq")
    changed = {"time": COLUMNS["time"]._replace(width=WIDTHS[style])}
    if probes:
        changed["type"] = _PROBES
    return [changed.get(name, COLUMNS[name]) for name in wanted]


def with_hosts(shown: Iterable[Column], name_of: Callable[[str], Optional[str]]) -> List[Column]:
    """The same, with names in place of the addresses that ``name_of`` knows one for."""
    changed = {
        COLUMNS["laddr"].title: lambda record, _: endpoint(
            name_of(record.event.saddr) or record.event.saddr, record.event.sport),
        COLUMNS["raddr"].title: lambda record, _: endpoint(
            name_of(record.event.daddr) or record.event.daddr, record.event.dport),
    }  # type: Dict[str, Callable[[Enriched, WallClock], str]]
    return [column._replace(text=changed.get(column.title, column.text)) for column in shown]


def bcc_columns(sequence: bool = False, probes: bool = False) -> List[Column]:
    """bcc's tcpretrans to the letter: it writes IPv6 addresses without brackets."""
    plain = {
        "time": COLUMNS["time"]._replace(
            width=8, text=lambda record, clock: clock.local(record.event.ts_ns)),
        "laddr": COLUMNS["laddr"]._replace(
            text=lambda record, _: "%s:%d" % (record.event.saddr, record.event.sport)),
        "raddr": COLUMNS["raddr"]._replace(
            text=lambda record, _: "%s:%d" % (record.event.daddr, record.event.dport)),
    }
    names = _BCC.split()
    return [plain.get(name, column)
            for name, column in zip(names + ["seq"], columns(names, sequence, probes))]


def names_shown(shown: Sequence[Column]) -> List[str]:
    """The fields of Workload that these columns show."""
    return [name for column in shown for name in column.names]


def describe() -> str:
    """What '-o help' prints."""
    return "\n".join("%-10s %s" % (name, column.doc) for name, column in COLUMNS.items())
