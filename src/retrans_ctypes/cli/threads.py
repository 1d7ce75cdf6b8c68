"""Threads that a command cannot do without."""

from ..background import Background
from ..errors import RetransError

SECONDS = 10.0
"""that such a thread has to begin, and to end."""


def begin(thread: Background) -> None:
    """Raises RetransError where the system does not let it run."""
    if not (thread.start() and thread.runs_within(SECONDS)):
        raise RetransError("this needs a thread, and the system gives none: see what limits processes and memory"
                           " here (ulimit -u and -v, the cgroup)")
