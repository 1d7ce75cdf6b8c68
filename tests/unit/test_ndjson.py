"""Lines that C writes against those that Python's json module writes, byte for byte."""
import json
import random
import socket
import struct
import time
from typing import Any, Callable, Dict, List

import pytest
from fake_library import event, packed
from retrans_ctypes import RetransError
from retrans_ctypes import ndjson as written
from retrans_ctypes.clock import WallClock
from retrans_ctypes.event import KNOWN_OWNER, Event
from retrans_ctypes.ndjson import NdjsonWriter, PlainNdjsonWriter, encode
from retrans_ctypes.workload import Workload

ALL = (1 << 64) - 1
CODES = {field.name: field.code for field in Event.FIELDS if not field.is_padding}


@pytest.fixture(autouse=True)
def library(stub: Callable[..., str], use_library: Callable[[str], None]) -> None:
    use_library(stub())


class At(WallClock):
    """A clock that is so far ahead of CLOCK_MONOTONIC."""

    def __init__(self, offset_ns: int) -> None:
        super().__init__()
        self.offset_ns = offset_ns


def by_python(made: Event, clock: WallClock, names: Dict[str, Any]) -> str:
    record: Dict[str, Any] = {"type": "event", "time": clock.iso(made.ts_ns)}
    record.update(made.to_dict())
    record.update(names)
    return json.dumps(record, separators=(",", ":"))


def by_c(writer: Any, batch: Any, offset_ns: int = 0) -> List[str]:
    pieces = [bytes(piece) for piece in writer.lines(batch, offset_ns)]
    assert all(piece.endswith(b"\n") for piece in pieces)
    return b"".join(pieces).decode("ascii").splitlines()


def same(made: List[Event], offset_ns: int = 0) -> None:
    clock = At(offset_ns)
    lines = by_c(NdjsonWriter(), b"".join(made), offset_ns)
    assert lines == [by_python(one, clock, {}) for one in made]
    assert lines == by_c(PlainNdjsonWriter(), b"".join(made), offset_ns)


def random_text(chance: random.Random) -> bytes:
    """Bytes such as a process may call itself: text, broken text, anything."""
    letters = "aZ \"\\/\b\f\n\r\t\x01\x1f\x7f\x80\xff\u0100\u07ff\u0800\ud7ff\ue000\uffff\U00010000\U0010ffff"
    whole = "".join(chance.choice(letters) for _ in range(16)).encode()
    anything = bytes(chance.choice((0xc0, 0xc1, 0xc2, 0xe0, 0xed, 0xf0, 0xf4, 0xf5, 0xff, 0x7f, 0x80, 0x9f, 0xa0,
                                    0xbf, 0x41)) for _ in range(16))
    return chance.choice((whole, anything, bytes(chance.getrandbits(8) or 1 for _ in range(16))))[:chance.randrange(17)]


def random_address(chance: random.Random) -> bytes:
    """With runs of zeros, and what inet_ntop() shows with an IPv4 tail."""
    words = [chance.choice((0, 0, 0, 1, 0xffff, 0xab, chance.getrandbits(16))) for _ in range(8)]
    if not chance.randrange(4):
        words[:6] = [0] * 5 + [chance.choice((0, 0xffff, 1))]
    return struct.pack(">8H", *words)


def random_event(chance: random.Random) -> Event:
    values: Dict[str, Any] = {}
    for name, code in CODES.items():
        size = struct.calcsize("=" + code)
        values[name] = chance.choice((0, 1, 9, 10, 99, 100, (1 << 8 * size) - 1, chance.getrandbits(8 * size),
                                      chance.getrandbits(chance.randrange(1, 8 * size + 1)))) & ((1 << 8 * size) - 1)
    values.update(err=chance.choice((0, 1, -1, -105, -2**31, 2**31 - 1)), known=chance.getrandbits(64),
                  saddr=random_address(chance), daddr=random_address(chance), family=chance.choice((4, 6)),
                  ca_name=random_text(chance), owner_comm=random_text(chance), ts_ns=chance.getrandbits(61))
    return event(**values)


def test_random_events() -> None:
    chance = random.Random(20)
    for offset_ns in (0, 1, -1, 1700000000 * 10**9, 1700000000123456789, -12345678901234567):
        same([random_event(chance) for _ in range(1000)], offset_ns)


def test_every_member_and_no_other() -> None:
    line = json.loads(by_c(NdjsonWriter(), packed())[0])
    assert list(line) == ["type", "time"] + [field.name for field in Event.FIELDS if field.public]


