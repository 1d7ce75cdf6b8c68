"""Colours on a terminal, of the 16 that each has.

Red, magenta and green are the three that can be read on black and on white in the usual palettes; what
is yellow or cyan is lost on white there, and what is blue on black. Nothing is told by colour alone.
"""

import os
from typing import Mapping, Optional

WHEN = ("auto", "always", "never")

HEADING = "1"
GOOD, WORSE, BAD = "32", "35", "1;31"
BAD_TOO = "31"
PLAIN = ""

# How much it costs: a timeout idles the connection, and what is sent by slow start follows one; a
# handshake that hangs keeps somebody waiting; the others repair while data flows.
_OF_REASON = {
    "rto": BAD, "loss_recovery": BAD_TOO, "syn": WORSE, "synack": WORSE, "pmtu": WORSE}


def style_of_reason(reason: Optional[str]) -> str:
    """By severity."""
    return _OF_REASON.get(reason or "", PLAIN)


class Colours:
    """Paints, or leaves text as it is."""

    def __init__(self, on: bool) -> None:
        self.on = on

    def paint(self, text: str, style: str) -> str:
        """``text`` has been through printable() and is as wide as it will be: what is added has no width."""
        return "\x1b[%sm%s\x1b[0m" % (style, text) if self.on and style and text else text


NONE = Colours(False)


def chosen_colours(
    when: str = "auto", descriptor: int = 1, environment: Mapping[str, str] = os.environ,
) -> Colours:
    """``when`` is one of WHEN. 'auto' is: on a terminal that can, unless NO_COLOR says no."""
    if when != "auto":
        return Colours(when == "always")
    able = environment.get("TERM", "") not in ("", "dumb") and not environment.get("NO_COLOR")
    try:
        return Colours(able and os.isatty(descriptor))
    except OSError:
        return NONE
