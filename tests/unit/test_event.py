"""Events: values, unknowns, names, text; and that the C header says the same."""
import copy
import errno
import pickle
import random
import re
import socket

import pytest
from fake_library import event, packed
from retrans_ctypes import Event
from retrans_ctypes import event as events
from retrans_ctypes.records import Field

BIT_OF = {
    0: ["cgroup_id"], 1: ["sock_cookie"], 2: ["netns"], 3: ["uid"],
    4: ["seq", "end_seq", "len", "tcp_flags"],
    5: ["snd_una", "total_retrans", "mark", "ifindex", "bytes_acked",
        "snd_cwnd", "ssthresh", "packets_out", "sacked_out", "lost_out", "retrans_out",
        "delivered", "mss", "undo_retrans", "ca_state", "icsk_pending", "retransmits", "backoff"],
    6: ["bytes_sent", "bytes_retrans", "dsack_dups", "reord_seen"],
    7: ["rto_us"], 8: ["stall_us"], 9: ["owner_pid"], 10: ["owner_shared"],
    11: ["srtt_us", "rttvar_us"], 12: ["err"], 13: ["segs", "skipped_segs", "limited_segs"],
}
OPTIONAL = {name: bit for bit, names in BIT_OF.items() for name in names}
OPTIONAL_TEXT = {"ca_name": 5, "owner_comm": 9}
NAMES_OR_NONE = {"reason", "owner_how"}


def test_every_value_comes_through() -> None:
    numbers = {name: 100 + place for place, name in enumerate(OPTIONAL) if name != "err"}
    made = event(ts_ns=5, err=-errno.EPERM, sport=65535, dport=1, **numbers)
    assert {name: getattr(made, name) for name in numbers} == numbers
    assert (made.ts_ns, made.err, made.sport, made.dport) == (5, -errno.EPERM, 65535, 1)
    assert made.failed


@pytest.mark.parametrize("name", sorted(OPTIONAL))
def test_unknown_is_none_and_never_zero(name: str) -> None:
    bit = 1 << OPTIONAL[name]
    assert getattr(event(known=bit, **{name: 0}), name) == 0
    assert getattr(event(known=~bit & (1 << 64) - 1, **{name: 9}), name) is None


def test_all_optional_fields_are_tested() -> None:
    optional = {field.name for field in Event.FIELDS if field.optional}
    assert optional == set(OPTIONAL) | set(OPTIONAL_TEXT) | NAMES_OR_NONE


@pytest.mark.parametrize("name", sorted(OPTIONAL_TEXT))
def test_text_ends_at_nul_and_is_never_mistaken(name: str) -> None:
    bit = 1 << OPTIONAL_TEXT[name]
    assert getattr(event(known=bit, **{name: b"a\xff\xe2\x82\xac\0rest"}), name) == "a\\xff\u20ac"
    assert getattr(event(known=bit, **{name: b"x" * 16}), name) == "x" * 16
    assert getattr(event(known=~bit & (1 << 64) - 1, **{name: b"a"}), name) is None


@pytest.mark.parametrize("family, kind, address", [
    (4, socket.AF_INET, "10.1.2.3"), (6, socket.AF_INET6, "2001:db8::1"), (6, socket.AF_INET6, "::"),
])
def test_addresses(family: int, kind: int, address: str) -> None:
    raw = socket.inet_pton(kind, address)
    made = event(family=family, saddr=raw, daddr=raw, sport=80, dport=443)
    assert made.saddr == made.daddr == address
    shown = "[%s]" % address if family == 6 else address
    assert (made.local, made.remote) == (shown + ":80", shown + ":443")


def test_a_number_from_the_future_is_shown_as_it_is() -> None:
    made = event(kind=200, state=99, reason=77)
    assert (made.kind, made.state, made.reason) == ("200", "99", None)


def test_reason_unknown_is_none() -> None:
    assert event(reason=0).reason is None


