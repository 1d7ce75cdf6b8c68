"""The ledger: what the kernel counted against what became of it, in segments.

For each network namespace

    kernel = delivered + filtered + failed + limited + lost + unexplained

where ``kernel`` is what RetransSegs grew by while the programs were attached. That counter is read
before and after attaching, and before and after detaching; what it moved by in between could be on
either side, and is the uncertainty.
"""

from collections import Counter
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Optional, Tuple

from .kernel_counters import Readings
from .stats import NetnsCount, is_count


class LedgerRow(NamedTuple):
    """One network namespace, in segments."""

    netns: Optional[int]
    """Inode of the namespace; None in the row of all together."""
    kernel: Optional[int]
    """What RetransSegs grew by, as near to ours as the uncertainty allows; None where that counter
    could not be read."""
    delivered: int
    """In events written into the ring buffer, SYN-ACKs included."""
    filtered: int
    """In events that the filter kept back."""
    failed: int
    """Counted by the kernel although sending them failed."""
    limited: int
    """In events that the rate limit kept back."""
    lost: int
    """Of events for which the ring buffer had no room, or for which the kernel skipped our program;
    before Linux 6.17 also failed transmissions, which have no event there (TCPRetransFail)."""
    unexplained: Optional[int]
    """What of ``kernel`` is none of these; negative: we counted more than the kernel."""
    uncertainty: Optional[int]
    """Segments the kernel counted while we were attaching or detaching; None: not bounded."""

    @property
    def exact(self) -> bool:
        """Everything the kernel counted is accounted for, with no doubt."""
        return self.unexplained == 0 and self.uncertainty == 0

    @property
    def accounted(self) -> int:
        """Segments of which we know what became of them: all but ``unexplained``."""
        return self.delivered + self.filtered + self.failed + self.limited + self.lost

    def plus(self, other: "LedgerRow", sign: int = 1) -> "LedgerRow":
        """Both together, or with -1 what ``other`` has less; the doubts of both in any case."""
        def together(name: str, by: int) -> Any:
            mine, others = getattr(self, name), getattr(other, name)
            return None if mine is None or others is None else mine + by * others
        return self._replace(uncertainty=together("uncertainty", 1), **{
            name: together(name, sign) for name in self._fields if name not in ("netns", "uncertainty")})

    def sentence(self) -> str:
        """For people."""
        parts = "delivered %d + filtered %d + failed %d + rate-limited %d + lost %d" % (
            self.delivered, self.filtered, self.failed, self.limited, self.lost)
        if self.kernel is None:
            return "kernel counter unreadable; " + parts
        doubt = ""
        if self.uncertainty is None:
            doubt = " (uncertainty not bounded)"
        elif self.uncertainty:
            doubt = " (uncertainty %d)" % self.uncertainty
        return "kernel %d = %s + unexplained %s%s" % (self.kernel, parts, self.unexplained, doubt)


_MAY_BE_UNKNOWN = ("netns", "kernel", "unexplained", "uncertainty")


class Ledger(NamedTuple):
    """All namespaces in which something was retransmitted, or whose counter cannot tell."""

    rows: Tuple[LedgerRow, ...]
    """By the namespaces' inodes."""

    @classmethod
    def from_dict(cls, fields: Dict[str, Any]) -> "Ledger":
        """The ledger that to_dict() gave ``fields`` of. Raises ValueError where it gave no such."""
        rows = fields.get("namespaces")
        if not isinstance(rows, list):
            raise ValueError("a ledger without namespaces")
        return cls(tuple(map(_row_of, rows)))

    @property
    def unreadable(self) -> List[LedgerRow]:
        """The namespaces whose counter could not be read: ``kernel`` is None there."""
        return [row for row in self.rows if row.kernel is None]

    @property
    def total(self) -> LedgerRow:
        """The namespaces whose counter could be read, together."""
        rows = [row for row in self.rows if row.kernel is not None]
        doubts = [row.uncertainty for row in rows]
        return LedgerRow(
            netns=None,
            kernel=sum(row.kernel or 0 for row in rows),
            delivered=sum(row.delivered for row in rows),
            filtered=sum(row.filtered for row in rows),
            failed=sum(row.failed for row in rows),
            limited=sum(row.limited for row in rows),
            lost=sum(row.lost for row in rows),
            unexplained=sum(row.unexplained or 0 for row in rows),
            uncertainty=None if None in doubts else sum(doubt or 0 for doubt in doubts))

    @property
    def exact(self) -> bool:
        """Every namespace's counter could be read, and everything in them is accounted for."""
        return self.total.exact and not self.unreadable

    def since(self, before: "Ledger") -> "Ledger":
        """What happened between ``before``, an earlier ledger of the same tracer, and this one."""
        earlier, now = _by_netns(before.rows), _by_netns(self.rows)
        rows = [row.plus(earlier[netns], -1) if netns in earlier else row for netns, row in now.items()]
        return Ledger(tuple(row for row in rows if row.kernel != 0 or row.accounted))

    def sentence(self) -> str:
        """The line that ends ``trace``."""
        parts = [self.total.sentence()] if len(self.unreadable) < len(self.rows) or not self.rows else []
        odd = sum(1 for row in self.rows if row.unexplained)
        if odd:
            parts.append("%d of %s with a remainder" % (odd, _namespaces(len(self.rows))))
        if self.unreadable:
            parts.append("kernel counter unreadable in %s, with %d segments" % (
                _namespaces(len(self.unreadable)), sum(row.accounted for row in self.unreadable)))
        return "ledger: " + "; ".join(parts)

    def to_dict(self) -> Dict[str, Any]:
        """Ready for JSON."""
        total = dict(_json(self.total), exact=self.exact, unreadable=len(self.unreadable))
        return {"type": "ledger", "total": total, "namespaces": [_json(row) for row in self.rows]}


