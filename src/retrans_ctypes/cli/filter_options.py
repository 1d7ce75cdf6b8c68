"""The options by which commands choose events: the same for all of them."""

import argparse
from shlex import quote
from typing import Any, Dict, List, NamedTuple, Optional, Type, TypeVar

from ..errors import FilterError
from ..filter_match import RecordedFilter
from ..filters import Filter

MOST = 16 << 20  # letters of a file with addresses
_NOT = "not_"

F = TypeVar("F", bound=Filter)


class _Option(NamedTuple):
    flag: str
    argument: str  # of Filter
    metavar: str
    help: str


_OPTIONS = (
    _Option("port", "ports", "PORT", "ports of either end, such as 80,8000-8099"),
    _Option("lport", "local_ports", "PORT", "local ports"),
    _Option("rport", "remote_ports", "PORT", "remote ports"),
    _Option("addr", "address", "NET", "addresses of either end, such as 192.0.2.1,10.0.0.0/8,2001:db8::/32;"
                                      " @FILE reads a file, one a line"),
    _Option("laddr", "local", "NET", "local addresses"),
    _Option("raddr", "remote", "NET", "remote addresses"),
    _Option("pid", "pid", "PID", "processes that own the socket"),
    _Option("cgroup", "cgroup", "PATH", "cgroups by path or number, those below them included"),
    _Option("netns", "netns", "NAME", "network namespaces by name, path or inode"),
    _Option("uid", "uid", "USER", "users that own the socket, by name or number"),
    _Option("state", "state", "STATE", "TCP states, such as SYN_SENT"),
    _Option("reason", "reason", "REASON", "why: rto, fast, tlp, syn, synack, loss_recovery, pmtu"),
    _Option("min-stall", "min_stall_ms", "MS", "waited that long, or longer"),
)


def add_filter_options(parser: argparse.ArgumentParser) -> None:
    """To be read by chosen_filter()."""
    group = parser.add_argument_group(
        "filters", "which events to see: those that all of these choose. Each but --min-stall\n"
                   "takes a list (a,b,c) and can be given again; --not-port, --not-raddr and so on\n"
                   "leave out what the option without 'not-' would choose. What is left out is\n"
                   "counted all the same.")
    family = group.add_mutually_exclusive_group()
    family.add_argument("-4", dest="family", action="store_const", const=4,
                        help="IPv4 only (IPv4-mapped IPv6 counts as IPv4)")
    family.add_argument("-6", dest="family", action="store_const", const=6, help="IPv6 only")
    for option in _OPTIONS:
        group.add_argument("--" + option.flag, dest=option.argument, action="append",
                           metavar=option.metavar, help=option.help)
        group.add_argument("--not-" + option.flag, dest=_NOT + option.argument, action="append",
                           metavar=option.metavar, help=argparse.SUPPRESS)


def chosen_filter(options: argparse.Namespace) -> Filter:
    """The filter that the options ask for. Raises FilterError."""
    return _made(options, Filter)


def recorded_filter(options: argparse.Namespace) -> RecordedFilter:
    """The same for what was recorded, where this host's names do not count. Raises FilterError."""
    return _made(options, RecordedFilter)


def _made(options: argparse.Namespace, kind: Type[F]) -> F:
    never = kind(**_arguments(options, _NOT))
    return kind(family=options.family, never=never, **_arguments(options, ""))


def typed_filter(options: argparse.Namespace) -> Optional[str]:
    """The options of the filter as they can be typed again, None where there are none."""
    words = [] if options.family is None else ["-%d" % options.family]
    for prefix in ("", _NOT):
        for option in _OPTIONS:
            for given in getattr(options, prefix + option.argument) or ():
                words.append("--%s%s %s" % (prefix.replace("_", "-"), option.flag, quote(given)))
    return " ".join(words) or None


def _arguments(options: argparse.Namespace, prefix: str) -> Dict[str, Any]:
    given = {option: getattr(options, prefix + option.argument) for option in _OPTIONS}
    return {option.argument: _value(option, prefix, words)
            for option, words in given.items() if words is not None}


def _value(option: _Option, prefix: str, words: List[str]) -> Any:
    flag = "--" + prefix.replace("_", "-") + option.flag
    if option.argument == "min_stall_ms":
        if len(words) > 1:
            raise FilterError("%s is given twice; give it once" % flag)
        return words[0]
    if option.metavar != "NET":
        return words
    return [address for word in words for address in (
        _read(word[1:]) if word.startswith("@") else word.split(","))]


def _read(path: str) -> List[str]:
    """One address a line; what follows a # is a comment."""
    try:
        with open(path, encoding="utf-8-sig", errors="replace") as file:
            text = file.read(MOST + 1)  # a device may never end
    except (OSError, ValueError) as error:
        raise FilterError("the addresses in %s cannot be read (%s): name another file" % (
            path, getattr(error, "strerror", error)))
    if len(text) > MOST:
        raise FilterError("%s is too long for a list of addresses: %d letters are the most" % (path, MOST))
    lines = [line.partition("#")[0].strip() for line in text.split("\n")]
    return [line for line in lines if line]
