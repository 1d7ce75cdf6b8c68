"""``trace``, the command that runs when none is named."""

import argparse
from typing import List

from .. import __version__
from ..errors import LibraryError
from ..ndjson import encode
from ..sinks.columns import describe
from ..sinks.output import Output
from ..sinks.text import BANNER
from ..tracer import Tracer
from .ending import honest_end
from .follow import follow, tell
from .live import add_live_options, tracing
from .options import Parser, say, terminal_width
from .showing import add_show_options, lookups_for, make_clock, make_sink, shown_columns, wanted


def main(arguments: List[str]) -> int:
    options = parser().parse_args(arguments)
    if options.version:
        return show_version()
    if options.columns == "help":
        say(describe())
        return 0
    output = Output()
    shown = shown_columns(options, terminal_width())
    with lookups_for(options, shown) as lookups, tracing(options) as (tracer, signals):
        if options.json:
            tell(BANNER)
        with honest_end(tracer, signals) as ending:
            try:
                sink = make_sink(options, output, shown, make_clock(options), lookups)
                follow(tracer, sink, output, wanted(options), options.duration)
            finally:
                ledger = ending.account()
            if options.json:
                output.line(encode(ledger))
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


def parser() -> argparse.ArgumentParser:
    result = Parser(
        "[trace]", "Shows every TCP retransmission of this host: why, whose, and what it cost.",
        examples=[
            ("", "each, until Ctrl-C"),
            ("--rport 443 --reason rto", "timeouts to port 443"),
            ("--raddr 10.0.0.0/8 -s", "to a network, with SEQ"),
            ("--json --duration 60", "a minute, for a program"),
        ],
        short=["--port", "--raddr", "--reason", "--columns", "--json", "--duration"])
    add_show_options(result)
    add_live_options(result)
    result.add_argument("--version", action="store_true", help="show versions and end")
    return result
