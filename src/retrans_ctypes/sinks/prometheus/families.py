"""The metrics: their table, and their values as prometheus-client takes them."""

from itertools import accumulate
from typing import Any, Callable, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ...extras import need
from .tally import BUCKETS, Snapshot, Tally

_SERIES = ("reason", "family", "direction")
OUTCOMES = ("kernel", "delivered", "filtered", "failed", "limited", "lost", "unexplained")
BUILD = ("version", "library", "attach", "buffer", "kernel")


class Metric(NamedTuple):
    """One row of the table; docs/metrics.md has the same."""

    name: str
    kind: str
    """counter, gauge or histogram"""
    labels: Tuple[str, ...]
    help: str


METRICS = (
    Metric("retrans_segments_total", "counter", _SERIES + ("BY",),
           "Segments sent again, as the kernel counts them"),
    Metric("retrans_events_total", "counter", _SERIES + ("BY",),
           "Retransmissions, each of one or more segments"),
    Metric("retrans_stall_seconds", "histogram", ("reason",),
           "How long the data had been waiting since it was last sent, where that is known"),
    Metric("retrans_failed_events_total", "counter", (),
           "Retransmissions that the kernel could not send, so that they are in no other event counter"),
    Metric("retrans_delivered_segments_total", "counter", (),
           "Segments in all events since the start, from the first one on"),
    Metric("retrans_lost_events_total", "counter", (),
           "Events for which the ring buffer had no room"),
    Metric("retrans_lost_segments_total", "counter", (),
           "Segments in the lost events"),
    Metric("retrans_skipped_segments_total", "counter", (),
           "Segments for which the kernel did not call the programs"),
    Metric("retrans_limited_events_total", "counter", (),
           "Events that the rate limit of a socket kept back"),
    Metric("retrans_limited_segments_total", "counter", (),
           "Segments in the events that the rate limit kept back"),
    Metric("retrans_filtered_events_total", "counter", (),
           "Events that the filter kept back"),
    Metric("retrans_filtered_segments_total", "counter", (),
           "Segments in the events that the filter kept back"),
    Metric("retrans_ledger_segments", "gauge", ("outcome",),
           "What became of the segments that RetransSegs grew by, where that can be read"),
    Metric("retrans_ledger_uncertainty_segments", "gauge", (),
           "Segments that the kernel counted while the programs were being attached"),
    Metric("retrans_ledger_unreadable_namespaces", "gauge", (),
           "Network namespaces whose RetransSegs cannot be read, so that they are not in the ledger's sum"),
    Metric("retrans_ledger_unreadable_segments", "gauge", (),
           "Segments in those namespaces that are delivered, filtered, failed, limited or lost"),
    Metric("retrans_ledger_namespace_segments", "gauge", ("netns", "outcome"),
           "The ledger of each network namespace, with --namespaces"),
    Metric("retrans_label_values", "gauge", (),
           "Values that the label of --by has so far"),
    Metric("retrans_label_values_limit", "gauge", (),
           "How many it may have; what comes later is 'other'"),
    Metric("retrans_attached", "gauge", (),
           "1 while the programs are attached to the kernel"),
    Metric("retrans_start_time_seconds", "gauge", (),
           "When counting began, since the epoch"),
    Metric("retrans_build_info", "gauge", BUILD,
           "1; the labels tell what runs, and how it is attached"),
)

_STATS = {
    "retrans_delivered_segments_total": "segs",
    "retrans_lost_events_total": "lost", "retrans_lost_segments_total": "lost_segs",
    "retrans_skipped_segments_total": "skipped_segs",
    "retrans_limited_events_total": "limited", "retrans_limited_segments_total": "limited_segs",
    "retrans_filtered_events_total": "filtered", "retrans_filtered_segments_total": "filtered_segs"}

Sample = Tuple[Sequence[str], Any]
"""The labels' values, and the value: of a histogram, its counts and their sum."""


class Readings(NamedTuple):
    """What the tracer tells at one moment; the defaults are those of a recording."""

    stats: Optional[Mapping[str, int]] = None
    """Stats by name."""
    ledger: Optional[Mapping[str, Any]] = None
    """Ledger.to_dict()"""
    attached: bool = False
    started: Optional[float] = None
    """Seconds since the epoch."""
    build: Mapping[str, str] = {}


