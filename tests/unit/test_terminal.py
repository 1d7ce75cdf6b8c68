"""The command line on a terminal: what is shown depends on how wide that is."""
import os
import subprocess
import sys
from typing import Callable, Dict, List

import pytest
from lab.terminal import terminal, unpainted

NARROW = "TIME PID COMM RADDR:RPORT REASON STALL_MS"
WITHOUT_PID = "TIME COMM RADDR:RPORT REASON STALL_MS"
SMALL = "TIME RADDR:RPORT REASON"
SMALLEST = "RADDR:RPORT REASON"
MIDDLE = "TIME PID COMM LADDR:LPORT T> RADDR:RPORT STATE REASON STALL_MS"
WIDE = MIDDLE + " USER NETNS WORKLOAD"


@pytest.fixture
def drawn(stub: Callable[..., str]) -> Callable[..., List[str]]:
    """The lines on a terminal of that width."""
    def drawn(width: int, *options: str, **variables: str) -> List[str]:
        environment = dict(os.environ, RETRANS_CTYPES_LIBRARY=stub(STUB_ERR="0"), TERM="xterm")
        environment.pop("NO_COLOR", None)
        environment.update(variables)
        with terminal(width) as screen:
            subprocess.run([sys.executable, "-m", "retrans_ctypes", "--duration", "0.1"] + list(options),
                           env=environment, stdout=screen.writer, stderr=subprocess.PIPE, check=True, timeout=30)
            return screen.lines()
    return drawn


@pytest.mark.parametrize("width, options, header", [
    (80, [], NARROW), (119, [], NARROW), (79, [], WITHOUT_PID), (72, [], WITHOUT_PID), (60, [], SMALL), (40, [], SMALLEST),
    (20, [], SMALLEST), (0, [], SMALLEST), (120, [], MIDDLE), (150, [], MIDDLE + " WORKLOAD"),
    (200, [], WIDE), (80, ["-v"], MIDDLE), (80, ["-l"], MIDDLE), (80, ["-s"], NARROW + " SEQ"), (200, ["-v"], WIDE),
    (80, ["--utc"], WITHOUT_PID), (81, ["--utc"], NARROW), (80, ["--iso"], SMALL), (100, ["--iso"], NARROW),
    (80, ["-o", "cmdline"], "CMDLINE"), (200, ["--compat", "bcc"], "TIME PID IP LADDR:LPORT T> RADDR:RPORT STATE"),
])
def test_columns(drawn: Callable[..., List[str]], width: int, options: List[str], header: str) -> None:
    lines = unpainted(drawn(width, *options))
    assert lines[1].split() == header.split()
    assert len(lines) == 2 + 3


def test_nothing_is_wider_than_80(drawn: Callable[..., List[str]]) -> None:
    lines = unpainted(drawn(80))
    assert max(map(len, lines)) <= 80
    assert lines[2].split()[1:] == ["-", "-", "10.0.0.2:80", "synack", "-"]


@pytest.mark.parametrize("width", [40, 47, 60, 80, 200])
def test_lines_of_any_terminal_stay_whole(drawn: Callable[..., List[str]], width: int) -> None:
    """No terminal has to break a line in the middle of a word."""
    lines = unpainted(drawn(width)[1:])
    assert len(lines) == 4 and max(map(len, lines)) <= width


HEADING = "\x1b[1mTIME "
REASON = "\x1b[35msynack\x1b[0m "


@pytest.mark.parametrize("options, variables, painted", [
    ([], {}, True), ([], {"TERM": "dumb"}, False), ([], {"TERM": ""}, False), ([], {"NO_COLOR": "1"}, False),
    ([], {"NO_COLOR": ""}, True), ([], {"NO_COLOR": "0"}, False),
    (["--color", "auto"], {"NO_COLOR": "1"}, False), (["--color", "always"], {"NO_COLOR": "1", "TERM": "dumb"}, True),
    (["--color", "never"], {}, False), (["--json"], {}, False), (["--json", "--color", "always"], {}, False),
    (["--color", "always", "-c"], {}, False),
])
def test_who_gets_colours(
    drawn: Callable[..., List[str]], options: List[str], variables: Dict[str, str], painted: bool,
) -> None:
    lines = drawn(80, *options, **variables)
    assert any("\x1b" in line for line in lines) == painted
    if painted:
        assert lines[1].startswith(HEADING) and all(REASON in line for line in lines[2:])
        assert not any("\x1b" in line for line in unpainted(lines)), "cursor codes"


@pytest.mark.parametrize("width", [0, 40, 80])
def test_sentences_are_folded_between_words(width: int) -> None:
    """And a path in them can still be copied."""
    path = "/a/rather/long/folder/for/one/terminal/lib.so"
    with terminal(width) as screen:
        done = subprocess.run([sys.executable, "-m", "retrans_ctypes", "--duration", "0.1"], timeout=30,
                              env=dict(os.environ, RETRANS_CTYPES_LIBRARY=path), stderr=screen.writer)
        lines = screen.lines()
    assert done.returncode == 5
    sentence = "retrans_ctypes: %s is not there" % path
    if width:
        assert all(len(line) <= width or line.strip() == path for line in lines) and len(lines) > 1
        assert " ".join(map(str.strip, lines)).startswith(sentence)
    else:
        assert len(lines) == 1 and lines[0].startswith(sentence)
