"""``top``: the flows, hosts or processes with the most retransmits, live."""

import argparse
import gc
import math
import os
import time
from typing import Any, Callable, List, Optional

from ..clock import WallClock
from ..extras import there
from ..grouping import GROUPINGS
from ..screen import pages
from ..screen.flows import SHOWN, Flows
from ..screen.frame import Frame, Look
from ..screen.plain_drawing import draw as draw_plain, draw_table, lines_of
from ..screen.rich_drawing import RichDrawing
from ..screen.terminal import Terminal
from ..screen.view import SORTS, View, resolved, rows_of
from ..sinks.columns import COLUMNS, MARKED, Column, columns, default_columns, names_shown, with_hosts
from ..sinks.output import Output
from ..sinks.printable import locale_encoding
from ..tracer import Tracer
from ..workload import Lookups
from ..workload.hosts import HostNames
from .ending import honest_end
from .live import add_live_options, tracing
from .options import (
    Parser, above, add_color_option, add_time_options, add_verbose, colours_for, seconds, terminal_width, time_style,
)
from .taking import Taker

_SLOT = 0.5  # seconds between sums
_WINDOW = 5.0  # seconds that rates are of, at least
_MOMENT = 0.1  # seconds between looks at the keys, and in which events gather
_REST = 4  # times as long as a redraw took there is none: counting goes first
_LEDGER = 5.0  # seconds between looks into the ledger
_GARBAGE = 100000  # objects; the many that counting makes are in no cycles, so looking for those rarely pays
_SMALL, _TINY = 60, ("time", "reason", "stall", "segs")
_ROWS = 20  # of a table that is no screen
_WIDE = 132  # columns of what is no terminal


class Top:
    """Counts what the tracer has, and knows what is to be shown of it."""

    def __init__(self, tracer: Tracer, lookups: Lookups, details: Lookups, options: argparse.Namespace) -> None:
        now = time.monotonic()
        window = max(_WINDOW, options.interval)
        self._tracer = tracer
        self._details = details
        self._options = options
        self._hosts = HostNames() if options.resolve else None
        self._clock = WallClock(time_style(options))
        self._began = now
        self._slot_ends = now + _SLOT
        self._ledger = ("ledger: not yet", None)  # type: Any
        self._ledger_at = now + 1.0
        self.view = View(options.by, options.sort)
        self.flows = Flows(lookups, max(1, round(window / _SLOT)), now, failed=options.verbose)

    def count(self, taker: Taker) -> bool:
        """Count some of what there is, for as long as a screen may wait. Returns whether nothing is left."""
        ends = time.monotonic() + _MOMENT
        while time.monotonic() < ends:
            batch = taker.take()
            if batch is None:
                return True
            self.flows.feed(batch)
        return False

    def keep_time(self, final: bool = False) -> None:
        """Sum up where that is due; while paused, what is shown stays, and counting goes on."""
        now = time.monotonic()
        if self.view.paused or now < self._slot_ends and not final:
            return
        self.flows.tick(now)
        self._slot_ends = now + _SLOT

    def press(self, key: str) -> bool:
        """Returns whether that ends it."""
        action = self.view.press(key)
        if action == "reset":
            self.flows.reset(time.monotonic())
        elif action == "pause":
            self.flows.keeping = not self.view.paused
        return action == "quit"

    def page(self, look: Look, most: Optional[int] = None) -> Frame:
        """What is to be seen now. ``most``: rows at most."""
        view, flows = self.view, self.flows
        view.show(rows_of(flows.groups(view.grouping), flows.window))
        visible = pages.visible(view, look)
        if flows.keeping:
            flows.watch(view.grouping, visible)
        if self._hosts is not None:
            near = set(visible)
            view.rows = [resolved(row, view.by, self._hosts.get) if row.name in near else row for row in view.rows]
        if view.help:
            return pages.help_page(view, look)
        if view.detail is not None:
            self._clock.sample()
            return pages.detail_page(
                view, look, flows.recent(view.detail), self._columns(look.width), self._details, self._clock)
        return pages.groups_page(view, self.status(), look, most)

    def _columns(self, width: int) -> List[Column]:
        """Those of the page of events: as trace has them, but on narrow terminals what the group tells
        itself is left out."""
        style = time_style(self._options)
        names = _TINY if width < _SMALL else default_columns(
            max(width, MARKED) if self._options.verbose else width, style)
        picked = columns(names, style=style)
        return picked if self._hosts is None else with_hosts(picked, self._hosts.get)

    def status(self) -> pages.Status:
        recent, total = self.flows.everything()
        able = self._tracer.capabilities
        now = time.monotonic()
        if now >= self._ledger_at:
            self._ledger_at = now + _LEDGER
            self._ledger = pages.ledger_words(self._tracer.ledger()) if able.ledger else ("no ledger", None)
        return pages.Status(os.uname().nodename, able.attach, now - self._began, self.flows.window, recent, total,
                            self._tracer.stats(), *self._ledger)


