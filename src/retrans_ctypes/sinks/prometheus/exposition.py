"""The text that Prometheus reads."""

import threading
import time
from typing import Callable, Dict, NamedTuple

from ...extras import need
from .families import Families

OPENMETRICS = "application/openmetrics-text"
FRESH = 1.0  # seconds that a text is good for: a flood of requests costs no more than this


class Text(NamedTuple):
    """All metrics, and what HTTP calls their format."""

    content_type: str
    text: bytes


def exposition(families: Families, accept: str = "") -> Text:
    """All metrics in the format that this HTTP Accept header asks for: OpenMetrics, or Prometheus' own.

    Raises ExtraMissing.
    """
    wanted = "%s; version=1.0.0" % OPENMETRICS if OPENMETRICS in accept else "text/plain"
    write, content_type = need("prometheus_client.exposition", "metrics").choose_encoder(wanted)
    return Text(content_type, write(families))


class Recent:
    """The exposition as it was not more than FRESH seconds ago, for any number of threads."""

    def __init__(self, families: Families, clock: Callable[[], float] = time.monotonic) -> None:
        self._families = families
        self._clock = clock
        self._lock = threading.Lock()
        self._made: Dict[bool, Text] = {}
        self._when: Dict[bool, float] = {}

    def __call__(self, accept: str = "") -> Text:
        """As exposition()."""
        key = OPENMETRICS in accept
        with self._lock:
            if key not in self._made or self._clock() - self._when[key] >= FRESH:
                self._when[key] = self._clock()
                self._made[key] = exposition(self._families, accept)
            return self._made[key]
