"""What the commands' option parsers share."""

import argparse
import math
import os
import re
import sys
from typing import Any, Callable, Dict, List, NoReturn, Optional, Sequence

from ..capabilities import ATTACH, BUFFERS
from ..clock import ISO, ISO_UTC, LOCAL, UTC
from ..counts import PREFIX4, PREFIX6
from ..errors import UsageError
from ..sinks.colours import WHEN, Colours, chosen_colours
from ..sinks.output import Output
from .commands import COMMANDS, DEFAULT
from .exits import EXIT_CODES
from .helping import SCREEN, Examples, Formatter, codes_text, commands_text, examples_text, fill, help_width

_LONGEST = 1e9  # seconds; not much above, the kernel's own clocks end
_PACKAGE = __name__.rpartition(".cli.")[0]


class Parser(argparse.ArgumentParser):
    """Names the program as it was started, and writes as sinks do.

    ``examples`` are what --help begins with, ``short`` the flags that it tells of, the most used ones;
    --help-all tells of all, and of the exit codes.
    """

    def __init__(
        self, command: str, description: str, exit_codes: Dict[int, str] = EXIT_CODES,
        examples: Examples = (), short: Sequence[str] = (),
    ) -> None:
        super().__init__(
            prog="%s %s" % (program(), command), description=description, formatter_class=Formatter)
        self.command = command.strip("[]")
        self.exit_codes = exit_codes
        self.examples = examples
        self.short = short
        self.add_argument("--help-all", action=_HelpAll, help="tell of every option, and of the exit codes")
        self._optionals.title = "options"
        self._option_string_actions["-h"].help = "tell of the most used options"

    def error(self, message: str) -> NoReturn:
        command = " ".join(word for word in self.prog.split() if not word.startswith("["))
        raise UsageError("%s; '%s --help' tells what there is" % (message, command))

    def _get_values(self, action: argparse.Action, arg_strings: List[str]) -> Any:
        """Some releases of Python take '--' out of '--addr=--' and give the list of what is left."""
        if action.option_strings and arg_strings == ["--"]:
            self.error("%s has no value" % "/".join(action.option_strings))
        return super()._get_values(action, arg_strings)

    def usage_line(self) -> str:
        """Arguments that are no options come after them."""
        formatter = self._get_formatter()
        words = [formatter._format_args(action, action.dest.upper())
                 for action in self._get_positional_actions()]
        return " ".join(["usage:", self.prog, "[OPTION]..."] + words)

    def print_help(self, file: Optional[Any] = None) -> None:
        say(self.format_short())

    def format_short(self) -> str:
        """A screen: what it is for, examples, and as many of the most used options as fit."""
        told = self.told()
        while True:
            text = self._short(told)
            if text.count("\n") < SCREEN or len(told) < 2 or help_width() < 80:
                return text
            del told[-1]

    def _short(self, told: List[argparse.Action]) -> str:
        formatter = self._get_formatter()
        formatter.start_section("options")
        formatter.add_arguments(told)
        formatter.end_section()
        return "\n\n".join(self._opening((self.description or "").split("\n\n")[0]) + [
            formatter.format_help().strip("\n") + "\n"
            + fill("--help-all tells of every option; 'man retrans' is the manual", help_width())])

    def format_help(self) -> str:
        """Everything."""
        formatter = self._get_formatter()
        for group in self._action_groups:
            formatter.start_section(group.title)
            formatter.add_text(group.description)
            formatter.add_arguments(group._group_actions)
            formatter.end_section()
        return "\n\n".join(self._opening(self.description or "") + [
            formatter.format_help().strip("\n"), codes_text(self.exit_codes, help_width())])

    def told(self) -> List[argparse.Action]:
        """The options that --help tells of, if they fit: all, where the command does not choose."""
        if self.short:
            return self._get_positional_actions() + [
                self._option_string_actions[flag] for flag in self.short]
        return [action for action in self._actions
                if action.help != argparse.SUPPRESS and action.dest not in ("help", "help_all")]

    def _opening(self, description: str) -> List[str]:
        width = help_width()
        parts = [fill(description, width)]
        usage = fill(self.usage_line(), width, "", "  ")
        if self.examples:
            parts.append(examples_text(self.prog.split(" [")[0], self.examples, width) + "\n" + usage)
        else:
            parts.append(usage)
        if self.command == DEFAULT:
            parts.append(commands_text(COMMANDS, width))
        return parts


class _HelpAll(argparse.Action):
    def __init__(self, **options: Any) -> None:
        super().__init__(nargs=0, default=argparse.SUPPRESS, **options)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        say(parser.format_help())
        parser.exit()


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
    if not 0 < value <= _LONGEST:
        raise argparse.ArgumentTypeError("'%s' is not a number of seconds above 0 (and up to 10^9)" % text)
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


def add_prefixes(parser: argparse.ArgumentParser) -> None:
    """How long the prefixes of '--by prefix' are; check_prefixes() reads them."""
    parser.add_argument("--prefix4", type=above(0), default=PREFIX4, metavar="BITS",
                        help="length of IPv4 prefixes (%d)" % PREFIX4)
    parser.add_argument("--prefix6", type=above(0), default=PREFIX6, metavar="BITS",
                        help="length of IPv6 prefixes (%d)" % PREFIX6)


def check_prefixes(options: argparse.Namespace) -> None:
    """What the parser cannot tell. ``options`` also has ``by``. Raises UsageError."""
    if options.by != "prefix" and (options.prefix4, options.prefix6) != (PREFIX4, PREFIX6):
        raise UsageError("--prefix4 and --prefix6 are for '--by prefix'; leave them out, or count by that")
    if options.prefix4 > 32 or options.prefix6 > 128:
        raise UsageError("a prefix has up to 32 bits (--prefix4) or 128 (--prefix6), not %d and %d" % (
            options.prefix4, options.prefix6))


def add_verbose(parser: argparse.ArgumentParser, more: str = "") -> None:
    """-v has one meaning everywhere; ``more``: what it shows besides."""
    parser.add_argument("-v", "--verbose", action="store_true",
                        help="tell more: how it is attached, what that lacks" + more)


def add_color_option(parser: argparse._ActionsContainer) -> None:
    """To be read by colours_for()."""
    parser.add_argument("--color", choices=WHEN, default="auto", metavar="WHEN",
                        help="colours: auto (on a terminal, without NO_COLOR), always, never")


def colours_for(options: argparse.Namespace, descriptor: int = 1) -> Colours:
    return chosen_colours(options.color, descriptor)


def add_time_options(parser: argparse.ArgumentParser) -> None:
    """To be read by time_style()."""
    group = parser.add_argument_group("times", "local time with milliseconds, unless chosen otherwise")
    group.add_argument("--utc", action="store_true", help="UTC, marked with Z")
    group.add_argument("--iso", action="store_true",
                       help="ISO 8601: date, microseconds and zone")


def time_style(options: argparse.Namespace) -> str:
    """A style of clock.WallClock."""
    if options.iso:
        return ISO_UTC if options.utc else ISO
    return UTC if options.utc else LOCAL


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