def main(arguments: List[str]) -> int:
    options = parser().parse_args(arguments)
    output = Output()
    gc.set_threshold(_GARBAGE)
    names = [name for by in SHOWN for name in GROUPINGS[by].names] + list(COLUMNS["workload"].names)
    with Lookups(names=names) as lookups, Lookups(names=shown_of_events()) as details, \
            tracing(options) as (tracer, signals), honest_end(tracer, signals) as ending:
        try:
            top = Top(tracer, lookups, details, options)
            if options.batch or options.once or not draws_here():
                print_tables(top, tracer, output, options)
            else:
                run_screen(top, tracer, output, options)
        finally:
            ending.account()
    return 0


def shown_of_events() -> List[str]:
    """The names that the page of events may show."""
    return names_shown(columns(default_columns(None)))


def draws_here() -> bool:
    """Whether stdout is a terminal that one can draw on."""
    return os.isatty(1) and os.environ.get("TERM", "dumb") not in ("", "dumb")


def run_screen(top: Top, tracer: Tracer, output: Output, options: argparse.Namespace) -> None:
    draw = drawing()
    colour = colours_for(options).on
    now = draws = time.monotonic()
    ends = now + (math.inf if options.duration is None else options.duration)
    idle = False
    with Taker(tracer) as taker, Terminal(output) as terminal:
        while not taker.ended:
            if time.monotonic() >= ends:
                tracer.stop()
            keys = terminal.wait(_MOMENT if idle else 0)
            idle = top.count(taker)
            top.keep_time()
            if any([top.press(key) for key in keys]):
                tracer.stop()
            terminal.changed |= "redraw" in keys
            now = time.monotonic()
            if keys or terminal.changed or now >= draws:
                look = Look(*terminal.size(), shows_unicode(), colour)
                terminal.draw(draw(top.page(look, options.top), look))
                now, began = time.monotonic(), now
                draws = now + max(options.interval, _REST * (now - began))


def print_tables(top: Top, tracer: Tracer, output: Output, options: argparse.Namespace) -> None:
    """A table each interval, for a pipe, a file, or a terminal that cannot be drawn on."""
    begun = time.monotonic()
    duration = options.interval if options.once else options.duration
    ends = begun + (math.inf if duration is None else duration)
    shows = begun + (math.inf if options.once else options.interval)
    with Taker(tracer) as taker:
        while not taker.ended:
            now = time.monotonic()
            if now >= ends:
                tracer.stop()
            idle = top.count(taker)
            top.keep_time()
            if shows <= now < ends:
                print_table(top, output, options)
                shows += options.interval * ((now - shows) // options.interval + 1)
            output.check_reader()
            if idle and not taker.ended:
                time.sleep(max(0.0, min(_MOMENT, ends - now, shows - now)))
    top.keep_time(final=True)
    print_table(top, output, options)


def print_table(top: Top, output: Output, options: argparse.Namespace) -> None:
    most = options.top or _ROWS
    look = Look(terminal_width() or _WIDE, most + 6, shows_unicode(), False)
    page = top.page(look, most)
    for line in lines_of(page.head) + draw_table(page.table._replace(chosen=None)):
        output.line(line)
    output.line("")
    output.flush()


def shows_unicode() -> bool:
    """Whether the locale says that this terminal can show more than ASCII.

    Where the locale is C, Python may have set LC_CTYPE itself (PEP 538), and that says nothing.
    """
    every, kind, other = [os.environ.get(name, "") for name in ("LC_ALL", "LC_CTYPE", "LANG")]
    coerced = not every and kind == "C.UTF-8" and other in ("", "C", "POSIX")
    return locale_encoding() == "utf-8" and not coerced


def drawing() -> Callable[[Frame, Look], List[str]]:
    """rich, or where that is not installed what the standard library can do."""
    return RichDrawing().draw if there("rich.table") else draw_plain


def parser() -> argparse.ArgumentParser:
    result = Parser(
        "top", "Shows live what is retransmitted most, by flow, remote, process and the like: '?' tells the"
               " keys. Into a pipe it writes tables.",
        examples=[
            ("", "flows, until q or Ctrl-C"),
            ("--by remote --sort ratio", "the worst paths"),
            ("--by container --rport 443", "who, to port 443"),
            ("--once --top 5 | cat", "the five worst, as text"),
        ],
        short=["--by", "--sort", "--interval", "--top", "--once", "--duration", "--port", "--raddr", "--reason"])
    result.add_argument("--by", choices=SHOWN, default=SHOWN[0], metavar="KEY",
                        help="what to show first: %s (flow)" % ", ".join(SHOWN))
    result.add_argument("--sort", choices=list(SORTS), default="rate", metavar="COLUMN",
                        help="what comes first: %s (rate)" % ", ".join(SORTS))
    result.add_argument("--interval", type=seconds, default=1.0, metavar="SECONDS",
                        help="draw that often (1)")
    result.add_argument("--top", type=above(0), metavar="N",
                        help="rows to show (as many as there is room for; %d in a table)" % _ROWS)
    result.add_argument("--batch", action="store_true", help="write tables, do not draw a screen")
    result.add_argument("--once", action="store_true", help="write one table after an interval, and end")
    result.add_argument("--resolve", action="store_true",
                        help="names of hosts in place of addresses, once DNS has told them")
    add_color_option(result)
    add_verbose(result, "; and show attempts that failed among a row's events")
    add_time_options(result)
    add_live_options(result)
    return result
