"""Events kept in a file: written by ``record``, read by ``replay`` and ``report``.

A recording is an SQLite database or NDJSON; docs/recording.md has both.
"""

from .reading import Recording, open_recording
from .session import Run, Session

__all__ = ["Recording", "Run", "Session", "open_recording"]
