"""What time an event is shown with."""
import time
from typing import Any, Callable, Iterator

import pytest
from retrans_ctypes import clock as clocks
from retrans_ctypes.clock import ISO, ISO_UTC, LOCAL, UTC, WallClock


@pytest.fixture
def zone(monkeypatch: Any) -> Iterator[Callable[[str], None]]:
    """Sets the local time zone."""
    def zone(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()
    yield zone
    monkeypatch.undo()
    time.tzset()


def at(wall_ns: int, style: str) -> str:
    return WallClock(style, wall_ns - 12345).text(12345)


def test_clock_is_right_and_follows_a_step(monkeypatch: Any) -> None:
    clock, real = WallClock(), time.time
    before = real()
    now_ns = int(time.clock_gettime(time.CLOCK_MONOTONIC) * 1e9)
    after = real()
    assert before - 0.05 < clock.seconds(now_ns) < after + 0.05
    monkeypatch.setattr(time, "time", lambda: real() + 3600)
    clock.sample()
    assert before - 0.05 < clock.seconds(now_ns) - 3600 < after + 0.05


@pytest.mark.parametrize("ts_ns, text", [(0, "2023-11-14T22:13:20.000000Z"), (999999999, "2023-11-14T22:13:21.000000Z")])
def test_time_rounds_without_overflow(ts_ns: int, text: str) -> None:
    assert WallClock(offset_ns=1700000000 * 10**9).iso(ts_ns) == text


def test_a_given_offset_stays() -> None:
    clock = WallClock(UTC, 10**9)
    clock.sample()
    assert (clock.offset_ns, clock.text(0)) == (10**9, "00:00:01.000Z")


# A rule of POSIX, so that it takes no file of zones: Central Europe, Los Angeles, Kolkata, and far east.
EUROPE = "CET-1CEST,M3.5.0,M10.5.0/3"
PACIFIC = "PST8PDT,M3.2.0,M11.1.0"
INDIA = "IST-5:30"
EAST = "<+14>-14"


@pytest.mark.parametrize("name, wall_us, local, utc, iso", [
    ("UTC0", 1700000000123456, "22:13:20.123", "22:13:20.123Z", "2023-11-14T22:13:20.123456+00:00"),
    # the hour that comes twice: only the zone tells which it is
    (EUROPE, 1698539400000000, "02:30:00.000", "00:30:00.000Z", "2023-10-29T02:30:00.000000+02:00"),
    (EUROPE, 1698543000000000, "02:30:00.000", "01:30:00.000Z", "2023-10-29T02:30:00.000000+01:00"),
    # the hour that never comes
    (EUROPE, 1679792399999999, "01:59:59.999", "00:59:59.999Z", "2023-03-26T01:59:59.999999+01:00"),
    (EUROPE, 1679792400000000, "03:00:00.000", "01:00:00.000Z", "2023-03-26T03:00:00.000000+02:00"),
    (PACIFIC, 1699174799999000, "01:59:59.999", "08:59:59.999Z", "2023-11-05T01:59:59.999000-07:00"),
    (PACIFIC, 1699174800000000, "01:00:00.000", "09:00:00.000Z", "2023-11-05T01:00:00.000000-08:00"),
    # years end at different moments
    (INDIA, 1704047400000000, "00:00:00.000", "18:30:00.000Z", "2024-01-01T00:00:00.000000+05:30"),
    (EAST, 1704016800000000, "00:00:00.000", "10:00:00.000Z", "2024-01-01T00:00:00.000000+14:00"),
    (PACIFIC, 1704067199999999, "15:59:59.999", "23:59:59.999Z", "2023-12-31T15:59:59.999999-08:00"),
    (EUROPE, 1709164800000000, "01:00:00.000", "00:00:00.000Z", "2024-02-29T01:00:00.000000+01:00"),
])
def test_zones(zone: Callable[[str], None], name: str, wall_us: int, local: str, utc: str, iso: str) -> None:
    zone(name)
    wall_ns = wall_us * 1000
    assert (at(wall_ns, LOCAL), at(wall_ns, UTC), at(wall_ns, ISO)) == (local, utc, iso)
    assert at(wall_ns, ISO_UTC) == WallClock(offset_ns=0).iso(wall_ns)
    assert at(wall_ns, ISO_UTC).endswith("Z") and at(wall_ns, ISO_UTC)[11:19] == utc[:8]
    assert WallClock(offset_ns=0).local(wall_ns) == local[:8]


def test_milliseconds_are_cut_and_never_carried(zone: Callable[[str], None]) -> None:
    """No line is later than its event, and no second has a thousandth too many."""
    zone("UTC0")
    assert at(1704067199999999999, LOCAL) == "23:59:59.999"
    assert at(1704067199999999999, ISO_UTC) == "2024-01-01T00:00:00.000000Z", "microseconds round, as in --json"
    assert at(-1, UTC) == "23:59:59.999Z", "before the epoch"


FIRST, OURS, THEIRS = "time:[4026531834]", "time:[4026532177]", "time:[4026532178]"
FILE = "monotonic  {}\nboottime           7         8\n"


@pytest.mark.parametrize("ours, children, text, ahead_ns", [
    (OURS, OURS, FILE.format("   1000000         0"), 10**15),
    (OURS, OURS, FILE.format("      -101 500000000"), -100500000000),
    (OURS, OURS, "boottime 7 8\nmonotonic 1 2\n", 1000000002),
    (FIRST, FIRST, FILE.format("0 0"), 0),
    (FIRST, OURS, FILE.format("1000000 0"), 0),  # of the children
    (OURS, THEIRS, FILE.format("1000000 0"), 0),
    (OURS, OURS, None, 0),
    (OURS, None, FILE.format("1000000 0"), 0),
    (None, None, None, 0),  # a kernel before 5.6
    (OURS, OURS, "", 0),
    (OURS, OURS, "boottime 7 8\n", 0),
    (OURS, OURS, "monotonic 1000000\n", 0),
    (OURS, OURS, "monotonic x 0\n", 0),
])
def test_what_a_time_namespace_is_ahead(tmp_path: Any, ours: Any, children: Any, text: Any, ahead_ns: int) -> None:
    (tmp_path / "ns").mkdir()
    for name, link in (("time", ours), ("time_for_children", children)):
        if link is not None:
            (tmp_path / "ns" / name).symlink_to(link)
    if text is not None:
        (tmp_path / "timens_offsets").write_text(text)
    assert clocks._ahead_ns(str(tmp_path)) == ahead_ns


def test_events_have_the_hosts_clock(monkeypatch: Any) -> None:
    host_ns = clocks.host_monotonic_ns()
    ahead = time.clock_gettime(time.CLOCK_MONOTONIC) + 1000000
    monkeypatch.setattr(clocks, "_ahead_ns", lambda: 10**15)
    monkeypatch.setattr(time, "clock_gettime", lambda number: ahead)
    assert abs(clocks.host_monotonic_ns() - host_ns) < 10**9
    assert abs(WallClock().seconds(host_ns) - time.time()) < 1
