"""What is done with a recording that may hold anything: all that a user could do."""
import os
import shutil
import zlib
from typing import Any, Callable, Dict, List, Optional

import judging
import retrans_ctypes.report.figures
import retrans_ctypes.report.html
from fake_library import event
from made_up_recording import OFFSET, Database, Recorded, names, session_lines
from retrans_ctypes.errors import RecordingError
from retrans_ctypes.recording import open_recording
from retrans_ctypes.sinks.columns import COLUMNS
from where import scratch

MADE = [
    Recorded(event(ts_ns=10**9 + number * 10**6, saddr=bytes([10, 0, 0, 1]), daddr=bytes([10, 0, 0, 2 + number % 2]),
                   sport=40000, dport=443, segs=1, reason=1 + number % 7, owner_pid=7, owner_comm=b"nginx",
                   netns=4026531840, stall_us=1000 * number, err=number % 3 == 2),
             names(unit="nginx.service", cmdline="nginx: worker", netns_name="host", netns_pid=None))
    for number in range(4)]
MADE += [Recorded(event(ts_ns=2 * 10**9, family=6, saddr=b"\xfd" + bytes(15), daddr=b"\xfe\x80" + bytes(14), known=0))]

# Four megabytes that are the same in each page.
retrans_ctypes.report.html.plotly_script = lambda: "plotly"  # type: ignore[attr-defined]

_FORMATS: Dict[str, Callable[[str], Any]] = {
    "html": judging.html, "md": judging.markdown, "json": judging.strict_json}


def seed_database(path: str, page_size: int = 512) -> bytes:
    """A small recording."""
    made = Database(path)
    made.database.execute("PRAGMA journal_mode = DELETE")
    made.database.execute("PRAGMA page_size = %d" % page_size)
    made.database.execute("VACUUM")
    made.session()
    made.add(MADE)
    made.end()
    with open(path, "rb") as file:
        return file.read()


def seed_lines() -> bytes:
    return "".join(line + "\n" for line in session_lines(MADE[:2], started_ns=OFFSET)).encode("ascii")


class Reading:
    """Goes through recordings in every way that there is, in a folder of its own."""

    def __init__(self) -> None:
        self.folder = scratch()
        self._ways: List[Callable[[str], None]] = [
            self._api, self._text, self._json, self._counts, self._metrics, self._into, *[
                lambda path, form=form: self._report(path, form) for form in sorted(_FORMATS)]]

    def close(self) -> None:
        shutil.rmtree(self.folder)

    def every_way(self, data: bytes, name: str) -> None:
        for way in range(len(self._ways)):
            self.one_way(data, name, way)

    def one_way(self, data: bytes, name: str, way: Optional[int] = None) -> None:
        """Which one, what the data is decides."""
        path = os.path.join(self.folder, name)
        with open(path, "wb") as file:
            file.write(data)
        self.look(path, zlib.crc32(data) if way is None else way)

    def look(self, path: str, way: int) -> None:
        self._ways[way % len(self._ways)](path)
        for file in os.listdir(self.folder):
            os.unlink(os.path.join(self.folder, file))

    def look_every_way(self, make: Callable[[str], str]) -> None:
        """At what ``make`` makes in the folder."""
        for way in range(len(self._ways)):
            self.look(make(self.folder), way)

    def _api(self, path: str) -> None:
        events = 0
        try:
            with open_recording(path) as recording:
                for run in recording.runs():
                    for one in run.enriched():
                        judging.fields(one.to_dict())
                        events += 1
                    recording.done, recording.events
                for session in recording.sessions:
                    repr(session)
                for remark in recording.remarks:
                    assert len(remark) > 30
        except RecordingError as error:
            assert len(str(error)) > 30 and "\n" not in str(error).replace(path, ""), error
        assert events < 100000

    def _text(self, path: str) -> None:
        ran = judging.run("replay", path, "-v", "--utc", "--color", "always", "-o", ",".join(COLUMNS))
        judging.judge(ran)
        judging.harmless(ran.out.decode(), colours=True)
        ran = judging.run("replay", path, "--iso", "-s", "-l")
        judging.judge(ran)
        judging.harmless(ran.out.decode())

    def _json(self, path: str) -> None:
        ran = judging.run("replay", path, "--json", "-v")
        judging.judge(ran)
        judging.json_lines(ran.out)

    def _counts(self, path: str) -> None:
        ran = judging.run("replay", path, "-c")
        judging.judge(ran)
        judging.harmless(ran.out.decode())
        ran = judging.run("replay", path, "-c", "--json")
        judging.judge(ran)
        judging.json_lines(ran.out)

    def _metrics(self, path: str) -> None:
        ran = judging.run("replay", path, "--metrics")
        judging.judge(ran)
        judging.metrics(ran.out.decode())

    def _into(self, path: str) -> None:
        """What was copied is a recording that is not damaged."""
        for name in ("copy.db", "copy.ndjson"):
            copy = os.path.join(self.folder, name)
            ran = judging.run("replay", path, "--into", copy)
            judging.judge(ran)
            if os.path.exists(copy):
                again = judging.run("replay", copy, "--json")
                judging.judge(again, (0,))
                judging.json_lines(again.out)

    def _report(self, path: str, form: str) -> None:
        ran = judging.run("report", path, "--utc", "--format", form, "-o", "-")
        judging.judge(ran)
        if ran.out:
            _FORMATS[form](ran.out.decode())
