"""What becomes of events as metrics: series, buckets, labels, and the text that Prometheus reads."""
import gzip
import os
import random
import re
import threading
from typing import Any, Dict, List

import pytest
from lab import tried
from fake_library import event, packed
from places import REPOSITORY
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain
from retrans_ctypes import extras
from retrans_ctypes.errors import ExtraMissing
from retrans_ctypes.event import KNOWN_OWNER, KNOWN_SEGS, KNOWN_STALL, Event
from retrans_ctypes.grouping import GROUPINGS
from retrans_ctypes.ledger import Ledger, LedgerRow
from retrans_ctypes.sinks.output import Output
from retrans_ctypes.sinks.prometheus import PrometheusSink
from retrans_ctypes.sinks.prometheus.exposition import FRESH, Recent, exposition
from retrans_ctypes.sinks.prometheus.families import BUILD, METRICS, Families, Readings
from retrans_ctypes.sinks.prometheus.tally import BUCKETS, LONGEST, OTHER, Tally, direction, labels_by
from retrans_ctypes.stats import Stats
from retrans_ctypes.workload import Enriched, Workload

ALL = (1 << 64) - 1
BAD = '\x1b[31m"quo\\ted"\nline\r\udc80\u202e</b>'
LEDGER = Ledger((
    LedgerRow(4026531840, 12, 7, 1, 1, 1, 1, 1, 0), LedgerRow(4026532000, None, 3, 0, 0, 0, 0, None, None)))
READINGS = Readings(
    Stats(*range(1, len(Stats._fields) + 1))._asdict(), LEDGER.to_dict(), True, 1700000000.5,
    dict.fromkeys(BUILD, "x"))


class Names:
    """Lookups that give each event its place by its cgroup."""

    def workload(self, one: Any) -> Workload:
        unit = None if one.cgroup_id == 0 else "unit%d.service" % one.cgroup_id
        given: Dict[str, Any] = {"unit": unit, "cgroup": unit and "/" + unit, "container_id": unit and unit * 3}
        return Workload([given.get(field.name) for field in Workload.FIELDS])


class Called:
    """Lookups that found one name for everything."""

    def __init__(self, name: str) -> None:
        self._workload = Workload([name] * len(Workload.FIELDS))

    def workload(self, one: Any) -> Workload:
        return self._workload


def samples(tally: Tally, readings: Readings = Readings(), **options: Any) -> Dict[Any, float]:
    """(name, labels) -> value, read back from the text; a series that comes twice is an error."""
    text = exposition(Families(tally, lambda: readings, **options)).text.decode("utf-8")
    found: Dict[Any, float] = {}
    for family in plain(text):
        for one in family.samples:
            key = one.name, tuple(sorted(one.labels.items()))
            assert key not in found
            found[key] = one.value
    return found


def total(found: Dict[Any, float], name: str, **labels: str) -> float:
    return sum(value for (one, has), value in found.items()
               if one == name and set(labels.items()) <= set(has))


def mixture(number: int = 3000) -> List[bytes]:
    choose = random.Random(5)
    return [packed(
        known=ALL if choose.random() < .9 else ALL & ~KNOWN_SEGS & ~KNOWN_STALL & ~KNOWN_OWNER, ts_ns=place,
        family=choose.choice([4, 6]), kind=choose.choice([0, 0, 1]), state=choose.choice([1, 2, 3, 4]),
        reason=choose.randrange(9), segs=choose.randrange(1, 20), err=choose.choice([0, 0, 0, 0, -16, 1]),
        stall_us=int(10 ** choose.uniform(0, 8.5)), daddr=bytes([10, 0, choose.randrange(9), choose.randrange(9)]),
        saddr=bytes([10, 1, 0, choose.randrange(3)]), sport=choose.randrange(1000, 1010), dport=443,
        cgroup_id=choose.randrange(6), uid=choose.randrange(3), netns=choose.randrange(1, 4),
        owner_pid=choose.randrange(1, 5), owner_comm=b"curl", owner_how=choose.randrange(4)) for place in range(number)]


