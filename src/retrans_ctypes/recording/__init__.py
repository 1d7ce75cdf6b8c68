"""Events kept in a file: written by ``record``, read by ``replay`` and ``report``.

A recording is an SQLite database or NDJSON; docs/recording.md has both.
"""

from .session import Run, Session

__all__ = ["Run", "Session"]
