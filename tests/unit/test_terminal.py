"""The command line on a terminal: what is shown depends on how wide that is."""
import os
import subprocess
import sys
from typing import Callable, List

import pytest
from lab.terminal import terminal

NARROW = "TIME PID COMM RADDR:RPORT REASON STALL(ms)"
MIDDLE = "TIME PID COMM LADDR:LPORT T> RADDR:RPORT STATE REASON STALL(ms)"
WIDE = MIDDLE + " USER NETNS WORKLOAD"


@pytest.fixture
def drawn(stub: Callable[..., str]) -> Callable[..., List[str]]:
    """The lines on a terminal of that width."""
    def drawn(width: int, *options: str, **variables: str) -> List[str]:
        environment = dict(os.environ, RETRANS_CTYPES_LIBRARY=stub(STUB_ERR="0"), **variables)
        with terminal(width) as screen:
            subprocess.run([sys.executable, "-m", "retrans_ctypes", "--duration", "0.1"] + list(options),
                           env=environment, stdout=screen.writer, stderr=subprocess.PIPE, check=True, timeout=30)
            return screen.lines()
    return drawn


@pytest.mark.parametrize("width, options, header", [
    (80, [], NARROW), (119, [], NARROW), (20, [], NARROW), (0, [], NARROW), (120, [], MIDDLE), (150, [], MIDDLE + " WORKLOAD"),
    (200, [], WIDE), (80, ["-v"], MIDDLE), (80, ["-l"], MIDDLE), (80, ["-s"], NARROW + " SEQ"), (200, ["-v"], WIDE),
    (80, ["-o", "cmdline"], "CMDLINE"), (200, ["--compat", "bcc"], "TIME PID IP LADDR:LPORT T> RADDR:RPORT STATE"),
])
def test_columns(drawn: Callable[..., List[str]], width: int, options: List[str], header: str) -> None:
    lines = drawn(width, *options)
    assert lines[1].split() == header.split()
    assert len(lines) == 2 + 3


def test_nothing_is_wider_than_80(drawn: Callable[..., List[str]]) -> None:
    lines = drawn(80)
    assert max(map(len, lines)) <= 80
    assert lines[2].split()[1:] == ["-", "-", "10.0.0.2:80", "synack", "-"]


def test_a_terminal_of_unknown_kind(drawn: Callable[..., List[str]]) -> None:
    assert drawn(80, TERM="dumb")[1].split() == NARROW.split()
    assert not any("\x1b" in line for line in drawn(80, TERM="xterm"))