@pytest.mark.parametrize("by", sorted(GROUPINGS) + ["none"])
def test_batches_are_counted_as_single_events_would_be(by: str) -> None:
    grouping, names, events = labels_by(by), Names(), mixture()
    tally = Tally(grouping, names, most=100000)
    for place in range(0, len(events), 1024):
        tally.add(memoryview(b"".join(events[place:place + 1024])))
    numbers: Dict[Any, List[int]] = {}
    sent = [one for one in Event.read(b"".join(events)) if not one.failed]
    for one in sent:
        group = "" if grouping is None else grouping.key(Enriched(one, names.workload(one))) or "unknown"
        row = numbers.setdefault((one.reason or "unknown", "ipv%d" % one.family, direction(one), group), [0, 0])
        row[0] += 1
        row[1] += one.segs or 0
    shot = tally.snapshot()
    assert shot.events == {labels: row[0] for labels, row in numbers.items()}
    assert shot.segs == {labels: row[1] for labels, row in numbers.items() if row[1]}
    assert shot.failed == len(events) - len(sent) > 0
    waited = [one.stall_us for one in sent if one.stall_us is not None]
    assert sum(map(sum, shot.stalls.values())) == len(waited)
    assert sum(shot.stall_us.values()) == sum(waited)


def test_a_series_for_each_reason_family_and_direction() -> None:
    tally = Tally(labels_by("prefix"), Names())
    tally.add(packed(reason=4, state=2, segs=1, daddr=bytes([192, 0, 2, 9])) * 3)
    tally.add(packed(reason=2, segs=7, family=6, daddr=bytes([0x20, 1, 0xd, 0xb8] + [0] * 12)))
    found = samples(tally)
    syn = (("direction", "out"), ("family", "ipv4"), ("prefix", "192.0.2.0/24"), ("reason", "syn"))
    fast = (("direction", "unknown"), ("family", "ipv6"), ("prefix", "2001:db8::/64"), ("reason", "fast"))
    assert found["retrans_events_total", syn] == found["retrans_segments_total", syn] == 3
    assert found["retrans_events_total", fast] == 1 and found["retrans_segments_total", fast] == 7


@pytest.mark.parametrize("fields, opened", [
    (dict(state=2), "out"), (dict(state=3), "in"), (dict(state=12), "in"), (dict(state=10, kind=1), "in"),
    (dict(state=1), "unknown"), (dict(state=4), "unknown")])
def test_direction_is_told_while_a_connection_opens(fields: Any, opened: str) -> None:
    assert direction(event(**fields)) == opened


@pytest.mark.reliability
def test_further_values_are_other_and_nothing_is_forgotten() -> None:
    tally = Tally(labels_by("lport"), Names(), most=3)
    last = 0.0
    for port in list(range(1000, 1010)) * 2:
        tally.add(packed(sport=port, segs=2, reason=1))
        found = samples(tally)
        now = total(found, "retrans_segments_total")
        assert now == last + 2
        last = now
    ports = {dict(labels)["lport"] for name, labels in found if name == "retrans_segments_total"}
    assert ports == {"1000", "1001", "1002", OTHER}
    assert total(found, "retrans_segments_total", lport=OTHER) == 2 * 14
    assert found["retrans_label_values", ()] == found["retrans_label_values_limit", ()] == 3
    tried.count("security", "more label values than metrics may have", "one series for the rest")


def test_what_is_not_known_is_unknown() -> None:
    tally = Tally(labels_by("unit"), Names())
    tally.add(packed(known=ALL & ~KNOWN_SEGS & ~KNOWN_STALL, reason=0, family=9))
    found = samples(tally)
    labels = (("direction", "unknown"), ("family", "unknown"), ("reason", "unknown"), ("unit", "unknown"))
    assert found["retrans_events_total", labels] == 1
    assert not [name for name, _ in found if name.startswith(("retrans_segments", "retrans_stall"))]
    assert found["retrans_label_values", ()] == 0


