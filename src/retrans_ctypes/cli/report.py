"""``report``: what a recording tells, as a page to look at."""

import argparse
import os
from typing import List, Optional, Tuple

from ..errors import RecordingError, UsageError
from ..recording import Recording, open_recording
from ..recording.reading import is_recording
from ..report import FORMATS, Gathered, facts, render
from ..report.facts import Facts
from ..report.story import tell_story
from ..report.words import Zone
from ..sinks.output import Output
from .filter_options import add_filter_options, recorded_filter, typed_filter
from .follow import tell
from .moments import moment
from .options import Parser
from .progress import Progress
from .replay import span
from .whole_file import write_whole

STDOUT = "-"
_ENDINGS = {"htm": "html", "markdown": "md"}

Span = Tuple[Optional[int], Optional[int]]


def main(arguments: List[str]) -> int:
    options = parser().parse_args(arguments)
    form = options.format or _format(options.output)
    path = options.output or "report." + form
    refuse(path, options.file)
    failure: Optional[RecordingError] = None
    with open_recording(options.file) as recording:
        chosen = span(options, recording.sessions)
        gathered = Gathered()
        try:
            gather(gathered, recording, options, chosen)
        except RecordingError as error:  # what came before the damage is worth a report
            failure = error
            recording.remarks.append(str(error))
        found = told(gathered, recording, options, chosen)
        mode = recording.mode
    story = tell_story(found, options.utc)
    text = render(form, found, story).encode("utf-8", "backslashreplace")
    if path == STDOUT:
        Output().write(memoryview(text))
    else:
        write_whole(path, text, mode)
        tell(story.headline)
        tell("%s has the report (%d KiB)" % (path, len(text) + 1023 >> 10))
    if failure is not None:
        raise failure
    return 0


def refuse(path: str, recording: str) -> None:
    """Raises UsageError where the report would take the place of what it is of, or of another recording."""
    for own in (recording, recording + "-wal", recording + "-shm"):
        if path != STDOUT and os.path.isfile(own) and os.path.isfile(path) and os.path.samefile(path, own):
            raise UsageError("-o names %s, which belongs to the recording: name another file" % path)
    if path != STDOUT and is_recording(path):
        raise UsageError("-o names %s, which is a recording, and the report would take its place: name another file, or"
                         " remove it" % path)


def gather(gathered: Gathered, recording: Recording, options: argparse.Namespace, chosen: Span) -> None:
    """Raises RecordingError; all that came before is counted in then."""
    matching = recorded_filter(options)
    matches = matching.matcher() if matching else None
    progress = Progress("report", quiet=True)
    try:
        for run in recording.runs(*chosen):
            gathered.add(run, matches)
            progress.show(recording.done, gathered.events)
    finally:
        progress.clear()
        gathered.finish()


def told(gathered: Gathered, recording: Recording, options: argparse.Namespace, chosen: Span) -> Facts:
    """Of the sessions that have such events, or of all where none was left out."""
    selection = selected(options, chosen)
    sessions = [session for session in recording.sessions
                if selection is None or session.number in gathered.sessions]
    remarks = list(recording.remarks)
    if recording.recorder_runs:
        remarks.append("it is still being recorded: this is what was there by now")
    return facts(gathered, sessions, selection, remarks)


def selected(options: argparse.Namespace, chosen: Span) -> Optional[str]:
    """The options that chose events, as one would type them."""
    words = [typed_filter(options) or ""]
    for name, at_ns in zip(("--since", "--until"), chosen):
        if at_ns is not None:
            zone = Zone(at_ns, options.utc)
            words.append("%s '%s%s'" % (name, zone.moment(at_ns), "Z" if options.utc else ""))
    return " ".join(filter(None, words)) or None


def _format(path: Optional[str]) -> str:
    """What the name of the output asks for."""
    ending = os.path.splitext(path or "")[1][1:].lower()
    ending = _ENDINGS.get(ending, ending)
    return ending if ending in FORMATS else "html"


def parser() -> argparse.ArgumentParser:
    result = Parser(
        "report", "Make a page of a recording: what happened, when, to whom, why and what it cost. It is one file that"
                  " needs no network. Needs no rights.",
        examples=[("retrans.db", "report.html, to be opened in a browser"),
                  ("retrans.db --since 14:30 -o monday.html", "a part of it"),
                  ("retrans.db --rport 443 --format md -o -", "as text for a ticket")],
        short=["-o", "--format", "--since", "--until", "--utc", "--raddr", "--port", "--reason"])
    result.add_argument("file", metavar="FILE", help="what 'record' or 'trace --json' wrote")
    result.add_argument("-o", "--output", metavar="FILE", help="where to (report.html); '-' is standard output")
    result.add_argument("--format", choices=FORMATS, help="by default what the output's name ends with, or else html")
    result.add_argument("--since", type=moment, metavar="TIME",
                        help="from then on: 14:30, or '2026-01-31 14:30', or with Z")
    result.add_argument("--until", type=moment, metavar="TIME", help="before then")
    result.add_argument("--utc", action="store_true", help="times in UTC, not in local time")
    add_filter_options(result)
    return result
