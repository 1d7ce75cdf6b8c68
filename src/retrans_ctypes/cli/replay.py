"""``replay``: recorded events, shown as ``trace`` would have shown them."""

import argparse
import math
import time
from typing import Callable, List, Optional, Tuple

from ..clock import WallClock
from ..errors import RecordingError, UsageError
from ..event import Event
from ..filter_match import Matches
from ..ndjson import encode
from ..recording import Recording, Run, Session, open_recording
from ..sinks import Sink
from ..sinks.columns import Column, describe
from ..sinks.count import NdjsonFlowCounts, TextFlowCounts
from ..sinks.ndjson import RecordedNdjsonSink
from ..sinks.output import GatheringOutput
from ..sinks.prometheus import PrometheusSink
from ..sinks.prometheus.tally import Tally, labels_by
from ..sinks.text import TextSink
from ..workload import UNKNOWN, Workload
from .filter_options import add_filter_options, recorded_filter, typed_filter
from .follow import tell
from .into import CopySink
from .moments import moment
from .options import Parser, colours_for, say, terminal_width
from .progress import Progress
from .recorded import about, account_for, details
from .showing import add_show_options, make_clock, shown_columns, wanted
from .signals import StopSignals

_TICK = 0.5  # seconds between looks at the output's reader while nothing is due

Span = Tuple[Optional[int], Optional[int]]


def main(arguments: List[str]) -> int:
    options = parser().parse_args(arguments)
    if options.columns == "help":
        say(describe())
        return 0
    if not options.files:
        raise UsageError("there is nothing to replay: name a recording, such as retrans.db")
    shown = options.json or options.count or options.compat or options.columns is not None
    if options.into and shown:
        raise UsageError("--into writes a recording and shows nothing: leave --json, -c, -o and --compat out")
    if options.metrics and (options.into or shown):
        raise UsageError("--metrics writes metrics only: leave --into, --json, -c, -o and --compat out")
    output, clock, names = GatheringOutput(), make_clock(options, offset_ns=0), RecordedNames()
    sink = make_sink(options, output, shown_columns(options, terminal_width()), clock, names)
    chosen = recorded_filter(options)
    keep, matches = None if options.into else wanted(options), chosen.matcher() if chosen else None
    with StopSignals() as signals:
        player = Player(sink, output, clock, names, keep, matches, options.speed)
        signals.stop_with(player.stop)
        Replay(options, player, output).run()
    return 0


class RecordedNames:
    """In place of Lookups: the names that were found while recording."""

    def __init__(self) -> None:
        self.found: Workload = UNKNOWN
        self.session: Optional[Session] = None

    def workload(self, event: Event) -> Workload:
        return self.found


class Player:
    """Passes recorded events on to a sink, each with its own time and names."""

    def __init__(
        self, sink: Sink, output: GatheringOutput, clock: WallClock, names: RecordedNames,
        keep: Optional[Callable[[Event], bool]], matches: Optional[Matches], speed: Optional[float],
    ) -> None:
        self.sink = sink
        self.count = 0
        """Events so far that were chosen."""
        self.stopped = False
        self._output = output
        self._clock = clock
        self._names = names
        self._keep = keep
        self._matches = matches
        self._speed = speed
        self._session: Optional[Session] = None
        self._origin = (0, 0.0)

    def stop(self) -> None:
        self.stopped = True

    def waiting(self) -> bool:
        """Whether to wait on for what comes through a pipe; what came is shown meanwhile."""
        self._output.push()
        self._output.check_reader()
        return not self.stopped

    def play(self, run: Run) -> None:
        self._clock.offset_ns = run.offset_ns
        self._names.found, self._names.session = run.workload, run.session
        matches, packed = self._matches, run.packed
        if matches is not None:
            packed = b"".join(event for event in Event.read(packed) if matches(event, run.workload))
        if self._speed is None:
            self._pass_on(packed)
            return
        for event in Event.read(packed):
            self._wait(run.session, event.ts_ns)
            if self.stopped:
                return
            self._pass_on(event)

    def _pass_on(self, packed: bytes) -> None:
        self.count += len(packed) // Event.LAYOUT.size
        if self._keep is None:
            self.sink.write_packed(packed)
        else:
            self.sink.write_all(filter(self._keep, Event.read(packed)))

    def _wait(self, session: Session, ts_ns: int) -> None:
        """Until it is due. The first event of a session is at once: nothing happens between sessions."""
        assert self._speed is not None
        if session is not self._session:
            self._session, self._origin = session, (ts_ns, time.monotonic())
        first_ns, begun = self._origin
        due = begun + (ts_ns - first_ns) / 1e9 / self._speed
        left = due - time.monotonic()
        while left > 0 and not self.stopped:
            self._output.push()
            self._output.check_reader()
            time.sleep(min(left, _TICK))
            left = due - time.monotonic()