def test_stall_buckets_count_up_to_their_end() -> None:
    tally = Tally(None, Names())
    for stall_us in (0, 1000, 1001, 200000, 119999999, 120000000, 120000001, 1 << 40):
        tally.add(packed(reason=1, stall_us=stall_us))
    found = samples(tally)

    def up_to(end: str) -> float:
        return found["retrans_stall_seconds_bucket", (("le", end), ("reason", "rto"))]
    assert (up_to("0.001"), up_to("0.0025"), up_to("0.25"), up_to("120.0"), up_to("+Inf")) == (2, 3, 4, 6, 8)
    assert total(found, "retrans_stall_seconds_count") == 8
    assert total(found, "retrans_stall_seconds_sum") == pytest.approx((1 << 40) / 1e6 + 360.202002)
    assert list(BUCKETS) == sorted(set(BUCKETS))


@pytest.mark.reliability
@pytest.mark.parametrize("accept, parse", [("", plain), ("application/openmetrics-text", openmetrics)])
def test_hostile_names_are_one_label_value(accept: str, parse: Any) -> None:
    tally = Tally(labels_by("unit"), Called(BAD))
    tally.add(packed(segs=1))
    shown = exposition(Families(tally), accept)
    text = shown.text.decode("utf-8")
    assert all(letter.isprintable() or letter == "\n" for letter in text)
    units = {one.labels["unit"] for family in parse(text) for one in family.samples if "unit" in one.labels}
    assert units == {'\\x1b[31m"quo\\ted"\\x0aline\\x0d\\udc80\\u202e</b>'}
    assert ("openmetrics" in shown.content_type) == bool(accept)
    tried.count("security", "hostile label value", "one value, escaped")


def test_hostile_comm() -> None:
    tally = Tally(labels_by("pid"), Names())
    tally.add(packed(owner_pid=7, owner_comm=b'\x1b[2J"\n\xff\\'))
    (group,) = {labels[3] for labels in tally.snapshot().events}
    assert group == '\\x1b[2J"\\x0a\\xff\\ (7)'
    assert total(samples(tally), "retrans_events_total", pid=group) == 1


@pytest.mark.reliability
def test_long_names_are_cut() -> None:
    tally = Tally(labels_by("cgroup"), Called("/" + "\n" * 4000))
    tally.add(packed())
    (group,) = {labels[3] for labels in tally.snapshot().events}
    assert len(group) == LONGEST and group.startswith("/\\x0a") and group.endswith("\u2026")
    tried.count("security", "label value of thousands of letters", "cut at 256")


def test_readings_of_the_tracer() -> None:
    found = samples(Tally(None, Names()), READINGS, namespaces=1)
    assert READINGS.stats is not None
    for metric, field in (("delivered_segments", "segs"), ("lost_events", "lost"), ("lost_segments", "lost_segs"),
                          ("limited_events", "limited"), ("filtered_segments", "filtered_segs"),
                          ("skipped_segments", "skipped_segs")):
        assert found["retrans_%s_total" % metric, ()] == READINGS.stats[field]
    for outcome, value in (("kernel", 12), ("delivered", 7), ("lost", 1), ("unexplained", 1)):
        assert found["retrans_ledger_segments", (("outcome", outcome),)] == value
        labels = (("netns", "4026531840"), ("outcome", outcome))
        assert found["retrans_ledger_namespace_segments", labels] == value
    assert found["retrans_ledger_unreadable_namespaces", ()] == 1
    assert found["retrans_ledger_unreadable_segments", ()] == 3
    assert found["retrans_ledger_uncertainty_segments", ()] == 0
    assert found["retrans_attached", ()] == 1 and found["retrans_start_time_seconds", ()] == 1700000000.5
    assert not [labels for name, labels in found if ("netns", "4026532000") in labels]


def test_a_namespace_whose_counter_cannot_be_read_has_no_kernel_count() -> None:
    found = samples(Tally(None, Names()), READINGS, namespaces=9)
    theirs = {dict(labels)["outcome"] for name, labels in found if ("netns", "4026532000") in labels}
    assert theirs == {"delivered", "filtered", "failed", "limited", "lost"}