class Families:
    """A collector as prometheus-client has them: collect() gives all metrics.

    ``read`` gives the readings of this moment. ``namespaces``: how many network namespaces have a
    ledger of their own. A metric that is not known is left out.
    Raises ExtraMissing.
    """

    def __init__(
        self, tally: Tally, read: Callable[[], Readings] = Readings, namespaces: int = 0,
    ) -> None:
        self._core = need("prometheus_client.core", "metrics")
        self._tally = tally
        self._read = read
        self._namespaces = namespaces

    def collect(self) -> Iterator[Any]:
        """A prometheus_client Metric for each row of METRICS that has a value."""
        readings = self._read()
        samples: Dict[str, List[Sample]] = {}
        samples.update(self._counted(self._tally.snapshot()))
        samples.update(_told(readings))
        samples.update(self._ledger(readings.ledger or {}))
        for metric in METRICS:
            if samples.get(metric.name):
                yield self._family(metric, samples[metric.name])

    def _family(self, metric: Metric, samples: Sequence[Sample]) -> Any:
        by = () if self._tally.grouping is None else (self._tally.grouping.name,)
        labels = [name for name in metric.labels if name != "BY"]
        labels += by if "BY" in metric.labels else ()
        kind = getattr(self._core, metric.kind.capitalize() + "MetricFamily")
        family = kind(metric.name, metric.help, labels=labels)
        for values, value in samples:
            family.add_metric(values, *(value if metric.kind == "histogram" else (value,)))
        return family

    def _counted(self, counted: Snapshot) -> Dict[str, List[Sample]]:
        shown = 3 if self._tally.grouping is None else 4
        ends = [str(float(end)) for end in BUCKETS] + ["+Inf"]
        return {
            "retrans_events_total": [(labels[:shown], number) for labels, number in counted.events.items()],
            "retrans_segments_total": [(labels[:shown], number) for labels, number in counted.segs.items()],
            "retrans_failed_events_total": [((), counted.failed)],
            "retrans_stall_seconds": [
                ((reason,), (list(zip(ends, accumulate(counts))), counted.stall_us[reason] / 1e6))
                for reason, counts in counted.stalls.items()],
            "retrans_label_values": [((), counted.groups)],
            "retrans_label_values_limit": [((), self._tally.most)],
        }

    def _ledger(self, ledger: Mapping[str, Any]) -> Dict[str, List[Sample]]:
        total = ledger.get("total")
        if total is None:
            return {}
        rows = sorted(ledger["namespaces"], key=lambda row: (-_most(row), row["netns"]))
        return {
            "retrans_ledger_segments": _outcomes(total, ()),
            "retrans_ledger_uncertainty_segments": _known(total["uncertainty"]),
            "retrans_ledger_unreadable_namespaces": [((), total["unreadable"])],
            "retrans_ledger_unreadable_segments": [
                ((), sum(row[outcome] for row in rows if row["kernel"] is None for outcome in OUTCOMES[1:-1]))],
            "retrans_ledger_namespace_segments": [
                sample for row in rows[:self._namespaces] for sample in _outcomes(row, (str(row["netns"]),))],
        }


def _told(readings: Readings) -> Dict[str, List[Sample]]:
    stats = readings.stats or {}
    samples = {name: _known(stats.get(field)) for name, field in _STATS.items()}
    samples["retrans_attached"] = [((), int(readings.attached))]
    samples["retrans_start_time_seconds"] = _known(readings.started)
    if readings.build:
        samples["retrans_build_info"] = [([readings.build[name] for name in BUILD], 1)]
    return samples


def _known(value: Optional[float]) -> List[Sample]:
    return [] if value is None else [((), value)]


def _outcomes(row: Mapping[str, Any], before: Tuple[str, ...]) -> List[Sample]:
    return [(before + (outcome,), row[outcome]) for outcome in OUTCOMES if row[outcome] is not None]


def _most(row: Mapping[str, Any]) -> int:
    """By what the namespaces are ranked."""
    return int(row["delivered"]) if row["kernel"] is None else int(row["kernel"])
