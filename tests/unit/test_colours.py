"""What is painted, and how it reads."""
from typing import Any, Dict, List

import pytest
from fake_library import event
from retrans_ctypes.clock import WallClock
from retrans_ctypes.event import REASONS
from retrans_ctypes.sinks.colours import BAD, BAD_TOO, GOOD, HEADING, NONE, WORSE, Colours, chosen_colours, style_of_reason
from retrans_ctypes.sinks.columns import COLUMNS, columns
from retrans_ctypes.sinks.output import Output
from retrans_ctypes.sinks.text import TextSink
from retrans_ctypes.workload import Workload

# Red, green, yellow, blue, magenta and cyan as terminals come with them.
PALETTES = {
    "xterm": "cd0000 00cd00 cdcd00 0000ee cd00cd 00cdcd", "the Linux console": "aa0000 00aa00 aa5500 0000aa aa00aa 00aaaa",
    "VTE": "c01c28 26a269 a2734c 12488b a347ba 2aa1b3", "Tango": "cc0000 4e9a06 c4a000 3465a4 75507b 06989a",
    "Windows": "c50f1f 13a10e c19c00 0037da 881798 3a96dd", "macOS": "990000 00a600 999900 0000b2 b200b2 00a6b2",
}


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    parts = [int(colour[at:at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(palette: str, number: int) -> float:
    """On black or on white, whichever is worse; 1 is none."""
    shade = luminance(palette.split()[number - 31])
    return min((shade + 0.05) / 0.05, 1.05 / (shade + 0.05))


@pytest.mark.parametrize("style", [GOOD, WORSE, BAD, BAD_TOO])
def test_colours_read_on_dark_and_light(style: str) -> None:
    number = int(style.split(";")[-1])
    assert all(contrast(palette, number) > 2.1 for palette in PALETTES.values())


def test_yellow_blue_and_cyan_do_not() -> None:
    """Why they are not used."""
    for number in (33, 34, 36):
        assert min(contrast(palette, number) for palette in PALETTES.values()) < 2.1


def test_every_reason_has_its_severity() -> None:
    styles = {reason: style_of_reason(reason) for reason in REASONS.values()}
    assert styles == {None: "", "rto": BAD, "fast": "", "tlp": "", "syn": WORSE, "synack": WORSE, "loss_recovery": BAD_TOO,
                      "pmtu": WORSE}


@pytest.mark.parametrize("when, variables, terminal, on", [
    ("auto", {"TERM": "xterm"}, True, True), ("auto", {"TERM": "xterm"}, False, False),
    ("auto", {"TERM": "dumb"}, True, False), ("auto", {}, True, False),
    ("auto", {"TERM": "xterm", "NO_COLOR": "1"}, True, False), ("auto", {"TERM": "xterm", "NO_COLOR": ""}, True, True),
    ("always", {"NO_COLOR": "1"}, False, True), ("never", {"TERM": "xterm"}, True, False),
])
def test_choice(monkeypatch: Any, when: str, variables: Dict[str, str], terminal: bool, on: bool) -> None:
    monkeypatch.setattr("os.isatty", lambda number: terminal)
    assert chosen_colours(when, 1, variables).on is on


def test_a_closed_output_has_none() -> None:
    assert chosen_colours("auto", 987, {"TERM": "xterm"}).on is False


class _Names:
    def workload(self, _: Any) -> Workload:
        return Workload(["\x1b[2J\n" for _ in Workload.FIELDS])


def drawn(colours: Colours, *events: Any) -> List[str]:
    output = Output()
    sink = TextSink(output, columns(COLUMNS), WallClock(offset_ns=0), _Names(), colours)  # type: ignore[arg-type]
    lines: List[str] = []
    output.flush = lambda: lines.extend(output._lines) or output._lines.clear()  # type: ignore[assignment,func-returns-value]
    sink.start()
    sink.write_all(events)
    return lines


def test_paint_has_no_width_and_nothing_hostile_gets_through() -> None:
    events = [event(reason=number, err=err, owner_comm=b"\x1b[31mred\x1b[0m") for number in range(8) for err in (0, -105)]
    plain, painted = drawn(NONE, *events), drawn(Colours(True), *events)
    assert painted != plain and all(line.isprintable() for line in plain)
    for code in (HEADING, BAD, BAD_TOO, WORSE):
        assert any("\x1b[%sm" % code in line for line in painted)
    bare = [line for line in painted]
    for code in (HEADING, BAD, BAD_TOO, WORSE, "0"):
        bare = [line.replace("\x1b[%sm" % code, "") for line in bare]
    assert bare == plain
    assert "\x1b[1;31m!>\x1b[0m" in "\n".join(painted)


def test_nothing_painted_is_empty() -> None:
    assert Colours(True).paint("", BAD) == "" and Colours(True).paint("a", "") == "a"
