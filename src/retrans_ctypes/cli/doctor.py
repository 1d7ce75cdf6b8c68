"""``doctor``: can one trace here, how well, and what would make it better."""

import argparse
import textwrap
from typing import Any, Dict, List, NoReturn, Optional

from .. import __version__
from ..doctor import Report, examine
from ..doctor.screen import BAD, GOOD, WORSE, rows
from ..doctor.tracefs import tracefs
from ..doctor.tracepoints import Tracepoint, tracepoints
from ..errors import RetransError, UnsupportedKernel, UsageError
from ..ndjson import encode
from ..sinks import colours
from ..sinks.printable import printable
from .exits import DOCTOR_EXIT_CODES, DOCTOR_FAILED, DOCTOR_USAGE
from .options import Parser, add_color_option, add_verbose, colours_for, say, terminal_width

_WIDTH = 80  # where there is no terminal
_NARROWEST = 40  # the names take 15 of it
_WIDEST = 120  # longer lines are hard to read
_NAMES = 13  # columns of the rows' names
_MARKS = {GOOD: colours.GOOD, WORSE: colours.WORSE, BAD: colours.BAD}
_LEVELS = {"full": colours.GOOD, "degraded": colours.WORSE, "impossible": colours.BAD}


def main(arguments: List[str]) -> int:
    """0, 1 and 2 are the verdict here, so whatever ends it otherwise must not give one of these."""
    try:
        options = parser().parse_args(arguments)
        if options.tracepoints is not None:
            return list_tracepoints(options)
        report = examine(options.btf)
        say(encode(report.to_dict()) if options.json else screen(
            report, terminal_width(), options.verbose, colours_for(options)))
        return report.verdict.exit_code
    except RetransError:
        raise
    except Exception as error:
        failure = RetransError("doctor itself failed, which tells nothing of this host (%s: %s);"
                               " please report that" % (type(error).__name__, error))
        failure.exit_code = DOCTOR_FAILED
        raise failure


def screen(
    report: Report, width: Optional[int], verbose: bool = False, paints: colours.Colours = colours.NONE,
) -> str:
    wide = max(_NARROWEST, min(width or _WIDTH, _WIDEST))
    level = report.verdict.level
    lines = ["retrans_ctypes %s doctor: %s" % (__version__, paints.paint(level, _LEVELS[level]))]
    for row in rows(report, verbose):
        start = "%s %s" % (row.mark, printable(row.name).ljust(_NAMES))
        told = textwrap.wrap(
            printable(row.text), wide, initial_indent=start, subsequent_indent=" " * len(start),
            break_on_hyphens=False) or [""]
        lines += [paints.paint(told[0][:1], _MARKS.get(row.mark, colours.PLAIN)) + told[0][1:]] + told[1:]
    return "\n".join(lines)


def list_tracepoints(options: argparse.Namespace) -> int:
    """As grep: 0 = there are some, 1 = none matches; an error where none can be listed."""
    found = tracefs()
    if found.path is None:
        closed = [place for place in found.places if place.state == "closed"]
        failure = UnsupportedKernel(
            "no tracefs can be read here (%s); %s" % (
                ", ".join("%s: %s" % (place.path, place.problem or place.state)
                          for place in closed or found.places),
                "run as root" if closed else
                "mount one as root: mount -t tracefs tracefs /sys/kernel/tracing"))
        failure.exit_code = 2
        raise failure
    matching = tracepoints(found.path, options.tracepoints)
    if options.json:
        say(encode(tracepoints_record(found.path, options.tracepoints, matching)))
    elif matching:
        say("\n".join(line for each in matching for line in describe(each)))
    else:
        raise nothing_matches(options.tracepoints, found.path)
    return 0 if matching else 1


def nothing_matches(pattern: str, path: str) -> RetransError:
    return RetransError("no tracepoint in %s matches '%s'; '*:*' lists all" % (path, pattern))


def tracepoints_record(path: str, pattern: str, matching: List[Tracepoint]) -> Dict[str, Any]:
    return {"type": "tracepoints", "tracefs": path, "pattern": pattern,
            "tracepoints": [each.to_dict() for each in matching]}


def describe(each: Tracepoint) -> List[str]:
    """Its name, and a line a field; those that every tracepoint begins with are left out."""
    lines = ["%s:%s%s" % (each.group, each.name,
                          " (fields unknown: %s)" % each.problem if each.problem else "")]
    lines += ["  %6d %5d  %-24s %s" % (field.offset, field.size, field.type, field.name)
              for field in each.fields if not field.common]
    return [printable(line) for line in lines]


class _Parser(Parser):
    def error(self, message: str) -> NoReturn:
        try:
            super().error(message)
        except UsageError as error:
            error.exit_code = DOCTOR_USAGE
            raise


def parser() -> argparse.ArgumentParser:
    result = _Parser(
        "doctor",
        "Can one trace here, how well, and what would make it better? Opens and closes a"
        " tracer in every way there is. Marks: + good, ! could be better, - does not work.",
        DOCTOR_EXIT_CODES,
        examples=[
            ("", "the verdict, on one screen"),
            ("--json", "for a program"),
            ("--tracepoints 'tcp:*'", "tracepoints and their fields"),
        ])
    result.add_argument("--json", action="store_true",
                        help="one JSON object; its names: docs/doctor.md")
    result.add_argument("--btf", metavar="FILE",
                        help="try it with this type information instead of the kernel's own")
    result.add_argument("--tracepoints", metavar="GLOB",
                        help="list tracepoints such as 'tcp:*' instead, with offset, size, type"
                             " and name of their fields")
    add_color_option(result)
    add_verbose(result)
    return result
