"""The terminal comes back as it was, whatever happens; without a kernel."""
import os
import signal
import subprocess
import sys
import termios
from typing import Any, Callable

import pytest
from lab.screen import Screen
from lab.terminal import all_drawn
from retrans_ctypes.screen.terminal import Terminal
from retrans_ctypes.sinks.output import Output


def command(*options: str) -> Any:
    return [sys.executable, "-m", "retrans_ctypes", "top"] + list(options)


def test_an_exception_gives_the_terminal_back() -> None:
    ours, theirs = os.openpty()
    try:
        before = termios.tcgetattr(theirs)
        with pytest.raises(ZeroDivisionError), Terminal(Output(theirs), theirs, theirs) as terminal:
            assert termios.tcgetattr(theirs) != before
            terminal.draw(["one", "two"])
            1 // 0
        assert termios.tcgetattr(theirs) == before
        drawn = all_drawn(ours, theirs)
        assert drawn.startswith(b"\x1b[?1049h\x1b[?25l") and drawn.endswith(b"\x1b[?25h\x1b[?1049l")
        assert b"\x1b[H\x1b[Kone\x1b[0m\r\r\n\x1b[Ktwo\x1b[0m" in drawn
    finally:
        os.close(ours)
        os.close(theirs)


def test_a_size_that_changes_while_it_draws_is_not_forgotten() -> None:
    class Interrupted(Output):
        def write(self, data: memoryview) -> None:
            super().write(data)
            os.kill(os.getpid(), signal.SIGWINCH)

    ours, theirs = os.openpty()
    try:
        with Terminal(Interrupted(theirs), theirs, theirs) as terminal:
            terminal.draw(["one"])
            assert terminal.changed
    finally:
        os.close(ours)
        os.close(theirs)


def test_keys_and_descriptors_are_waited_for() -> None:
    ours, theirs = os.openpty()
    reader, writer = os.pipe()
    try:
        with Terminal(Output(theirs), theirs, theirs) as terminal:
            assert terminal.wait(0.0) == []
            os.write(ours, b"q\x1b[A")
            assert terminal.wait(5.0) == ["q", "up"]
            os.write(ours, b"\x1b")
            assert terminal.wait(5.0) + terminal.wait(5.0) == ["escape"]
            os.write(writer, b"x")
            assert terminal.wait(5.0, reader) == []
    finally:
        for descriptor in (ours, theirs, reader, writer):
            os.close(descriptor)


def test_nothing_is_drawn_where_the_kernel_refuses(stub: Callable[..., str]) -> None:
    with Screen(command(), RETRANS_CTYPES_LIBRARY=stub(STUB_OPEN_ERROR="1")) as screen:
        assert screen.end() == 3
        assert "\x1b" not in screen.raw.decode() and "the stub refuses" in screen.text


def test_a_failure_while_drawing_gives_the_terminal_back(stub: Callable[..., str], tmp_path: Any) -> None:
    """rich as it may be in years: something in it is gone."""
    package = tmp_path / "rich"
    package.mkdir()
    for name in ("__init__", "console", "table", "text"):
        (package / (name + ".py")).write_text("class Console:\n    pass\nTable = Text = Console\n")
    path = "%s:%s" % (tmp_path, os.environ["PYTHONPATH"])
    with Screen(command(), lines=50, RETRANS_CTYPES_LIBRARY=stub(), PYTHONPATH=path) as screen:
        assert screen.end() == 1
        assert screen.as_before and "TypeError" in screen.text


@pytest.mark.parametrize("options, sentence", [
    (["--by", "colour"], "invalid choice"), (["--sort", "x"], "invalid choice"), (["--interval", "0"], "above 0"),
    (["--top", "0"], "above 0"), (["--rate", "none", "--burst", "5"], "part of a limit")])
def test_bad_usage_is_one_sentence(stub: Callable[..., str], options: Any, sentence: str) -> None:
    with Screen(command(*options), columns=300, RETRANS_CTYPES_LIBRARY=stub()) as screen:
        assert screen.end() == 2
        assert sentence in screen.text and len([line for line in screen.lines if line]) == 1


@pytest.mark.parametrize("environment, yes", [
    ({}, False), ({"LANG": "C"}, False), ({"LANG": "C.UTF-8"}, True), ({"LC_ALL": "C", "LANG": "C.UTF-8"}, False),
    ({"LC_ALL": "C.UTF-8"}, True), ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, False)])
def test_locales(environment: Any, yes: bool) -> None:
    """In a process of its own: Python reads them once, and may change LC_CTYPE."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LC_") and name != "LANG"}
    asked = subprocess.run(
        [sys.executable, "-c", "from retrans_ctypes.cli.top import shows_unicode; print(shows_unicode())"],
        env=dict(kept, **environment), stdout=subprocess.PIPE, check=True, universal_newlines=True)
    assert asked.stdout.strip() == str(yes)
