"""What a recording is made of."""

import json
from typing import Any, Dict, Iterator, Mapping, NamedTuple, Optional, Sequence, Tuple

from ..event import Event
from ..stats import is_count
from ..workload import Enriched, Workload

_LONGEST_NAME = 4 * 4096  # letters: 4096 bytes are kept of any, and what is no UTF-8 takes four for each


class Session(NamedTuple):
    """One run of ``record``. A recording has one or more, oldest first."""

    number: int
    """From 1 on, in this recording."""
    host: Optional[str]
    """Its name, as uname(2) has it."""
    kernel: Optional[str]
    """Its release and machine, such as ``6.1.0-50-cloud-amd64 x86_64``."""
    boot_id: Optional[str]
    version: Optional[str]
    """Of this package."""
    attach: Optional[str]
    """How it was attached: one of capabilities.ATTACH."""
    buffer: Optional[str]
    missing: Tuple[str, ...]
    """Fields that this way of attaching does not know."""
    filter: Optional[str]
    """The options that chose events, as they were typed; None: all events."""
    started_ns: Optional[int]
    """Since the epoch."""
    ended_ns: Optional[int]
    """None where the recorder was killed."""
    stats: Optional[Dict[str, Any]]
    """Stats by name. Where the recorder was killed, as they were about a second before."""
    ledger: Optional[Dict[str, Any]]
    """Ledger.to_dict(), as with ``stats``; None where there is none, or nothing was written yet."""


class Run(NamedTuple):
    """Events in a row that have the same names, still packed."""

    session: Session
    packed: bytes
    """What Event.read() takes."""
    offset_ns: int
    """What the wall clock was ahead of CLOCK_MONOTONIC, in which ``ts_ns`` is."""
    workload: Workload
    """Their names, as they were found while recording."""

    def enriched(self) -> Iterator[Enriched]:
        """Each event with its names."""
        return (Enriched(event, self.workload) for event in Event.read(self.packed))


# What is no text.
_KINDS = {"started_ns": int, "ended_ns": int, "missing": list, "stats": dict, "ledger": dict}


def make_session(number: int, values: Mapping[str, Any]) -> Session:
    """A session of what a file has for its fields; it may hold anything. Raises ValueError."""
    found = {name: _value(name, _KINDS.get(name, str), values.get(name)) for name in Session._fields[1:]}
    found["missing"] = tuple(map(str, found["missing"] or ()))
    return Session(number=number, **found)


def make_workload(values: Sequence[Any]) -> Workload:
    """As make_session(), for names in the order of Workload's fields."""
    for field, value in zip(Workload.FIELDS, values):
        if type(value) is str and len(value) > _LONGEST_NAME:
            raise ValueError("its '%s' has %d letters" % (field.name, len(value)))
    return Workload(_value(field.name, int if field.json_type == "integer" else str, value)
                    for field, value in zip(Workload.FIELDS, values))


def holds(number: int) -> bool:
    """Whether a recording can hold it: SQLite's integers have 64 bits."""
    return is_count(number)


def _value(name: str, kind: Any, value: Any) -> Any:
    if value is None:
        return None
    if type(value) is not kind or kind is int and not holds(value):
        raise ValueError("its '%s' cannot be %.60r" % (name, value))
    if kind is dict:
        try:
            json.dumps(value, allow_nan=False)  # Python reads NaN and Infinity, too, which no JSON has
        except RecursionError:
            raise ValueError("its '%s' is nested too deeply" % name)
    # JSON can write halves of characters, which no output takes.
    return value.encode("utf-8", "backslashreplace").decode("utf-8") if kind is str else value