def test_without_a_ledger_there_are_no_ledger_metrics() -> None:
    readings = READINGS._replace(ledger={"type": "ledger", "total": None, "namespaces": [], "why": "no segments"})
    assert not [name for name, _ in samples(Tally(None, Names()), readings) if "ledger" in name]


def test_every_metric_of_the_table_is_made() -> None:
    tally = Tally(labels_by("rport"), Names())
    tally.add(packed(reason=1, segs=1, stall_us=5, dport=80))
    families = Families(tally, lambda: READINGS, namespaces=5)
    made = {family.name + ("_total" if family.type == "counter" else ""): family for family in families.collect()}
    assert list(made) == [metric.name for metric in METRICS]
    for metric in METRICS:
        labels = {"rport" if name == "BY" else name for name in metric.labels}
        assert made[metric.name].type == metric.kind
        for one in made[metric.name].samples:
            assert set(one.labels) - {"le"} == labels


def test_the_document_has_the_table() -> None:
    with open(os.path.join(REPOSITORY, "docs", "metrics.md"), encoding="utf-8") as file:
        rows = re.findall(r"^\| `(retrans_\w+)` \| (\w+) \| ([^|]*) \| ([^|]*) \|$", file.read(), re.MULTILINE)
    written = [(name, kind, tuple(re.findall(r"`(\w+)`|(BY)", labels)), text.strip())
               for name, kind, labels, text in rows]
    assert [(name, kind, tuple(a or b for a, b in labels), text) for name, kind, labels, text in written] == [
        tuple(metric) for metric in METRICS]


def test_recent_texts_are_made_once() -> None:
    now = [100.0]
    tally = Tally(None, Names())
    recent = Recent(Families(tally), lambda: now[0])
    before = recent()
    tally.add(packed(segs=1))
    now[0] += FRESH * .9
    assert recent() is before
    assert recent("application/openmetrics-text;version=0.0.1").text.endswith(b"# EOF\n")
    now[0] += FRESH * .2
    assert b"retrans_events_total{" in recent().text
    packed_once = recent(packed=True)
    assert gzip.decompress(packed_once.text) == recent().text and recent(packed=True) is packed_once


def test_a_text_that_takes_long_is_good_for_long() -> None:
    """A ledger of many network namespaces: nine tenths of the time are left."""
    now, made = [100.0], []

    def slow() -> Readings:
        made.append(now[0])
        now[0] += 2
        return READINGS
    recent = Recent(Families(Tally(None, Names()), slow), lambda: now[0])
    while now[0] < 180:
        recent()
        now[0] += 0.5
    assert made == [100, 120, 140, 160]


def test_counting_while_others_read() -> None:
    tally, batch = Tally(labels_by("lport"), Names()), b"".join(mixture(500))
    stop, wrong = threading.Event(), []

    def read() -> None:
        last = 0
        while not stop.is_set():
            now = sum(tally.snapshot().events.values())
            if now < last:
                wrong.append((last, now))
            last = now
    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for _ in range(40):
        tally.add(batch)
    stop.set()
    for reader in readers:
        reader.join()
    shot = tally.snapshot()
    assert not wrong and sum(shot.events.values()) + shot.failed == 40 * 500


def test_the_sink_writes_the_text_at_the_end(tmp_path: Any) -> None:
    target = tmp_path / "metrics"
    with open(str(target), "wb") as file:
        sink = PrometheusSink(Tally(None, Names()), Output(file.fileno()), READINGS)
        sink.start()
        sink.write_packed(packed(segs=2))
        sink.write(event(segs=3))
        sink.finish()
    text = target.read_text(encoding="utf-8")
    assert 'retrans_segments_total{direction="unknown",family="ipv4",reason="unknown"} 5.0' in text.splitlines()


def test_a_missing_library_is_named(monkeypatch: Any) -> None:
    def missing(name: str) -> Any:
        raise ImportError("No module named '%s'" % name)
    monkeypatch.setattr(extras, "import_module", missing)
    with pytest.raises(ExtraMissing, match=r"prometheus-client.*retrans_ctypes\[metrics\]"):
        Families(Tally(None, Names()))
