"""Filters in Python: each condition on its own, what is not known, and names of the recording."""
import itertools
import pickle
import random
from ipaddress import ip_address, ip_network
from typing import Any, Dict

import pytest
from fake_library import event
from made_up_recording import names
from retrans_ctypes.errors import FilterError
from retrans_ctypes.filter_match import RecordedFilter
from retrans_ctypes.filters import Filter
from retrans_ctypes.workload import UNKNOWN, Workload

KNOWN = (1 << 14) - 1


def passes(choice: Dict[str, Any], names: Workload = UNKNOWN, **values: Any) -> bool:
    return RecordedFilter(**choice).matcher()(event(**values), names)


@pytest.mark.parametrize("choice, fits, differs, unknown", [
    (dict(family=6), dict(family=6), dict(family=4), None),
    (dict(ports="80,8000-8099"), dict(sport=8099), dict(sport=8100, dport=79), None),
    (dict(ports=80), dict(dport=80), dict(dport=81), None),
    (dict(ports="0-65535"), dict(), None, None),
    (dict(local_ports=80), dict(sport=80), dict(dport=80), None),
    (dict(remote_ports="79-81"), dict(dport=81), dict(sport=80), None),
    (dict(local="10.0.0.0/8"), dict(saddr=b"\x0a\1\2\3"), dict(daddr=b"\x0a\1\2\3"), None),
    (dict(remote=["10.0.0.0/8", "192.0.2.1"]), dict(daddr=b"\xc0\0\2\1"), dict(daddr=b"\xc0\0\2\2"), None),
    (dict(remote="0.0.0.0/0"), dict(), dict(family=6), None),
    (dict(remote="::/0"), dict(family=6), dict(family=4), None),
    (dict(address="2001:db8::/32"), dict(family=6, saddr=b"\x20\1\x0d\xb8" + b"\1" * 12), dict(family=6), None),
    (dict(address="::ffff:10.0.0.1"), dict(daddr=b"\x0a\0\0\1"), dict(daddr=b"\x0a\0\0\2"), None),
    (dict(pid="7,8"), dict(owner_pid=8), dict(owner_pid=9), 9),
    (dict(netns=5), dict(netns=5), dict(netns=6), 2),
    (dict(uid=0), dict(uid=0), dict(uid=1), 3),
    (dict(cgroup=5), dict(cgroup_id=5), dict(cgroup_id=6), 0),
    (dict(state="established,SYN_SENT"), dict(state=2), dict(state=3), None),
    (dict(reason="rto,pmtu"), dict(reason=7), dict(reason=2), None),
    (dict(reason="rto"), dict(reason=1), dict(reason=0), None),
    (dict(min_stall_ms=1.5), dict(stall_us=1500), dict(stall_us=1499), 8),
    (dict(min_stall_ms=0.0001), dict(stall_us=1), dict(stall_us=0), 8),
])
def test_each_condition(choice: Dict[str, Any], fits: Dict[str, Any], differs: Any, unknown: Any) -> None:
    for never in (False, True):
        asked = dict(never=RecordedFilter(**choice)) if never else choice
        assert passes(asked, **fits) is not never
        if differs is not None:
            assert passes(asked, **differs) is never
        if unknown is not None:
            assert passes(asked, known=KNOWN & ~(1 << unknown), **fits) is never