def test_immutable_and_comparable() -> None:
    made = event(sport=1)
    with pytest.raises(AttributeError):
        made.sport = 2  # type: ignore[misc]
    with pytest.raises(AttributeError):
        made.other = 2  # type: ignore[attr-defined]
    assert made == event(sport=1) != event(sport=2)
    assert len({made, event(sport=1)}) == 1
    assert copy.deepcopy(made) == pickle.loads(pickle.dumps(made)) == made
    assert type(pickle.loads(pickle.dumps(made))) is Event


def test_by_time_first() -> None:
    first, second = event(ts_ns=255, sport=9), event(ts_ns=256, sport=1)
    assert sorted([second, first]) == [first, second]
    assert first < second and first <= second and second > first and second >= first and first <= first
    assert not (first > second or first >= second or second < first or second <= first)


def test_joined_events_are_a_batch() -> None:
    made = [event(sport=1), event(sport=2)]
    assert Event.read(b"".join(made)) == made


def test_addresses_are_remembered_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events._Texts, "MOST", 10)
    made = [event(saddr=bytes([10, 9, 0, number])) for number in range(100)]
    for _ in range(2):
        assert [one.saddr for one in made] == ["10.9.0.%d" % number for number in range(100)]
    assert len(events._TEXTS4) <= 10


def test_reading_copies() -> None:
    buffer = bytearray(packed(sport=1) + packed(sport=2))
    read = Event.read(memoryview(buffer))
    buffer[:] = bytes(len(buffer))
    assert [made.sport for made in read] == [1, 2]


def test_to_dict_has_the_public_fields_in_order() -> None:
    names = list(event().to_dict())
    assert names == [field.name for field in Event.FIELDS if field.public]
    assert "known" not in names and "reserved" not in names


def test_repr_names_the_fields() -> None:
    assert "sport=7" in repr(event(sport=7)) == str(event(sport=7)) == "{}".format(event(sport=7))


@pytest.mark.parametrize("field", [field for field in Event.FIELDS if not field.is_padding],
                         ids=lambda field: field.name)
def test_every_property_is_documented(field: Field) -> None:  # type: ignore[type-arg]
    text = getattr(Event, field.name).__doc__
    assert field.doc in text and "Source: " in text
    assert (" None where " in text) == field.optional


def enumerators(header: str, enum: str) -> dict:  # type: ignore[type-arg]
    body = re.search(r"enum %s \{(.*?)\}" % enum, header).group(1)  # type: ignore[union-attr]
    rows = re.findall(r"TCPRETRANS_[A-Z]+?_(\w+) = ([^,]+?) *,", body)
    return {name.lower(): eval(value) for name, value in rows}


def test_names_are_those_of_the_header(header: str) -> None:
    kinds, reasons = enumerators(header, "tcpretrans_kind"), enumerators(header, "tcpretrans_reason")
    assert kinds == {name: number for number, name in events.KINDS.items()}
    assert reasons == {name or "unknown": number for number, name in events.REASONS.items()}


def test_known_bits_are_those_of_the_header(header: str) -> None:
    bits = enumerators(header, "tcpretrans_known")
    assert len(bits) > 3
    assert bits == {name[len("KNOWN_"):].lower(): value for name, value in vars(events).items()
                    if name.startswith("KNOWN_")}


def test_size_is_that_of_the_header(header: str) -> None:
    size = re.search(r"#define TCPRETRANS_EVENT_SIZE (\d+)", header)
    assert size and Event.LAYOUT.size == int(size.group(1))


