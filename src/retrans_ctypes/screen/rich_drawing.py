"""Pages in colours, by rich. Texts are never its markup: whatever they hold is shown as it is."""

import io
from typing import Any, List

from ..extras import need
from .frame import BAD, GOOD, HEADER, PLAIN, STRONG, TITLE, Frame, Line, Look, Table, cut

# The 16 colours of the terminal's own theme. Where letters stand on a colour both are set, so they can be
# read on a dark theme as on a light one.
_STYLES = {
    TITLE: "bold", STRONG: "bold", GOOD: "green", BAD: "bold red", HEADER: "bold underline",
    "rto": "white on red", "fast": "black on yellow", "tlp": "black on cyan", "syn": "white on magenta",
    "synack": "white on blue", "loss_recovery": "black on green", "pmtu": "black on white",
    "unknown": "reverse",
}


class RichDrawing:
    """Draws with rich. Raises ExtraMissing where that is not installed."""

    def __init__(self) -> None:
        self._console = need("rich.console", extra="top").Console
        self._table = need("rich.table", extra="top").Table
        self._text = need("rich.text", extra="top").Text

    def draw(self, frame: Frame, look: Look) -> List[str]:
        """The lines of a page, with colours but without cursor codes."""
        file = io.StringIO()
        console = self._console(
            file=file, width=look.width, height=look.height, force_terminal=True, legacy_windows=False,
            color_system="standard", no_color=not look.colour, markup=False, highlight=False, emoji=False)
        for line in frame.head:
            console.print(self._line(line), no_wrap=True, overflow="crop", crop=True)
        console.print(self._made(frame.table, look), crop=True)
        lines = file.getvalue().splitlines()
        file.truncate(file.seek(0))
        for line in frame.foot:
            console.print(self._line(line), no_wrap=True, overflow="crop", crop=True)
        foot = file.getvalue().splitlines()
        return lines + [""] * (look.height - len(lines) - len(foot)) + foot

    def _line(self, line: Line) -> Any:
        text = self._text(no_wrap=True, overflow="crop")
        for part, style in line:
            text.append(part, style=_STYLES.get(style, ""))
        return text

    def _made(self, table: Table, look: Look) -> Any:
        made = self._table(
            box=None, padding=(0, 1, 0, 0), pad_edge=False, show_header=not table.words,
            header_style=_STYLES[HEADER], width=look.width)
        for place, column in enumerate(table.columns):
            title, width = cut(column.title, column.width), column.width
            if place == 0 and table.marked:
                title, width = " " + title, width + 1  # the mark of the chosen row
            made.add_column(self._text(title), width=width, no_wrap=True, overflow="crop",
                            justify="right" if column.right else "left")
        left = look.width - table.marked - sum(column.width + 1 for column in table.columns)
        if left > 0:
            made.add_column("", width=left)  # so that the chosen row is as wide as the screen
        for place, row in enumerate(table.rows):
            chosen = place == table.chosen
            mark: Line = [(">" if chosen else " ", PLAIN)] if table.marked else []
            made.add_row(*[self._line(cell) for cell in [mark + list(row[0]), *row[1:]]],
                         style="reverse" if chosen else None)
        return made