@pytest.mark.parametrize("choice, fits, differs", [
    (dict(netns="blue"), dict(netns_name="blue"), dict(netns_name="red")),
    (dict(netns="/run/netns/blue,5"), dict(netns_name="blue"), dict(netns_pid=5)),
    (dict(uid="www-data"), dict(user="www-data"), dict(user="root")),
    (dict(cgroup="/a.slice"), dict(cgroup="/a.slice"), dict(cgroup="/a.slice2")),
    (dict(cgroup="a.slice/"), dict(cgroup="/a.slice/b.service"), dict(cgroup="/b/a.slice")),
    (dict(cgroup=["/x", "/sys/fs/cgroup/a.slice"]), dict(cgroup="/a.slice/b"), dict(cgroup="/sys/fs/cgroup")),
    (dict(cgroup="/sys/fs/cgroup/unified/a"), dict(cgroup="/a"), dict(cgroup="/unified/a")),
    (dict(cgroup="/"), dict(cgroup="/"), dict()),
    (dict(cgroup="/sys/fs/cgroup"), dict(cgroup="/a,b"), dict()),
    (dict(cgroup="/a,b"), dict(cgroup="/a,b/c"), dict(cgroup="/a")),
])
def test_names_are_those_of_the_recording(choice: Any, fits: Any, differs: Any) -> None:
    for _ in range(2):
        assert passes(choice, names(**fits)) and not passes(choice, names(**differs))
        assert not passes(dict(never=RecordedFilter(**choice)), names(**fits))
        assert passes(dict(never=RecordedFilter(**choice)), names(**differs))
        assert not passes(choice, UNKNOWN)


def test_all_of_only_and_none_of_never() -> None:
    """Four conditions in every combination of being asked for, here or there, and of holding."""
    values = [("sport", "local_ports", 80, 81), ("dport", "remote_ports", 80, 81), ("uid", "uid", 7, 8), ("netns", "netns", 7, 8)]
    for asked in itertools.product(("", "only", "never"), repeat=4):
        only = {option: good for (_, option, good, _), where in zip(values, asked) if where == "only"}
        never = {option: good for (_, option, good, _), where in zip(values, asked) if where == "never"}
        matches = RecordedFilter(never=RecordedFilter(**never), **only).matcher()
        for holds in itertools.product((True, False), repeat=4):
            made = event(**{field: good if held else bad for (field, _, good, bad), held in zip(values, holds)})
            expected = all(held if where == "only" else not held for held, where in zip(holds, asked) if where)
            assert matches(made, UNKNOWN) is expected


def test_networks_as_ipaddress_has_them() -> None:
    chance = random.Random(2)
    texts = ["10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "192.168.0.0/15", "0.0.0.0/1", "2001:db8::/32", "fe80::/10", "::1", "128.0.0.0/2"]
    for _ in range(200):
        chosen = chance.sample(texts, 3)
        matches = RecordedFilter(remote=chosen).matcher()
        for _ in range(20):
            six = chance.random() < 0.4
            raw = bytes(chance.choice((0, 1, 10, 0x20, 0xfe, 0x80, 192, 168, chance.randrange(256))) for _ in range(16))
            made = event(family=6 if six else 4, daddr=raw)
            address = ip_address(made.daddr)
            expected = any(address in ip_network(text) for text in chosen if ip_network(text).version == address.version)
            assert matches(made, UNKNOWN) is expected


def test_nothing_is_looked_up_on_this_host() -> None:
    assert RecordedFilter(netns="no-such", uid="no-such", cgroup="/no/such").netns == ("no-such",)
    with pytest.raises(FilterError):
        Filter(uid="no-such-user")
    with pytest.raises(FilterError, match="is no network namespace of a recording"):
        RecordedFilter(netns="/proc/1/ns/net")
    for wrong in (dict(cgroup=0), dict(netns=1 << 32), dict(uid=-1), dict(netns=""), dict(uid=1.5)):
        with pytest.raises(FilterError):
            RecordedFilter(**wrong)  # type: ignore[arg-type]


def test_pickled() -> None:
    made = RecordedFilter(uid="root", never=RecordedFilter(ports=80))
    again = pickle.loads(pickle.dumps(made))
    assert again == made and type(again) is RecordedFilter and again.matcher()(event(sport=1), names(user="root"))


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    from retrans_ctypes import filter_match
    monkeypatch.setattr(filter_match, "_MOST", 8)
    matches = RecordedFilter(remote="10.0.0.0/8", cgroup="/a").matcher()
    for turn in range(2):
        for number in range(100):
            made = event(daddr=bytes([10 + number % 2, 0, 0, number]))
            assert matches(made, names(cgroup="/a/%d" % number)) is (number % 2 == 0)
            assert not matches(made, UNKNOWN)
