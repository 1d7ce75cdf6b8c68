"""Makes docs/images/top.svg: `top` as it looks on a terminal while `demo` runs beside it.

    PYTHONPATH=src:tests native/build/venv/bin/python -m lab.picture docs/images/top.svg [light]

As root. What is drawn are the cells of that terminal, on real retransmits; the host's name is made up.
"""
import sys
import time
from itertools import groupby
from typing import Any, List

from rich.color import Color
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import DEFAULT_TERMINAL_THEME, DIMMED_MONOKAI
from rich.text import Text

from lab import commands
from lab.screen import Screen

COLUMNS, LINES = 110, 22
SECONDS = 9.0  # of traffic, before the picture is taken
NAMED = ["unshare", "--uts", "sh", "-c", 'echo web-1 > /proc/sys/kernel/hostname && exec "$@"', "sh"]
# pyte's names of the 16 colours that rich calls otherwise
NAMES = {"brown": "yellow", "brightbrown": "bright_yellow"}

# rich's own format loads its font from the network.
FORMAT = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: monospace; font-size: {char_height}px; line-height: {line_height}px; }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g>
</g>
</svg>
"""


def style_of(cell: Any) -> Style:
    def colour(name: str) -> Any:
        if name == "default":
            return None
        name = NAMES.get(name, name)
        if name.startswith("bright") and "_" not in name:
            name = "bright_" + name[len("bright"):]
        return Color.parse(name)
    return Style(color=colour(cell.fg), bgcolor=colour(cell.bg), bold=cell.bold, underline=cell.underscore,
                 reverse=cell.reverse)


def cells(screen: Screen) -> List[Text]:
    """The terminal's lines with their styles."""
    screen.read()
    lines = []
    for number in range(screen.screen.lines):
        row = [screen.screen.buffer[number][column] for column in range(screen.screen.columns)]
        line = Text(end="")
        for style, group in groupby(row, style_of):
            line.append("".join(cell.data for cell in group), style)
        lines.append(line)
    return lines


def svg(screen: Screen, light: bool = False) -> str:
    console = Console(record=True, width=screen.screen.columns, file=open("/dev/null", "w"), force_terminal=True,
                      color_system="standard", legacy_windows=False)
    for line in cells(screen):
        console.print(line, no_wrap=True)
    return console.export_svg(title="retrans top", code_format=FORMAT, unique_id="top",
                              theme=DEFAULT_TERMINAL_THEME if light else DIMMED_MONOKAI)


def main(path: str, look: str = "dark") -> None:
    with commands.Child(commands.module("demo", "--duration", str(SECONDS + 6))) as demo:
        demo.wait_tracing()
        spaces = ",".join("retrans-demo-{}-{}".format(demo.process.pid, side) for side in "ab")
        with Screen(NAMED + commands.module("top", "--netns", spaces), columns=COLUMNS, lines=LINES) as screen:
            screen.wait(lambda text: "seg/s" in text, "screen")
            deadline = time.monotonic() + SECONDS
            while time.monotonic() < deadline:
                screen.read()
                time.sleep(0.05)
            picture = svg(screen, look == "light")
            screen.press("q")
            screen.end()
        demo.interrupt()
        demo.end()
    with open(path, "w", encoding="utf-8") as file:
        file.write(picture)


if __name__ == "__main__":
    main(*sys.argv[1:])
