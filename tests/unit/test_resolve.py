"""Names of hosts: found in threads, remembered, and never trusted."""
import threading
import time
from typing import Any, Callable, Iterator, List, Optional

import pytest
from lab import tried
from fake_library import event
from retrans_ctypes.clock import WallClock
from retrans_ctypes.sinks.columns import bcc_columns, columns, with_hosts
from retrans_ctypes.workload import UNKNOWN, Enriched
from retrans_ctypes.workload.finder import Patience
from retrans_ctypes.workload.hosts import HostNames, look_up, shown_name


class Resolver:
    """Answers once it is let; `asked` has every question."""

    def __init__(self) -> None:
        self.asked: List[str] = []
        self.answer = threading.Event()
        self.answer.set()

    def __call__(self, address: str) -> Optional[str]:
        self.asked.append(address)
        assert self.answer.wait(10)
        return None if address.endswith(".0") else "host-%s.example" % address.replace(".", "-")


@pytest.fixture
def resolver() -> Iterator[Resolver]:
    made = Resolver()
    yield made
    made.answer.set()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def patient() -> Patience:
    return Patience(5, 1)


def impatient() -> Patience:
    return Patience(0, 0)


def test_a_quick_answer_is_there_at_once(resolver: Resolver) -> None:
    names = HostNames(resolver, patient())
    assert names.get("192.0.2.1") == names.get("192.0.2.1") == "host-192-0-2-1.example"
    assert resolver.asked == ["192.0.2.1"]
    names.close()


def test_a_slow_one_holds_nothing_up(resolver: Resolver) -> None:
    resolver.answer.clear()
    names = HostNames(resolver, Patience(0.02, 0.0))
    began = time.monotonic()
    assert {names.get("192.0.2.%d" % (number % 50)) for number in range(5000)} == {None}
    assert time.monotonic() - began < 20, "5000 looks at names that nobody tells"
    until(lambda: len(resolver.asked) == 4)  # threads
    resolver.answer.set()
    until(lambda: names.get("192.0.2.7") is not None)
    until(lambda: len(names) == 50)
    names.close()


def test_one_that_hangs_does_not_keep_others(resolver: Resolver) -> None:
    def ask(address: str) -> Optional[str]:
        if address == "192.0.2.99":
            return resolver(address)
        return "quick.example"
    resolver.answer.clear()
    names = HostNames(ask, impatient())
    assert names.get("192.0.2.99") is None
    until(lambda: resolver.asked == ["192.0.2.99"])
    assert names.get("192.0.2.1") is None
    until(lambda: names.get("192.0.2.1") == "quick.example")
    names.close()


def test_what_has_no_name_is_remembered_too(resolver: Resolver) -> None:
    names = HostNames(resolver, patient(), retry=60)
    assert [names.get("192.0.2.0") for _ in range(3)] == [None] * 3
    assert resolver.asked == ["192.0.2.0"]
    names.close()


def test_answers_expire(resolver: Resolver) -> None:
    names = HostNames(resolver, patient(), fresh=0.0)
    first = names.get("192.0.2.1")
    time.sleep(0.01)
    assert names.get("192.0.2.1") == first, "good enough until there is a newer one"
    until(lambda: len(resolver.asked) == 2)
    names.close()


def test_memory_is_bounded(resolver: Resolver) -> None:
    names = HostNames(resolver, patient(), size=10)
    for number in range(1, 101):
        names.get("192.0.2.%d" % number)
    assert len(names) == 10
    resolver.answer.clear()
    slow = HostNames(resolver, impatient(), size=10)
    for number in range(1, 101):
        slow.get("198.51.100.%d" % number)
    assert len(slow._wanted) == 10
    names.close()
    slow.close()


def test_without_threads_there_are_no_names(resolver: Resolver, monkeypatch: Any) -> None:
    def refuse(*_: Any) -> None:
        raise RuntimeError("can't start new thread")
    names = HostNames(resolver, patient())
    monkeypatch.setattr("_thread.start_new_thread", refuse)
    assert names.get("192.0.2.1") is None and resolver.asked == []


def test_closed(resolver: Resolver) -> None:
    names = HostNames(resolver, patient())
    names.get("192.0.2.1")
    names.close()
    assert names.get("192.0.2.2") is None
    assert all(thread.ends_within(30) for thread in names._threads)


@pytest.mark.reliability
@pytest.mark.parametrize("name, shown", [
    ("www.example.org", "www.example.org"), ("www.example.org.", "www.example.org"), ("localhost", "localhost"),
    ("_dmarc.example", "_dmarc.example"), ("xn--bcher-kva.example", "xn--bcher-kva.example"), (None, None), ("", None),
    ("192.0.2.7", None), ("192.0.2.7.", None), ("2001:db8::7", None), (".", None),
    ("a\x1b[2J.example", "a\\x1b[2J.example"), ("two words", "two\\x20words"), ("a\nb", "a\\x0ab"),
    ("b\u00fccher.example", "b\\xfccher.example"), ("\u202egnp", "\\u202egnp"), ("\U0001f600", "\\U0001f600"),
    ("back\\slash", "back\\x5cslash"), ("<script>", "<script>"), ("-x.example", "-x.example"),
])
def test_names_are_not_trusted(name: Optional[str], shown: Optional[str]) -> None:
    assert shown_name(name) == shown
    tried.count("security", "name that a DNS server made up (--resolve)", "checked or escaped")


@pytest.mark.parametrize("name", ["a" * 10000, "\x1b" * 10000, "a." * 5000])
def test_names_are_short(name: str) -> None:
    shown = shown_name(name)
    assert shown is not None and len(shown) <= 253 and shown.isprintable() and shown.isascii()


def test_the_systems_resolver_knows_this_host() -> None:
    assert look_up("127.0.0.1") is not None


def test_addresses_that_cannot_be_asked_for(monkeypatch: Any) -> None:
    for error in (OSError("no"), UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no")):
        def fail(*_: Any) -> Any:
            raise error
        monkeypatch.setattr("socket.getnameinfo", fail)
        assert look_up("192.0.2.1") is None


def test_columns_show_names_where_they_are_known() -> None:
    made = event(saddr=bytes([10, 0, 0, 1]), daddr=bytes([10, 0, 0, 2]), sport=40000, dport=80)
    shown = with_hosts(columns(["laddr", "raddr", "state"]), {"10.0.0.2": "db.example"}.get)
    cells = [column.text(Enriched(made, UNKNOWN), WallClock()) for column in shown]
    assert cells == ["10.0.0.1:40000", "db.example:80", "ESTABLISHED"]
    untouched = [column.text(Enriched(made, UNKNOWN), WallClock()) for column in bcc_columns()]
    assert "10.0.0.2:80" in untouched
