"""``trace``, the command that runs when none is named."""

import argparse
from typing import Callable, List, Optional

from .. import __version__
from ..capabilities import ATTACH, BUFFERS
from ..clock import WallClock
from ..errors import LibraryError, UsageError
from ..event import Event
from ..ndjson import encode
from ..rights import account
from ..sinks import Sink
from ..sinks.columns import (
    MARKED, Column, bcc_columns, chosen_columns, columns, default_columns, describe, names_shown,
)
from ..sinks.count import NdjsonFlowCounts, TextFlowCounts
from ..sinks.ndjson import NdjsonSink
from ..sinks.output import Output
from ..sinks.text import BANNER, TextSink
from ..tracer import Tracer
from ..workload import Lookups
from .filter_options import add_filter_options, chosen_filter
from .follow import end, follow, summary, tell
from .options import Parser, say, seconds, terminal_width
from .signals import StopSignals


def main(arguments: List[str]) -> int:
    options = parser().parse_args(arguments)
    if options.version:
        return show_version()
    if options.columns == "help":
        say(describe())
        return 0
    chosen = chosen_filter(options)
    become = None if options.user is None else account(options.user)
    output = Output()
    shown = shown_columns(options, terminal_width())
    with lookups_for(options, shown) as lookups, StopSignals() as signals, Tracer(
            filter=chosen, attach=options.attach, buffer=options.buffer,
            btf=options.btf) as tracer:
        signals.stop_with(tracer.stop)
        kept = () if become is None else tracer.drop_rights(*become)
        if options.verbose:
            tell("libtcpretrans %s, %s" % (
                tracer.library_version(), tracer.capabilities.sentence()))
            for note in tracer.capabilities.notes:
                tell(note)
            for capability in kept:
                tell("%s is kept: this kernel refuses every bpf() call without it" % capability)
        elif not tracer.capabilities.ledger:
            tell("attached by %s: less is known here than elsewhere; -v tells what, and doctor why"
                 % tracer.capabilities.attach)
        if options.json:
            tell(BANNER)
        try:
            sink = make_sink(options, output, shown, lookups)
            follow(tracer, sink, output, wanted(options), options.duration)
        finally:
            end(tracer)
            tell(summary(tracer.stats(), tracer.capabilities.ledger))
            ledger = tracer.ledger() if tracer.capabilities.ledger else None
            tell(ledger.sentence() if ledger else
                 "no ledger: " + tracer.capabilities.why("ledger"))
        if options.json:
            output.line(encode(ledger.to_dict() if ledger else {
                "type": "ledger", "total": None, "namespaces": [],
                "why": tracer.capabilities.why("ledger")}))
            output.flush()
    return 0


def show_version() -> int:
    """The package's version stands, whatever is wrong with the library."""
    try:
        library = "libtcpretrans %s" % Tracer.library_version()
    except LibraryError as error:
        library = "libtcpretrans: %s" % error
    say("retrans_ctypes %s\n%s" % (__version__, library))
    return 0


def wanted(options: argparse.Namespace) -> Optional[Callable[[Event], bool]]:
    """Which events to show. A failed attempt is no retransmit, so it takes -v to see those.
    NdjsonSink leaves them out itself."""
    if options.verbose or options.json and not options.count:
        return None
    return lambda event: not event.failed


def shown_columns(options: argparse.Namespace, width: Optional[int]) -> List[Column]:
    if (options.json or options.count) and (options.compat or options.columns is not None):
        raise UsageError("-o and --compat choose the columns of text lines, so they go with neither"
                         " --json, which has every field, nor -c")
    if options.compat:
        return bcc_columns(options.sequence, options.lossprobe)
    if options.columns is not None:
        names = chosen_columns(options.columns)
    elif options.verbose or options.lossprobe:
        names = default_columns(width and max(width, MARKED))
    else:
        names = default_columns(width)
    return columns(names, options.sequence, options.lossprobe)


def lookups_for(options: argparse.Namespace, shown: List[Column]) -> Lookups:
    """Lookups of what is going to be shown, and of nothing else."""
    if options.count:
        return Lookups(names=())
    return Lookups() if options.json else Lookups(names=names_shown(shown))


def make_sink(
    options: argparse.Namespace, output: Output, shown: List[Column], lookups: Lookups,
) -> Sink:
    if options.count:
        return NdjsonFlowCounts(output) if options.json else TextFlowCounts(output)
    if options.json:
        return NdjsonSink(output, WallClock(), lookups, failed=options.verbose)
    return TextSink(output, shown, WallClock(), lookups)


def parser() -> argparse.ArgumentParser:
    result = Parser("[trace]", "Trace every TCP retransmission of this host.\n\n"
                               "Other commands: 'demo' makes some retransmits to look at; 'doctor' tells\n"
                               "whether one can trace here, how well, and what would make it better.")
    result.add_argument("-s", "--sequence", action="store_true", help="show sequence numbers")
    result.add_argument("-c", "--count", action="store_true",
                        help="count for each flow, and print the counts at the end")
    result.add_argument("-l", "--lossprobe", action="store_true",
                        help="mark tail loss probes with L")
    result.add_argument("--user", metavar="NAME",
                        help="drop all rights once attached, and be this user (or UID:GID)")
    look = result.add_mutually_exclusive_group()
    look.add_argument("-o", "--columns", metavar="LIST",
                      help="columns to show, such as time,pid,comm,raddr; 'help' lists all")
    look.add_argument("--compat", choices=["bcc"],
                      help="the columns of bcc's tcpretrans; PID is the socket's owner")
    result.add_argument("--json", action="store_true", help="one JSON object a line (NDJSON)")
    result.add_argument("--duration", type=seconds, metavar="SECONDS", help="end by itself")
    result.add_argument("-v", "--verbose", action="store_true",
                        help="show attempts that failed too, marked with !")
    add_filter_options(result)
    way = result.add_argument_group("ways of tracing", "by default the best that works here")
    way.add_argument("--attach", choices=list(ATTACH.values()), default="auto",
                     help="how to attach; 'doctor' tells what works here and why")
    way.add_argument("--buffer", choices=list(BUFFERS.values()), default="auto",
                     help="how events come from the kernel")
    way.add_argument("--btf", metavar="FILE", help="type information of this very kernel, where it"
                                                   " gives none itself")
    result.add_argument("--version", action="store_true", help="show versions and end")
    return result
