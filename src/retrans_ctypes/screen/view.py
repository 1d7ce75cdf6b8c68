"""What is shown, and what each key changes in it."""

from typing import Callable, Dict, List, NamedTuple, Optional, Sequence

from ..event import endpoint
from ..grouping import GROUPINGS, Grouping
from .flows import SHOWN, Group
from .tally import SEGS, mean_stall_us, ratio, worst_stall_us

Number = Optional[float]


class Row(NamedTuple):
    """A group as it is shown."""

    group: Group
    rate: float
    """Segments a second, over the window."""
    owner: str
    """Who owns the flow, or one of the group's flows; may hold anything."""
    label: str
    """What the group is called on the screen: its name, or with the names of hosts."""

    @property
    def name(self) -> str:
        return self.group.name

    @property
    def total(self) -> int:
        return self.group.total[SEGS]

    @property
    def ratio(self) -> Number:
        return ratio(self.group.total)

    @property
    def stall(self) -> Number:
        """Mean over the window, in µs."""
        return mean_stall_us(self.group.recent)

    @property
    def worst(self) -> Number:
        """Longest stall in the window, in µs."""
        return worst_stall_us(self.group.recent)


SORTS: Dict[str, Callable[[Row], Number]] = {
    "rate": lambda row: row.rate,
    "total": lambda row: row.total,
    "ratio": lambda row: row.ratio,
    "stall": lambda row: row.stall,
    "worst": lambda row: row.worst,
    "name": lambda row: 0,
}
"""By what rows can be sorted, the largest first; names from A on."""


HostName = Callable[[str], Optional[str]]


def rows_of(groups: Dict[str, Group], window: float) -> List[Row]:
    return [Row(group, group.recent[SEGS] / window, _owner(group), group.name) for group in groups.values()]


def resolved(row: Row, by: str, host: HostName) -> Row:
    """``row`` with the names of hosts that ``host`` knows, in place of addresses."""
    event = row.group.flow.event if row.group.flow else None
    if event is None or by not in ("flow", "remote"):
        return row
    remote = host(event.daddr) or event.daddr
    if by == "remote":
        return row._replace(label=remote)
    return row._replace(label="%s -> %s" % (
        endpoint(host(event.saddr) or event.saddr, event.sport), endpoint(remote, event.dport)))


def _owner(group: Group) -> str:
    event = group.flow.event if group.flow else None
    if event is None or event.owner_pid is None:
        return "-"
    return "%s (%d)" % (event.owner_comm, event.owner_pid)


class View:
    """State of the screen. ``press()`` handles keys; what it cannot do itself, it returns as a word:
    "quit", "reset", "pause" or "group" (of which the caller then shows rows)."""

    def __init__(self, by: str = "flow", sort: str = "rate") -> None:
        self.by = by
        self.sort = sort
        self.filter = ""
        self.typing = False
        self.paused = False
        self.help = False
        self.detail: Optional[str] = None
        """The group whose events are shown."""
        self.back = 0
        """How many of its last events are scrolled past."""
        self.rows: List[Row] = []
        self._all: Sequence[Row] = ()
        self._chosen: Optional[str] = None
        self.page = 10
        """Rows of a page, to scroll by."""

    @property
    def grouping(self) -> Grouping:
        return GROUPINGS[self.by]

    def show(self, rows: Sequence[Row]) -> None:
        """Take these rows, of which the filter leaves some, sorted."""
        self._all = rows
        text = self.filter.lower()
        left = [row for row in rows if not text or text in row.name.lower() or text in row.owner.lower()]
        left.sort(key=lambda row: row.name)
        left.sort(key=lambda row: -row.total)
        if self.sort == "name":
            left.sort(key=lambda row: row.name)
        else:
            value = SORTS[self.sort]
            left.sort(key=lambda row: -1.0 if value(row) is None else value(row) or 0.0, reverse=True)
        self.rows = left

    @property
    def chosen(self) -> int:
        """Place of the chosen row: it follows its group; until one was chosen it is the first."""
        for place, row in enumerate(self.rows):
            if row.name == self._chosen:
                return place
        return 0

    def press(self, key: str) -> Optional[str]:
        """``key``: a letter, or a name as keys.py has them."""
        if self.typing:
            self._type(key)
            return None
        if self.help:
            self.help = False
            return "quit" if key == "q" else None
        if key in _MOVES:
            self._move(_MOVES[key](self.page))
            return None
        if len(key) == 1 and key in "123456789"[:len(SHOWN)]:
            return self._group(SHOWN[int(key) - 1])
        action = self._ACTIONS.get(key)
        return action(self) if action else None

    def _type(self, key: str) -> None:
        if key == "enter":
            self.typing = False
        elif key == "escape":
            self.typing, self.filter = False, ""
        elif key == "backspace":
            self.filter = self.filter[:-1]
        elif key == "kill":
            self.filter = ""
        elif len(key) == 1 and key.isprintable():
            self.filter += key
        self.show(self._all)

    def _move(self, by: int) -> None:
        if self.detail is not None:
            self.back = max(0, self.back - by)
        elif self.rows:
            self._chosen = self.rows[max(0, min(len(self.rows) - 1, self.chosen + by))].name

    def _group(self, by: str) -> str:
        self.by = by
        self.detail = None
        self._chosen = None
        return "group"

    def _next_group(self) -> str:
        return self._group(SHOWN[(SHOWN.index(self.by) + 1) % len(SHOWN)])

    def _next_sort(self, by: int = 1) -> None:
        names = list(SORTS)
        self.sort = names[(names.index(self.sort) + by) % len(names)]
        self.show(self._all)

    def _enter(self) -> None:
        if self.rows and self.detail is None:
            self.detail, self.back = self.rows[self.chosen].name, 0

    def _escape(self) -> None:
        if self.detail is not None:
            self.detail = None
        elif self.filter:
            self.filter = ""
            self.show(self._all)
        else:
            self._chosen = None

    def _start_typing(self) -> None:
        if self.detail is None:
            self.typing = True

    def _pause(self) -> str:
        self.paused = not self.paused
        return "pause"

    def _help(self) -> None:
        self.help = True

    _ACTIONS: Dict[str, Callable[["View"], Optional[str]]] = {
        "q": lambda view: "quit", "r": lambda view: "reset", "p": _pause, " ": _pause, "?": _help,
        "h": _help, "g": _next_group, "s": _next_sort, ">": _next_sort,
        "<": lambda view: view._next_sort(-1), "enter": _enter, "right": _enter, "escape": _escape,
        "left": _escape, "backspace": _escape, "/": _start_typing,
    }


_MOVES: Dict[str, Callable[[int], int]] = {
    "up": lambda page: -1, "k": lambda page: -1, "down": lambda page: 1, "j": lambda page: 1,
    "page up": lambda page: -page, "page down": lambda page: page,
    "home": lambda page: -1000000, "end": lambda page: 1000000,
}
