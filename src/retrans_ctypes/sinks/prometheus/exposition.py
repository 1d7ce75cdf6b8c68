"""The text that Prometheus reads."""

import gzip
import threading
import time
from typing import Callable, Dict, NamedTuple, Optional

from ...extras import need
from .families import Families

OPENMETRICS = "application/openmetrics-text"
FRESH = 1.0  # seconds that a text is good for, at least
REST = 9  # times as long as it took: however many ask, each of the two formats takes a tenth of the time


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


class _Made(NamedTuple):
    plain: Text
    packed: Optional[Text]  # by gzip; None until somebody asks for it
    good_until: float


class Recent:
    """The exposition as it was a moment ago, for any number of threads: made anew once FRESH seconds are
    over, and REST times as long as it took, which in a thousand network namespaces is seconds."""

    def __init__(self, families: Families, clock: Callable[[], float] = time.monotonic) -> None:
        self._families = families
        self._clock = clock
        self._lock = threading.Lock()
        self._made: Dict[bool, _Made] = {}

    def __call__(self, accept: str = "", packed: bool = False) -> Text:
        """As exposition(); ``packed``: by gzip."""
        openmetrics = OPENMETRICS in accept
        with self._lock:
            begun = self._clock()
            made = self._made.get(openmetrics)
            if made is None or begun >= made.good_until:
                made = _Made(exposition(self._families, accept), None, begun + FRESH)
            if packed and made.packed is None:
                made = made._replace(packed=made.plain._replace(text=gzip.compress(made.plain.text, 5)))
            ended = self._clock()
            if made is not self._made.get(openmetrics):
                rested = ended + REST * (ended - begun)
                made = self._made[openmetrics] = made._replace(good_until=max(made.good_until, rested))
            return made.packed if packed and made.packed else made.plain
