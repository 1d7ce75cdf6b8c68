"""``record``: every event into a file, to be looked at later."""

import argparse
import os
import sys
import time
from typing import Callable, List

from ..recording.books import Books
from ..recording.writer import Writer, this_session
from ..sinks.output import Output
from ..sinks.printable import printable
from ..sinks.recording import RecordingSink
from ..tracer import Tracer
from ..workload import Lookups
from .ending import honest_end
from .filter_options import typed_filter
from .follow import follow, tell
from .live import add_live_options, tracing
from .options import Parser, add_verbose
from .recording_files import STDOUT, Files, add_file_options


# A disk that is asked to keep something may take a good part of a second, and events wait in the buffer.
_BUFFER = 16 << 20
_EACH_CPU = 2 << 20  # the library's default
_SHARE = 512  # of the memory: no more than one part


def main(arguments: List[str]) -> int:
    options = parser().parse_args(arguments)
    files = Files(options)
    options.ring_size = options.ring_size or buffer_bytes(
        os.cpu_count() or 1, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    hangup = Hangup()
    with Lookups() as lookups, tracing(options, None if files.path == STDOUT else hangup.come) as (tracer, signals):
        session, status = this_session(tracer.capabilities, typed_filter(options)), Status(tracer)

        def begin() -> Writer:
            return files.next(session, lookups.workload)
        with RecordingSink(begin, Books(tracer), files.limits, tracer.stop, status.show) as sink:
            hangup.call(sink.reopen)
            tell("Recording retransmits in %s ... Hit Ctrl-C to end" % sink.writer.path)
            with honest_end(tracer, signals) as ending:
                written = False
                try:
                    follow(tracer, sink, Output() if files.path == STDOUT else None, None, options.duration)
                    written = True
                finally:
                    status.clear()
                    ending.account()
                    if not written:
                        tell_unwritten(tracer.stats().drained - sink.kept, sink)
                sink.end()
                for line in result(sink, files):
                    tell(line)
    return 0


def buffer_bytes(cpus: int, memory: int) -> int:
    """Size of the kernel's buffer; 0, the library's default, where that is larger or memory is short."""
    return _BUFFER if cpus * _EACH_CPU < _BUFFER <= memory // _SHARE else 0


def tell_unwritten(events: int, sink: RecordingSink) -> None:
    if events > 0:
        tell("up to %s of those seen are not in %s" % (_events(events), sink.writer.path))


def result(sink: RecordingSink, files: Files) -> List[str]:
    """The last lines: what is where."""
    where = "%s in %s" % (_events(sink.events), sink.writer.path)
    if files.begun > 1:
        where = "%s in %d files, the last of them %s" % (_events(sink.events), files.begun, sink.writer.path)
    if files.removed:
        where += "; %d older file%s removed (--keep)" % (
            files.removed, " was" if files.removed == 1 else "s were")
    lines = [where]
    if sink.full:
        lines.append("recording ended because %s has the size that --max-size gives it%s; with --rotate it goes on in"
                     " another file" % (
                         sink.writer.path,
                         ", and %s came after that" % _events(sink.dropped) if sink.dropped else ""))
    return lines


class Hangup:
    """A SIGHUP, which may come before there is anything to reopen: then what is opened is new anyway."""

    def __init__(self) -> None:
        self._reopen: Callable[[], None] = lambda: None

    def call(self, reopen: Callable[[], None]) -> None:
        self._reopen = reopen

    def come(self) -> None:
        self._reopen()


class Status:
    """A line on a terminal that tells how far it is, once in a second; elsewhere nothing."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._terminal = sys.stderr is not None and sys.stderr.isatty()
        self._shown = 0
        self._next = 0.0

    def show(self, sink: RecordingSink) -> None:
        now = time.monotonic()
        if not self._terminal or now < self._next:
            return
        self._next = now + 1
        text = "%s, %s lost, %s in %s" % (
            _events(sink.events), "{:,}".format(self._tracer.stats().lost), _size(sink.writer.size()),
            sink.writer.path)
        self._put(printable(text)[:self._width() - 1])

    def clear(self) -> None:
        """Before anything else is told."""
        if self._shown:
            self._put("")
            self._put("")

    def _put(self, text: str) -> None:
        """Without any code that a terminal might not know: blanks cover what was there."""
        try:
            sys.stderr.write("\r" + text.ljust(self._shown))
            sys.stderr.flush()
        except (OSError, ValueError):
            self._terminal = False
        self._shown = len(text)

    @staticmethod
    def _width() -> int:
        try:
            return os.get_terminal_size(2).columns or 80
        except OSError:
            return 80


def _events(number: int) -> str:
    return "{:,} event{}".format(number, "" if number == 1 else "s")


def _size(number: float) -> str:
    for unit in ("KiB", "MiB", "GiB"):
        number /= 1024
        if number < 1024:
            break
    return "%.1f %s" % (number, unit)


def parser() -> argparse.ArgumentParser:
    result = Parser(
        "record", "Records every TCP retransmission of this host in a file, to be looked at later.",
        examples=[
            ("", "into retrans.db"),
            ("-o web.db --rport 443", "only to port 443"),
            ("--max-size 500M", "ends at that size"),
            ("--rotate 1h --keep 7d", "a file each hour"),
            ("-o - | gzip > r.ndjson.gz", "JSON lines"),
        ],
        short=["--output", "--format", "--max-size", "--rotate", "--keep", "--duration", "--port", "--raddr"])
    add_file_options(result)
    add_verbose(result)
    add_live_options(result, "16M where memory allows, else 2M for each CPU")
    return result
