"""Opening a recording: what its file begins with tells which kind it is."""

import fcntl
import os
from types import TracebackType
from typing import BinaryIO, Callable, Iterator, List, Optional, Type

from ..errors import RecordingError
from .piped import START, Piped, open_file
from .schema import APPLICATION_ID, MAGIC, header
from .session import Run, Session


class Recording:
    """A recording that is open for reading; a context manager. For one thread at a time.

        with open_recording("retrans.db") as recording:
            for run in recording.runs():
                for event, names in run.enriched():
                    print(event.remote, names.pod_name)

    All methods raise RecordingError where the file turns out to be damaged.
    """

    def __init__(self, path: str, file: BinaryIO) -> None:
        """``file``: ``path``, opened."""
        self.path = path
        self._file = file
        self.remarks: List[str] = []
        """What is wrong with it that does not keep it from being read; sentences for people."""

    @property
    def sessions(self) -> List[Session]:
        """As they are written now, oldest first: one that is still recorded has its stats of a second ago."""
        raise NotImplementedError

    @property
    def events(self) -> Optional[int]:
        """About how many there are, for a progress bar; None where only reading all would tell."""
        raise NotImplementedError

    @property
    def done(self) -> Optional[float]:
        """The share of it that runs() has gone through, from 0 to 1; None where its end is not known."""
        raise NotImplementedError

    @property
    def recorder_runs(self) -> bool:
        """Whether its recorder still holds the file, as far as that can be told from here."""
        raw = getattr(self._file, "raw", None)
        if isinstance(raw, Piped):
            return not raw.ended
        try:
            fcntl.flock(self._file.fileno(), fcntl.LOCK_SH | fcntl.LOCK_NB)
            fcntl.flock(self._file.fileno(), fcntl.LOCK_UN)
        except BlockingIOError:
            return True
        except OSError:  # this file system has no such locks
            pass
        return False

    @property
    def mode(self) -> int:
        """Of its file, as stat(2) has it."""
        return os.fstat(self._file.fileno()).st_mode

    def runs(self, since_ns: Optional[int] = None, until_ns: Optional[int] = None) -> Iterator[Run]:
        """Its events as they were recorded: up to those that are there by now.

        Only those from ``since_ns`` on and before ``until_ns``, both since the epoch.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Again does nothing."""
        self._file.close()

    def __enter__(self) -> "Recording":
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.close()


def open_recording(path: str, waiting: Optional[Callable[[], bool]] = None) -> Recording:
    """Open an SQLite or NDJSON recording; NDJSON may come through a pipe. Raises RecordingError.

    ``waiting``: called before each read from a pipe, and a few times a second while nothing comes through it.
    Once it returns False, what came by then is all.
    """
    try:
        file = open_file(path, waiting)
    except (OSError, ValueError) as error:
        raise RecordingError("%s cannot be read (%s): name a recording, which 'record' makes" % (
            path, getattr(error, "strerror", error)))
    try:
        return _open(path, file)
    except BaseException:
        file.close()
        raise


def is_recording(path: str) -> bool:
    """Whether a file begins as one. Of a pipe, of a device and of what cannot be read nothing is read: False."""
    if not os.path.isfile(path):
        return False
    try:
        with open(path, "rb") as file:
            start = file.read(START)
    except OSError:
        return False
    if start.startswith(MAGIC):
        return header(start).application == APPLICATION_ID
    from .ndjson_reader import begins
    return begins(start)


def _open(path: str, file: BinaryIO) -> Recording:
    try:
        start = file.peek(len(MAGIC))  # type: ignore[attr-defined]
    except OSError as error:
        raise RecordingError("%s cannot be read (%s): name another file" % (path, error.strerror))
    if not start:
        raise RecordingError("%s is empty: nothing was recorded in it" % path)
    if not start.startswith(MAGIC):
        from .ndjson_reader import NdjsonRecording
        return NdjsonRecording(path, file)
    if not os.path.isfile(path):
        raise RecordingError("%s gives an SQLite recording through a pipe, and those are read from"
                             " their file only: name that" % path)
    try:
        from .sqlite_reader import SqliteRecording
    except ImportError as error:
        raise RecordingError("%s is an SQLite recording, and this Python has no sqlite3 (%s): use another"
                             " Python" % (path, error))
    return SqliteRecording(path, file)
