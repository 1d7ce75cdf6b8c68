"""The options that say how events are shown, shared by the commands that show them."""

import argparse
from typing import Any, Callable, List, Optional

from ..clock import WallClock
from ..errors import UsageError
from ..event import Event
from ..sinks import Sink
from ..sinks.columns import (
    MARKED, Column, bcc_columns, chosen_columns, columns, default_columns, names_shown, with_hosts,
)
from ..sinks.count import NdjsonFlowCounts, TextFlowCounts
from ..sinks.ndjson import NdjsonSink
from ..sinks.output import Output
from ..sinks.text import TextSink
from ..workload import Lookups
from ..workload.hosts import HostNames
from .options import add_color_option, add_time_options, add_verbose, colours_for, time_style


def add_show_options(parser: argparse.ArgumentParser) -> None:
    """To be read by the functions below."""
    parser.add_argument("-s", "--sequence", action="store_true", help="show sequence numbers")
    parser.add_argument("-c", "--count", action="store_true",
                        help="count for each flow, and print the counts at the end")
    parser.add_argument("-l", "--lossprobe", action="store_true",
                        help="mark tail loss probes with L")
    look = parser.add_mutually_exclusive_group()
    look.add_argument("-o", "--columns", metavar="LIST",
                      help="these columns, such as time,comm,raddr; 'help' lists all")
    look.add_argument("--compat", choices=["bcc"],
                      help="the columns of bcc's tcpretrans; PID is the socket's owner")
    parser.add_argument("--json", action="store_true", help="one JSON object a line (NDJSON)")
    parser.add_argument("--resolve", action="store_true",
                        help="names of hosts in place of addresses, once DNS has told them")
    add_color_option(parser)
    add_verbose(parser, "; and show attempts that failed, marked with !")
    add_time_options(parser)


def wanted(options: argparse.Namespace) -> Optional[Callable[[Event], bool]]:
    """Which events to show. A failed attempt is no retransmit, so it takes -v to see those.
    NdjsonSink leaves them out itself."""
    if options.verbose or options.json and not options.count:
        return None
    return lambda event: not event.failed


def shown_columns(options: argparse.Namespace, width: Optional[int]) -> List[Column]:
    """Raises UsageError."""
    if (options.json or options.count) and (options.compat or options.columns is not None):
        raise UsageError("-o and --compat choose the columns of text lines, so they go with neither"
                         " --json, which has every field, nor -c")
    if options.resolve and (options.json or options.count or options.compat):
        raise UsageError("--resolve names the hosts in text lines: it goes neither with --json nor -c nor --compat")
    if options.compat and (options.utc or options.iso):
        raise UsageError("--compat bcc writes times as bcc does: it goes neither with --utc nor --iso")
    if options.compat:
        return bcc_columns(options.sequence, options.lossprobe)
    style = time_style(options)
    if options.columns is not None:
        names = chosen_columns(options.columns)
    elif options.verbose or options.lossprobe:
        names = default_columns(width and max(width, MARKED), style)
    else:
        names = default_columns(width, style)
    shown = columns(names, options.sequence, options.lossprobe, style)
    return with_hosts(shown, HostNames().get) if options.resolve else shown


def make_clock(options: argparse.Namespace, offset_ns: Optional[int] = None) -> WallClock:
    """``offset_ns``: for events of another time, see WallClock."""
    return WallClock(time_style(options), offset_ns)


def lookups_for(options: argparse.Namespace, shown: List[Column]) -> Lookups:
    """Lookups of what is going to be shown, and of nothing else."""
    if options.count:
        return Lookups(names=())
    return Lookups() if options.json else Lookups(names=names_shown(shown))


def make_sink(
    options: argparse.Namespace, output: Output, shown: List[Column], clock: WallClock, lookups: Any,
) -> Sink:
    """``lookups``: a Lookups, or its like."""
    if options.count:
        return NdjsonFlowCounts(output) if options.json else TextFlowCounts(output)
    if options.json:
        return NdjsonSink(output, clock, lookups, failed=options.verbose)
    return TextSink(output, shown, clock, lookups, colours_for(options))
