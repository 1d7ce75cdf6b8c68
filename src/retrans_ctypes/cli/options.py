"""What the commands' option parsers share."""

import argparse
import math
import os
import sys
from typing import Any, Dict, NoReturn, Optional

from ..errors import UsageError
from ..sinks.output import Output
from .exits import EXIT_CODES, epilog

_PACKAGE = __name__.rpartition(".cli.")[0]


class Parser(argparse.ArgumentParser):
    """Names the program as it was started, explains the exit codes, and writes as sinks do."""

    def __init__(
        self, command: str, description: str, exit_codes: Dict[int, str] = EXIT_CODES,
    ) -> None:
        super().__init__(
            prog="%s %s" % (program(), command), description=description,
            epilog=epilog(exit_codes), formatter_class=argparse.RawDescriptionHelpFormatter)

    def error(self, message: str) -> NoReturn:
        command = " ".join(word for word in self.prog.split() if not word.startswith("["))
        raise UsageError("%s; '%s --help' tells what there is" % (message, command))

    def _print_message(self, message: str, file: Optional[Any] = None) -> None:
        say(message)  # only --help is left: error() raises


def program() -> str:
    """How it was started: as a module, by a bundle's start script, or as a zip file."""
    name = os.path.basename(sys.argv[0])
    if name.endswith(".pyz"):
        return "python3 " + name
    return name if name == "retrans" else "python3 -m " + _PACKAGE


def say(text: str) -> None:
    """Text on stdout. print() would find out only when Python exits that it cannot be written."""
    output = Output()
    output.line(text.rstrip())
    output.flush()


def terminal_width() -> Optional[int]:
    """How wide the terminal on stdout is, None where there is none."""
    try:
        return os.get_terminal_size(1).columns if os.isatty(1) else None
    except OSError:
        return None


def seconds(text: str) -> float:
    """An argparse type: a duration."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError("'%s' is not a number of seconds above 0" % text)
    return value
