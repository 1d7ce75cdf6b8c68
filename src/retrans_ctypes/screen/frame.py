"""What a page is made of, and how text is made to fit. Nothing here knows how it gets to a terminal."""

import unicodedata
from typing import List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ..sinks.printable import printable

# Names of styles; the empty one is the terminal's own. Reasons are styles too.
PLAIN, TITLE, STRONG, GOOD, BAD, BAR, HEADER = "", "title", "strong", "good", "bad", "bar", "header"

Span = Tuple[str, str]
"""Text, and the name of its style."""
Line = List[Span]


class Fitted(NamedTuple):
    """A column of a table, as wide as it is drawn."""

    title: str
    width: int
    right: bool = False


class Table(NamedTuple):
    """Every cell is a line that is no wider than its column."""

    columns: Sequence[Fitted]
    rows: Sequence[Sequence[Line]]
    chosen: Optional[int] = None
    """The row that stands out."""
    marked: bool = True
    """There is room for its mark."""
    words: bool = False
    """It has no titles."""


class Frame(NamedTuple):
    """A page: lines, a table, lines at the bottom."""

    head: Sequence[Line]
    table: Table
    foot: Sequence[Line] = ()


class Look(NamedTuple):
    """What the terminal can show."""

    width: int
    height: int
    unicode: bool
    colour: bool


def cells(text: str) -> int:
    """How wide ``text`` is on a terminal."""
    if text.isascii() if hasattr(text, "isascii") else len(text) == len(text.encode("utf-8", "replace")):
        return len(text)
    return sum(map(_cells_of, text))


def _cells_of(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def shown(text: str, look: Look) -> str:
    """``text``, which may hold anything, as this terminal can show it."""
    text = printable(text)
    return text if look.unicode else text.encode("ascii", "backslashreplace").decode("ascii")


def cut(text: str, width: int) -> str:
    """The beginning of ``text``, as far as there is room."""
    if cells(text) <= width:
        return text
    for place, letter in enumerate(text):
        width -= _cells_of(letter)
        if width < 0:
            return text[:place]
    return text


def shorten(text: str, width: int, look: Look) -> str:
    """``text`` without its middle, where it is too wide: both ends of an address tell something."""
    if cells(text) <= width:
        return text
    mark = "\u2026" if look.unicode else ".."
    room = width - len(mark)
    if room < 2:
        return cut(text, width)
    first = cut(text, room // 2)
    last = cut(text[::-1], room - cells(first))[::-1]
    return first + mark + last


def pad(text: str, width: int, right: bool = False) -> str:
    """``text`` with spaces, so that it is ``width`` wide."""
    spaces = " " * (width - cells(text))
    return spaces + text if right else text + spaces


def fit(line: Line, width: int) -> Line:
    """The beginning of a line, as far as there is room."""
    fitted: Line = []
    for text, style in line:
        text = cut(text, width)
        width -= cells(text)
        if text:
            fitted.append((text, style))
    return fitted


def width_of(line: Line) -> int:
    return sum(cells(text) for text, _ in line)


def bar(reasons: Mapping[str, int], width: int) -> Line:
    """Each reason's share as that many of its letter, the largest first. None that is there gets lost
    as long as there is room."""
    ranked = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))[:width]
    total = sum(count for _, count in ranked)
    if not total:
        return []
    lengths = [max(1, count * width // total) for _, count in ranked]
    while sum(lengths) > width:
        lengths[lengths.index(max(lengths))] -= 1
    lengths[0] += width - sum(lengths)
    return [(LETTERS.get(name, "?") * length, name) for (name, _), length in zip(ranked, lengths)]


LETTERS = {"rto": "R", "fast": "F", "tlp": "T", "syn": "S", "synack": "A", "loss_recovery": "L",
           "pmtu": "P", "unknown": "?"}
"""The letter of each reason."""
