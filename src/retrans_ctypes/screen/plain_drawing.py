"""Pages as lines of text, with nothing but the standard library."""

from typing import List, Sequence

from .frame import Frame, Line, Look, Table, cut, pad


def draw(frame: Frame, look: Look) -> List[str]:
    """The lines of a page: no cursor codes, no colours, and none wider than the terminal."""
    lines = lines_of(frame.head) + draw_table(frame.table)
    lines += [""] * (look.height - len(lines) - len(frame.foot))
    return [cut(line, look.width).rstrip() for line in lines + lines_of(frame.foot)]


def lines_of(lines: Sequence[Line]) -> List[str]:
    return [_text(line) for line in lines]


def draw_table(table: Table) -> List[str]:
    blank = " " if table.marked else ""
    titles = [] if table.words else [blank + " ".join(
        pad(cut(column.title, column.width), column.width, column.right) for column in table.columns)]
    lines = []
    for place, row in enumerate(table.rows):
        mark = ">" if place == table.chosen else blank
        lines.append(mark + " ".join(
            _padded(cell, column.width, column.right) for cell, column in zip(row, table.columns)))
    return [line.rstrip() for line in titles + lines]


def _padded(cell: Line, width: int, right: bool) -> str:
    return pad(_text(cell), width, right)


def _text(line: Line) -> str:
    return "".join(text for text, _ in line)
