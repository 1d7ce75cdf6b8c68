"""Tracepoints and their fields, from tracefs."""

import os
import re
from fnmatch import fnmatchcase
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple

from .reading import read

_FIELD = re.compile(r"\s*field:(.*?);\s*offset:(\d+);\s*size:(\d+);(?:\s*signed:(\d+);)?")
_NAMED = re.compile(r"(.*?)\s*(\w+)((?:\[[^\]]*\])*)$")


class Field(NamedTuple):
    """One field of the record."""

    name: str
    type: str
    offset: int
    size: int
    signed: Optional[bool]

    @property
    def common(self) -> bool:
        """Whether every record begins with it."""
        return self.name.startswith("common_")


class Tracepoint(NamedTuple):
    """``problem``: why its fields are not known."""

    group: str
    name: str
    id: Optional[int]
    fields: Tuple[Field, ...]
    problem: Optional[str] = None

    def to_dict(self) -> Dict[str, Any]:
        return dict(self._asdict(), fields=[dict(field._asdict()) for field in self.fields])


def tracepoints(tracefs: str, pattern: str) -> List[Tracepoint]:
    """Those that match ``GROUP:NAME``, with the wildcards of a shell; ``NAME`` alone: in any group."""
    group, colon, name = pattern.rpartition(":")
    events = os.path.join(tracefs, "events")
    return [_tracepoint(events, there, found)
            for there in _folders(events) if fnmatchcase(there, group if colon else "*")
            for found in _folders(os.path.join(events, there)) if fnmatchcase(found, name)]


def _folders(folder: str) -> Iterator[str]:
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return
    for name in names:
        if os.path.isdir(os.path.join(folder, name)):
            yield name


def _tracepoint(events: str, group: str, name: str) -> Tracepoint:
    text, problem = read(os.path.join(events, group, name, "format"))
    if text is None:
        return Tracepoint(group, name, None, (), problem)
    number = re.search(r"^ID: (\d+)$", text, re.M)
    return Tracepoint(group, name, int(number.group(1)) if number else None, tuple(fields(text)))


def fields(text: str) -> Iterator[Field]:
    """What a ``format`` file says; lines that are no fields are passed over."""
    for line in text.splitlines():
        match = _FIELD.match(line)
        named = _NAMED.match(match.group(1).strip()) if match else None
        if match and named:
            kind, name, array = named.groups()
            yield Field(name, kind + array, int(match.group(2)), int(match.group(3)),
                        None if match.group(4) is None else match.group(4) != "0")