@pytest.mark.parametrize("name", ["kind", "state", "reason", "owner_how", "tcp_flags", "owner_shared", "family"])
def test_every_number_of_a_byte(name: str) -> None:
    same([event(**{name: number}) for number in range(256)])


@pytest.mark.parametrize("name", ["ca_name", "owner_comm"])
def test_every_text_of_up_to_three_bytes(name: str) -> None:
    """All beginnings of UTF-8 letters, right and wrong; and what JSON escapes."""
    edges = [0x01, 0x08, 0x09, 0x0a, 0x0c, 0x0d, 0x1f, 0x20, 0x22, 0x2f, 0x5c, 0x7e, 0x7f, 0x80, 0x8f, 0x90, 0x9f,
             0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5,
             0xff]
    same([event(**{name: bytes([byte])}) for byte in range(1, 256)])
    same([event(**{name: bytes([one, two, three])}) for one in edges for two in edges for three in edges])
    same([event(**{name: bytes([one, two, 0x80, last, 0x41])})
          for one in range(0xef, 0xf6) for two in range(0x7f, 0xc1) for last in (0x7f, 0x80, 0xbf, 0xc0)])
    same([event(**{name: b"x" * 16}), event(**{name: b"a\0\xff"}), event(**{name: b""})])


@pytest.mark.parametrize("text", [
    "::", "::1", "1::", "::ffff:1.2.3.4", "::1.2.3.4", "::ffff:0:1.2.3.4", "1:0:0:2::", "1:0:0:2:0:0:0:3", "2001:db8::1",
    "1:2:3:4:5:6:7:8", "1:0:3:4:5:6:7:8", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fe80::1", "64:ff9b::1.2.3.4"])
def test_forms_of_addresses(text: str) -> None:
    same([event(family=6, saddr=socket.inet_pton(socket.AF_INET6, text)) for _ in range(2)])


def test_ipv4_addresses() -> None:
    same([event(saddr=bytes([number, 255 - number, number // 2, 7])) for number in range(256)])


@pytest.mark.parametrize("seconds", [
    0, 951782399, 951782400, 951868799, 951868800, 1709164800, 1709251199, 1709251200, 1735689599, 1735689600,
    4107542399, 4107542400, 253402300799 // 100, -1, -86400, -86401, -5000000000])
def test_times(seconds: int) -> None:
    """Leap days, ends of years, a century's end, before the epoch; and rounding."""
    for ts_ns in (0, 499, 500, 999499, 999999499, 999999500, 999999999, 10**9):
        same([event(ts_ns=ts_ns)], seconds * 10**9)


def test_the_longest_line_and_label_fit() -> None:
    names = {"cmdline": "\x01" * 40000}
    made = event(owner_comm=b"\x01" * 16, ca_name=b"\xff" * 16, family=6, saddr=b"\xab" * 16, daddr=b"\xab" * 16,
                 **{name: (1 << 8 * struct.calcsize(code)) - 1 for name, code in CODES.items()
                    if code in "QIH" and name != "ts_ns"})
    assert by_c(NdjsonWriter(lambda one: names), made) == [by_python(made, At(0), names)]


def test_a_label_without_bounds_is_refused() -> None:
    with pytest.raises(RetransError):
        by_c(NdjsonWriter(lambda one: {"cmdline": "x" * 300000}), packed())


def test_more_lines_than_room() -> None:
    made = [event(ts_ns=number) for number in range(5000)]
    pieces = [bytes(piece) for piece in NdjsonWriter().lines(b"".join(made), 0)]
    assert len(pieces) > 2 and max(map(len, pieces)) <= written.ROOM
    lines = b"".join(pieces).decode().splitlines()
    assert [json.loads(line)["ts_ns"] for line in lines] == list(range(5000))


def test_failed_attempts_are_left_out_when_asked() -> None:
    batch = packed(err=-1) + packed(err=0, sport=2) + packed(err=1) + packed(err=-1, known=0, sport=4)
    assert [json.loads(line)["sport"] for line in by_c(NdjsonWriter(failed=False), batch)] == [2, 4]
    assert len(by_c(NdjsonWriter(), batch)) == 4


def test_nothing_to_write() -> None:
    assert by_c(NdjsonWriter(), b"") == []
    assert by_c(NdjsonWriter(failed=False), packed(err=-1)) == []


class Names:
    """Names made of what they depend on, and how often they were asked for."""

    def __init__(self) -> None:
        self.asked: List[Event] = []

    def __call__(self, made: Event) -> Dict[str, Any]:
        self.asked.append(made)
        return {"pod_name": "%s-%s-%s-%s-%s\u20ac\"" % (
            made.cgroup_id, made.netns, made.uid, made.owner_pid, made.owner_comm)}


def now_ns() -> int:
    return int(time.clock_gettime(time.CLOCK_MONOTONIC) * 1e9) - 10**6


DEPENDS = [dict(cgroup_id=2), dict(netns=2), dict(uid=2), dict(owner_pid=2), dict(owner_comm=b"b"), dict(owner_how=2),
           dict(known=ALL & ~1), dict(known=ALL & ~KNOWN_OWNER), dict(owner_how=3, state=4), dict(owner_how=3, state=5)]


def test_names_are_asked_for_once_for_all_that_have_them_in_common() -> None:
    kinds: List[Dict[str, Any]] = [{}] + DEPENDS  # type: ignore[assignment]
    made = [event(ts_ns=now_ns(), sport=turn, **kind) for turn in range(30) for kind in kinds]
    names = Names()
    lines = by_c(NdjsonWriter(names), b"".join(made))
    assert len(names.asked) == len(kinds)
    assert lines == [by_python(one, At(0), names(one)) for one in made]


def test_unknown_values_do_not_part_events() -> None:
    names = Names()
    by_c(NdjsonWriter(names), b"".join(packed(known=0, cgroup_id=n, netns=n, uid=n, owner_pid=n, ts_ns=1) for n in range(9)))
    assert len(names.asked) == 1


def test_small_batches_have_fresh_names_and_large_ones_for_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    names, few, many = Names(), 2, written.FEW + 1
    writer = NdjsonWriter(names)
    clock = [100.0]
    monkeypatch.setattr(time, "clock_gettime", lambda number: clock[0])

    def asked(count: int, at: float) -> int:
        before, clock[0] = len(names.asked), at
        by_c(writer, packed(ts_ns=int(at * 1e9) - 1000) * count)
        return len(names.asked) - before
    assert [asked(few, 100.0), asked(few, 100.1), asked(few, 100.2)] == [1, 1, 1]
    assert [asked(many, 100.3), asked(many, 100.4), asked(few, 101.2), asked(many, 101.4)] == [1, 0, 0, 1]


def test_an_event_from_the_future_gets_its_names() -> None:
    assert len(by_c(NdjsonWriter(Names()), packed(ts_ns=2**63))) == 1


def test_labels_are_bounded_and_never_mixed_up() -> None:
    """Far more than are remembered, some large: none is given to another's event."""
    def names(made: Event) -> Dict[str, Any]:
        return {"cmdline": "%d " % (made.cgroup_id or 0) * ((made.cgroup_id or 0) % 50)}
    chance = random.Random(3)
    writer = NdjsonWriter(names)
    for _ in range(5):
        made = [event(ts_ns=now_ns(), cgroup_id=chance.randrange(1, 20000)) for _ in range(6000)]
        for line in by_c(writer, b"".join(made)):
            record = json.loads(line)
            assert record["cmdline"] == "%d " % record["cgroup_id"] * (record["cgroup_id"] % 50)


@pytest.mark.parametrize("hostile", ["\"}", "\\", "\n{\"type\":\"event\"}", "\u2028", "\udcff", "\0", "\x1b[2J"])
def test_no_name_breaks_out(hostile: str) -> None:
    names = {field.name: hostile for field in Workload.FIELDS}
    lines = by_c(NdjsonWriter(lambda made: names), packed())
    assert len(lines) == 1 and json.loads(lines[0])["cmdline"] == hostile
    assert lines[0].endswith(encode(names)[1:])


def test_events_from_any_buffer() -> None:
    expected = by_c(NdjsonWriter(), packed(sport=1) + packed(sport=2))
    raw = packed(sport=1) + packed(sport=2)
    for batch in (bytearray(raw), memoryview(raw), memoryview(bytearray(raw))):
        assert by_c(NdjsonWriter(), batch) == expected


@pytest.mark.parametrize("writer", [NdjsonWriter, PlainNdjsonWriter])
def test_names_that_all_of_a_batch_have(writer: Any) -> None:
    """One batch's names never get into another's, however alike the events are."""
    made = [event(ts_ns=9 - number) for number in range(5)] + [event(err=-1)]
    for names in ({"cmdline": "}\n\"x"}, {"cmdline": None, "unit": "\u20ac"}, {}):
        lines = b"".join(map(bytes, writer().lines(b"".join(made), 7, names))).decode().splitlines()
        assert lines == [by_python(one, At(7), names) for one in made]
        sent = b"".join(map(bytes, writer(failed=False).lines(b"".join(made), 7, names))).decode().splitlines()
        assert sent == lines[:-1]
