"""How --help looks: a screen with examples, and --help-all with everything."""

import argparse
import textwrap
from typing import Dict, List, Sequence, Tuple

_WIDEST = 100  # longer lines are hard to read
_NARROWEST = 20
SCREEN = 24  # lines
_OPTIONS_AT = 24  # the column where the texts of options begin

Examples = Sequence[Tuple[str, str]]
"""Arguments, and what they do: shown as lines that can be pasted into a shell."""


def help_width() -> int:
    """Columns to use; COLUMNS in the environment counts, as it does for argparse."""
    import shutil  # takes milliseconds, and only help needs it

    return max(_NARROWEST, min(shutil.get_terminal_size().columns, _WIDEST))


def fill(text: str, width: int, indent: str = "", further: str = "") -> str:
    """Its paragraphs with lines as long as ``width`` allows."""
    return "\n\n".join(
        textwrap.fill(" ".join(paragraph.split()), width, initial_indent=indent,
                      subsequent_indent=indent + further, break_on_hyphens=False)
        for paragraph in text.split("\n\n"))


class Formatter(argparse.HelpFormatter):
    """Argparse's own, but for lines that follow the terminal, and flags told once."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=_OPTIONS_AT, width=help_width())

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return fill(text, width, indent)

    def _split_lines(self, text: str, width: int) -> List[str]:
        return fill(text, width).split("\n")

    def _format_action_invocation(self, action: argparse.Action) -> str:
        if not action.option_strings:
            return super()._format_action_invocation(action)
        flags = ", ".join(action.option_strings)
        if action.nargs == 0:
            return flags
        return "%s %s" % (flags, self._format_args(action, action.dest.upper()))


def examples_text(program: str, examples: Examples, width: int) -> str:
    """A line each; what it does stands behind it where there is room, else above it."""
    lines = [("  %s %s" % (program, arguments)).rstrip() for arguments, _ in examples]
    whats = ["# " + what for _, what in examples]
    column = min(max(map(len, lines)), width - 2 - max(map(len, whats)))
    text = ["examples:"]
    for line, what in zip(lines, whats):
        beside = "%-*s  %s" % (column, line, what)
        text += [beside] if len(beside) <= width else [fill(what, width, "  ", "# "), line]
    return "\n".join(text)


def commands_text(commands: Dict[str, str], width: int) -> str:
    """Two a line where there is room."""
    cells = ["%-8s %s" % item for item in commands.items()]
    half = (width - 2) // 2
    if max(map(len, cells)) >= half:
        return "\n".join(["commands:"] + ["  " + cell for cell in cells])
    rows = [cells[start:start + 2] for start in range(0, len(cells), 2)]
    return "\n".join(["commands:"] + [
        ("  " + "".join(cell.ljust(half) for cell in row)).rstrip() for row in rows])


def codes_text(codes: Dict[int, str], width: int) -> str:
    """What the exit codes mean."""
    lines = ["exit codes:"]
    for code, meaning in sorted(codes.items()):
        first, *more = fill(meaning, width - 7).split("\n")
        lines += ["  %3d  %s" % (code, first)] + [" " * 7 + line for line in more]
    return "\n".join(lines)

