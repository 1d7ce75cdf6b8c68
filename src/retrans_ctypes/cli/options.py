"""What the commands' option parsers share."""

import argparse
import math
import os
import re
import sys
from typing import Any, Callable, Dict, NoReturn, Optional

from ..capabilities import ATTACH, BUFFERS
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


def above(least: int) -> Callable[[str], int]:
    """An argparse type: a whole number above ``least``, of 32 bits."""
    def whole(text: str) -> int:
        if not re.match(r"[0-9]+\Z", text) or not least < int(text) < (1 << 32) - 1:
            raise argparse.ArgumentTypeError(
                "'%s' is not a whole number above %d (and below 2^32)" % (text, least))
        return int(text)
    return whole


def rate(text: str) -> Optional[int]:
    """An argparse type: events a second, or 'none' for no limit."""
    return None if text == "none" else above(0)(text)


def size(text: str) -> int:
    """An argparse type: bytes, such as 16M."""
    bytes_ = _bytes(text)
    if not 0 < bytes_ < 1 << 32:
        raise argparse.ArgumentTypeError(
            "'%s' is not a size below 4G; write it as 16M or 512K" % text)
    return bytes_


def file_size(least: int) -> Callable[[str], int]:
    """An argparse type: bytes of a file, such as 2G, and no fewer than ``least``."""
    def bytes_of(text: str) -> int:
        bytes_ = _bytes(text)
        if not least <= bytes_ < 1 << 62:
            raise argparse.ArgumentTypeError("'%s' is not a size from %dK on; write it as 100M or 2G" % (
                text, least >> 10))
        return bytes_
    return bytes_of


def _bytes(text: str) -> int:
    match = re.match(r"([0-9]{1,12})([KMGT]?)\Z", text)
    return int(match.group(1)) << {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}[match.group(2)] if match else -1


def age(text: str) -> float:
    """An argparse type: a time with its unit, such as 90s, 15m, 1h or 7d; in seconds."""
    match = re.match(r"([0-9]{1,9})([smhd])\Z", text)
    value = int(match.group(1)) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[match.group(2)] if match else 0
    if not value:
        raise argparse.ArgumentTypeError("'%s' is not a time; write it as 90s, 15m, 1h or 7d" % text)
    return float(value)


def add_user(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--user", metavar="NAME",
                        help="drop all rights once attached, and be this user (or UID:GID)")


def add_ways(parser: argparse.ArgumentParser) -> Any:
    """How to trace; returns the group, for what else belongs there."""
    way = parser.add_argument_group("ways of tracing", "by default the best that works here")
    way.add_argument("--attach", choices=list(ATTACH.values()), default="auto", metavar="WAY",
                     help="how to attach: %s; 'doctor' tells what works here and why"
                          % ", ".join(ATTACH.values()))
    way.add_argument("--buffer", choices=list(BUFFERS.values()), default="auto",
                     help="how events come from the kernel")
    way.add_argument("--btf", metavar="FILE", help="type information of this very kernel, where it"
                                                   " gives none itself")
    return way