def test_from_dict_is_the_inverse_of_to_dict() -> None:
    """For each bit of `known`, known and not; what is not known is zero then."""
    for bit in range(14):
        for known in (1 << bit, ~(1 << bit) & (1 << 14) - 1):
            made = event(known=known, **dict.fromkeys(("segs", "len", "err", "owner_pid"), 3))
            again = Event.from_dict(made.to_dict())
            assert (again.to_dict(), again.known) == (made.to_dict(), known)
    values = {field.name: 1 + place for place, field in enumerate(Event.FIELDS)
              if field.code in ("Q", "I", "i", "H") and field.name != "known"}
    full = event(known=(1 << 14) - 1, ca_name=b"cubic", owner_comm=b"a b", saddr=bytes(range(16)), family=6, reason=2,
                 state=12, kind=1, owner_how=7, daddr=b"\xfe\x80" + bytes(14), **values)
    assert Event.from_dict(full.to_dict()) == full
    assert Event.from_dict(dict(full.to_dict(), type="event", time="", later=[1])) == full


@pytest.mark.parametrize("name", ["kind", "state"])
def test_from_dict_takes_every_number_of_a_name(name: str) -> None:
    for number in range(256):
        made = event(known=0, **{name: number})
        assert Event.from_dict(made.to_dict()) == made


@pytest.mark.parametrize("raw, packed", [
    (b"\xff", None), (b"a\xffb", None), ("\u00e9\u20ac".encode(), None), (b"\xc3", None), (b"\xe2\x82\xe2\x82\xac", None),
    (b"\\x41", None), (b"\\xc3\\xa9", b"\\xc3\xa9"), (b"\\xff", b"\xff"), (b"\\xc3\\xa9\xff\xfe\xfd\xff", b"\\xc3\xa9\xff\xfe\xfd\xff"),
    (b"\xa9\xa9" * 8, None), (b"\n\x1b[2J\"'<b>", None),
])
def test_from_dict_finds_the_bytes_of_a_text(raw: bytes, packed: bytes) -> None:
    """Those that show the same, where four letters and one byte do."""
    made = event(known=1 << 9, owner_comm=raw)
    again = Event.from_dict(made.to_dict())
    assert again.owner_comm == made.owner_comm
    assert again == event(known=1 << 9, owner_comm=packed or raw)


def test_from_dict_of_random_texts() -> None:
    chance = random.Random(5)
    parts = [b"\xff", b"\\xff", b"\xc3", b"\\xc3", b"\xa9", b"\\xa9", "\u00e9".encode(), b"\\", b"x", b"\\x", b"c3"]
    for _ in range(20000):
        made = event(known=1 << 9, owner_comm=b"".join(chance.choice(parts) for _ in range(9))[:chance.randrange(17)])
        assert Event.from_dict(made.to_dict()).owner_comm == made.owner_comm


WRONG = [
    ("sport", 65536), ("sport", -1), ("sport", "80"), ("sport", None), ("sport", 1.0), ("saddr", "10.0.0"),
    ("saddr", "::1"), ("saddr", None), ("saddr", 5), ("saddr", "10.0.0.1\0"), ("family", 6), ("kind", "x"), ("kind", None),
    ("state", []), ("reason", "x"), ("reason", {}), ("owner_comm", "x" * 17), ("owner_comm", "a\0b"), ("owner_comm", "\ud800"),
    ("owner_comm", 7), ("seq", None), ("err", 1 << 31), ("ts_ns", None), ("ts_ns", 1 << 64), ("segs", [1]),
]


@pytest.mark.parametrize("name, value", WRONG)
def test_from_dict_refuses_what_cannot_be(name: str, value: object) -> None:
    with pytest.raises(ValueError) as caught:
        Event.from_dict(dict(event().to_dict(), **{name: value}))
    assert name in str(caught.value) or "addresses" in str(caught.value) or name == "seq"


@pytest.mark.parametrize("name", [field.name for field in Event.FIELDS if field.public])
def test_from_dict_misses_every_field(name: str) -> None:
    fields = event().to_dict()
    del fields[name]
    with pytest.raises(ValueError, match="no '%s'" % name):
        Event.from_dict(fields)


@pytest.mark.parametrize("size", [1, Event.LAYOUT.size - 1, Event.LAYOUT.size + 1])
def test_what_is_no_whole_event_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="%d bytes are not whole records" % size):
        Event.read(bytes(size))