def _by_netns(rows: Iterable[LedgerRow]) -> Dict[Optional[int], LedgerRow]:
    """Namespaces that had a number one after the other are one row here."""
    found: Dict[Optional[int], LedgerRow] = {}
    for row in rows:
        found[row.netns] = found[row.netns].plus(row) if row.netns in found else row
    return found


def _namespaces(number: int) -> str:
    return "%d namespace%s" % (number, "" if number == 1 else "s")


def _json(row: LedgerRow) -> Dict[str, Any]:
    return dict(row._asdict(), exact=row.exact)


def _row_of(fields: Any) -> LedgerRow:
    values: List[Any] = [fields.get(name) if isinstance(fields, dict) else "" for name in LedgerRow._fields]
    for name, value in zip(LedgerRow._fields, values):
        if not is_count(value) and not (value is None and name in _MAY_BE_UNKNOWN):
            raise ValueError("a ledger's '%s' cannot be %.60r" % (name, value))
    return LedgerRow(*values)


class Bookkeeper:
    """Takes the readings at the right moments and makes the ledger of them."""

    def __init__(self, read: Callable[[], Readings]) -> None:
        """Before attaching."""
        self._read = read
        self._before_attach = read()
        self._after_attach: Readings = {}
        self._before_detach: Optional[Readings] = None
        self._after_detach: Optional[Readings] = None

    def attached(self, read: Callable[[], Readings]) -> None:
        """Just after attaching. From now on ``read`` takes the readings."""
        self._after_attach = self._read()
        self._read = read

    def detaching(self) -> None:
        """Just before detaching; left out where nobody knows that moment."""
        if self._before_detach is None:
            self._before_detach = self._read()

    def detached(self) -> None:
        """Just after detaching."""
        if self._after_detach is None:
            self._after_detach = self._read()

    def ledger(self, count: Callable[[], Iterable[NetnsCount]]) -> Ledger:
        """``count`` asks the programs. Once detached, the end is the moment of detaching."""
        if self._after_detach is None:
            before = self._read()  # type: Optional[Readings]
            counts = list(count())
            after = self._read()
        else:
            before, after = self._before_detach, self._after_detach
            counts = list(count())
        counted = Counter(row.netns for row in counts)
        after = {netns: None if counted[netns] > 1 and reading and not reading.cookie else reading
                 for netns, reading in after.items()}  # whose of those with this number?
        rows = [self._row(count, before, after) for count in counts]
        rows += [self._row(NetnsCount(0, netns, 0, 0, 0, 0, 0, 0, 0, 0), before, after)
                 for netns in after if netns not in counted]
        return Ledger(tuple(sorted(
            (row for row in rows if row.kernel != 0 or row.accounted), key=lambda row: row.netns or 0)))

    def _row(self, count: NetnsCount, before: Optional[Readings], after: Readings) -> LedgerRow:
        row = LedgerRow(
            netns=count.netns, kernel=None, delivered=count.segs, filtered=count.filtered_segs,
            failed=count.failed_segs, limited=count.limited_segs, lost=count.lost_segs + count.skipped_segs,
            unexplained=None, uncertainty=None)
        most = self._grown(count, after, self._before_attach)
        if most is None:
            return row
        if before is None:  # nobody knows when it was detached
            return row._replace(kernel=most, unexplained=most - row.accounted)
        # a namespace that was not there yet had counted nothing
        least = max(0, self._grown(count, before, self._after_attach) or 0)
        kernel = min(max(row.accounted, least), most)
        return row._replace(
            kernel=kernel, unexplained=kernel - row.accounted, uncertainty=most - least)

    @staticmethod
    def _grown(count: NetnsCount, end: Readings, start: Readings) -> Optional[int]:
        """What the counter grew by; a namespace made after the start began with 0."""
        last = end.get(count.netns)
        if last is None or (count.cookie and last.cookie and count.cookie != last.cookie):
            return None  # gone, and perhaps its number given to another
        if count.netns in start and start[count.netns] is None:
            return None
        first = start.get(count.netns)
        if first is None or first.cookie and last.cookie and first.cookie != last.cookie:
            return last.segs
        if last.segs < first.segs:
            return None  # without cookies (before 5.12, or without rights): it is another by now
        return last.segs - first.segs