class Replay:
    """The recordings one after another, and what there is to say at their ends."""

    def __init__(self, options: argparse.Namespace, player: Player, output: GatheringOutput) -> None:
        self._options = options
        self._player = player
        self._output = output
        self._endings: List[str] = []
        self._ledgers: List[str] = []
        self._many = len(options.files) > 1
        self._progress = Progress("replay", quiet=options.count)

    def run(self) -> None:
        """Raises RecordingError once all is written that came before the damage."""
        failure: Optional[RecordingError] = None
        self._player.sink.start()
        try:
            for path in self._options.files:
                if not self._player.stopped:
                    self._play(path)
        except RecordingError as error:
            failure = error
        self._progress.clear()
        self._player.sink.finish()
        self._put_ledgers()
        self._output.push()
        for line in self._endings:
            tell(line)
        if failure is not None:
            raise failure

    def _play(self, path: str) -> None:
        try:
            recording = open_recording(path, self._player.waiting)
        except RecordingError:
            if self._player.stopped:  # before its first line had come
                return
            raise
        with recording:
            since_ns, until_ns = span(self._options, recording.sessions)
            session: Optional[Session] = None
            try:
                for run in recording.runs(since_ns, until_ns):
                    if session is not None and session.number != run.session.number:
                        self._end_session(recording, session.number)
                    session = run.session
                    self._player.play(run)
                    self._progress.show(recording.done, self._player.count)
                    if self._player.stopped:  # what was read is shown
                        break
                if session is not None:
                    self._end_session(recording, session.number)
            finally:
                self._endings += recording.remarks
                self._conclude(recording, since_ns, until_ns)

    def _end_session(self, recording: Recording, number: int) -> None:
        """Once its events are through: as ``trace --json`` ends, or as it ended itself."""
        session = next((one for one in recording.sessions if one.number == number), None)
        if session is None:
            raise RecordingError("%s was changed while it was read, or is damaged: its session %d is not where it was;"
                                 " read it again" % (recording.path, number))
        sink = self._player.sink
        if isinstance(sink, CopySink):
            if not self._player.stopped:
                sink.end_session(session)
            return
        if session.ledger is not None:
            self._ledgers.append(encode(session.ledger))
        if self._options.json and not self._options.count:
            self._put_ledgers()

    def _put_ledgers(self) -> None:
        for line in self._ledgers if self._options.json else ():
            self._output.line(line)
        self._ledgers = []

    def _conclude(self, recording: Recording, since_ns: Optional[int], until_ns: Optional[int]) -> None:
        """Keep what is to be told of its sessions in the end."""
        sessions = [session for session in recording.sessions if _touches(session, since_ns, until_ns)]
        for session in sessions:
            if self._options.verbose or self._many or len(sessions) > 1:
                self._endings.append(about(recording.path, session) + ":")
            if self._options.verbose:
                self._endings += details(session)
            self._endings += account_for(session, session.ended_ns is None and recording.recorder_runs)


def _touches(session: Session, since_ns: Optional[int], until_ns: Optional[int]) -> bool:
    """Whether something of the session may lie in there."""
    begins = session.started_ns is None or until_ns is None or session.started_ns < until_ns
    return begins and (session.ended_ns is None or since_ns is None or session.ended_ns >= since_ns)


def span(options: argparse.Namespace, sessions: List[Session]) -> Span:
    """What --since and --until come to; a time of day is that of the recording's first day."""
    begun = next((one.started_ns for one in sessions if one.started_ns is not None), None)
    near_ns = int(time.time() * 1e9) if begun is None else begun
    since_ns = None if options.since is None else options.since.at(near_ns)
    if options.until is None:
        return since_ns, None
    until_ns = options.until.after(near_ns if since_ns is None else since_ns)
    if since_ns is not None and until_ns <= since_ns:
        raise UsageError("--until is not after --since, so there is nothing in between")
    return since_ns, until_ns


def make_sink(
    options: argparse.Namespace, output: GatheringOutput, shown: List[Column], clock: WallClock, names: RecordedNames,
) -> Sink:
    if options.into:
        copy = CopySink(options.into, clock, names, typed_filter(options))
        copy.refuse(options.files)
        return copy
    if options.metrics:
        return PrometheusSink(Tally(labels_by("prefix"), names), output)
    if options.count:
        return NdjsonFlowCounts(output) if options.json else TextFlowCounts(output, banner=None)
    if options.json:
        return RecordedNdjsonSink(output, clock, names, failed=options.verbose)
    return TextSink(output, shown, clock, names, colours_for(options), banner=None)


def speed(text: str) -> float:
    """An argparse type: how many times as fast as it happened."""
    try:
        value = float(text[:-1] if text.endswith("x") else text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError("'%s' is no speed: 1 is that at which it happened, 10 ten times that" % text)
    return value


def parser() -> argparse.ArgumentParser:
    result = Parser(
        "replay", "Show what was recorded as 'trace' would have shown it. Needs no rights, and works on any machine.",
        examples=[("retrans.db", "all of it"), ("retrans.db --since 14:30 --raddr 10.0.0.0/8", "a part"),
                  ("retrans.db --json", "as JSON lines"), ("retrans.db --speed 10", "ten times as fast")],
        short=["--since", "--until", "--speed", "--json", "-c", "-o", "--raddr", "--port", "--reason", "-v"])
    result.add_argument("files", nargs="*", metavar="FILE",
                        help="what 'record' or 'trace --json' wrote")
    result.add_argument("--since", type=moment, metavar="TIME",
                        help="from then on: 14:30, or '2026-01-31 14:30', or with Z")
    result.add_argument("--until", type=moment, metavar="TIME", help="before then")
    result.add_argument("--speed", type=speed, metavar="N",
                        help="N times as fast as it happened, not as fast as can be")
    result.add_argument("--into", metavar="FILE", help="into another recording, instead of showing them")
    result.add_argument("--metrics", action="store_true",
                        help="what 'metrics' would have counted, by remote prefix, as text for Prometheus")
    add_show_options(result)
    add_filter_options(result)
    return result
