"""Tracing as the options ask for, shared by the commands that trace."""

import argparse
from contextlib import contextmanager
from typing import Callable, Iterator, Optional, Tuple

from ..errors import UsageError
from ..rights import account
from ..tracer import Tracer
from .filter_options import add_filter_options, chosen_filter
from .follow import introduce
from .options import above, add_user, add_ways, rate, seconds, size
from .signals import StopSignals


def add_live_options(
    parser: argparse.ArgumentParser, ring: str = "2M for each CPU, 4M to 64M where memory allows",
) -> None:
    """What to trace, how, and how long: to be read by tracing(). ``ring``: the default of --ring-size."""
    parser.add_argument("--duration", type=seconds, metavar="SECONDS", help="end by itself")
    add_user(parser)
    add_filter_options(parser)
    way = add_ways(parser)
    way.add_argument("--ring-size", type=size, default=0, metavar="SIZE",
                     help="buffer in the kernel, such as 16M, a power of two (%s)" % ring)
    way.add_argument("--rate", type=rate, default=0, metavar="N|none",
                     help="events a second that each socket may have (10000), the rest is counted")
    way.add_argument("--burst", type=above(0), default=0, metavar="N",
                     help="events that each socket may have at once (twice the rate)")


@contextmanager
def tracing(
    options: argparse.Namespace, hangup: Optional[Callable[[], None]] = None,
) -> Iterator[Tuple[Tracer, StopSignals]]:
    """A tracer, with its rights dropped and introduced, and what stops it on the first Ctrl-C or SIGTERM.

    ``options`` also has ``verbose``; ``hangup`` is as StopSignals has it. Raises what Tracer does, and
    UsageError.
    """
    if options.rate is None and options.burst:
        raise UsageError("--burst is part of a limit, and '--rate none' asks for none; leave one of them out")
    chosen = chosen_filter(options)
    become = None if options.user is None else account(options.user)
    with StopSignals(hangup) as signals, Tracer(
            filter=chosen, attach=options.attach, buffer=options.buffer, btf=options.btf,
            ring_bytes=options.ring_size, rate=options.rate, burst=options.burst) as tracer:
        signals.stop_with(tracer.stop)
        kept = () if become is None else tracer.drop_rights(*become)
        introduce(tracer, options.verbose, kept)
        yield tracer, signals
