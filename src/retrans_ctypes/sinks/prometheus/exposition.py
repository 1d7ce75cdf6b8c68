"""The text that Prometheus reads."""

import gzip
import threading
import time
from typing import Callable, Dict, NamedTuple, Tuple

from ...extras import need
from .families import Families

OPENMETRICS = "application/openmetrics-text"
FRESH = 1.0  # seconds that a text is good for, at least
REST = 9  # times as long as it took: however many ask, it is a tenth of the time


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
    """The exposition as it was a moment ago, for any number of threads: made anew once FRESH seconds are
    over, and REST times as long as it took, which in a thousand network namespaces is seconds."""

    def __init__(self, families: Families, clock: Callable[[], float] = time.monotonic) -> None:
        self._families = families
        self._clock = clock
        self._lock = threading.Lock()
        self._made: Dict[Tuple[bool, bool], Text] = {}
        self._good_until: Dict[Tuple[bool, bool], float] = {}

    def __call__(self, accept: str = "", packed: bool = False) -> Text:
        """As exposition(); ``packed``: by gzip."""
        key = OPENMETRICS in accept, packed
        with self._lock:
            begun = self._clock()
            if key not in self._made or begun >= self._good_until[key]:
                made = exposition(self._families, accept)
                self._made[key] = made._replace(text=gzip.compress(made.text, 5)) if packed else made
                ended = self._clock()
                self._good_until[key] = max(begun + FRESH, ended + REST * (ended - begun))
            return self._made[key]
