"""The server of `metrics`: what it answers, and that its clients can neither hang nor fill it."""
import argparse
import gzip
import http.client
import os
import socket
import threading
import time
from contextlib import ExitStack, suppress
from typing import Any, Iterator, List, Tuple

import pytest
from retrans_ctypes.cli import serving
from retrans_ctypes.cli.listening import Address, address, listen, listens_at
from retrans_ctypes.cli.serving import CONNECTIONS, LONGEST, MetricsServer, Pages, parsed
from retrans_ctypes.errors import ClosedError, OutputError, PermissionDenied, UsageError
from retrans_ctypes.sinks.prometheus.exposition import Text

LOOPBACK = Address("127.0.0.1", 0)


class Site:
    """A server with pages that the test may change."""

    def __init__(self) -> None:
        self.asked: List[str] = []
        self.complaints: List[str] = []
        self.text: Any = b"one 1\n"
        self.well = True
        self.go = threading.Event()
        self.go.set()
        self.door = listen(LOOPBACK)
        self.address = listens_at(self.door)
        self.server = MetricsServer(self.door, Pages(self.metrics, lambda: self.well, self.complaints.append))

    def metrics(self, accept: str, packed: bool) -> Text:
        self.asked.append(accept)
        self.go.wait(10)
        if isinstance(self.text, Exception):
            raise self.text
        return Text("text/plain; version=0.0.4", gzip.compress(self.text) if packed else self.text)

    def connect(self) -> socket.socket:
        return socket.create_connection(self.address, 10)

    def ask(self, method: str, path: str, **headers: str) -> Tuple[int, Any, bytes]:
        talk = http.client.HTTPConnection(*self.address, timeout=10)
        try:
            talk.request(method, path, headers=headers)
            answer = talk.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            talk.close()

    def send(self, request: bytes) -> bytes:
        """What comes back until the server hangs up."""
        with self.connect() as client:
            client.sendall(request)
            return everything(client)


def everything(client: socket.socket) -> bytes:
    answer = b""
    try:
        for part in iter(lambda: client.recv(65536), b""):
            answer += part
    except ConnectionResetError:
        pass  # it did not read all that we sent
    return answer


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    with made.server:
        yield made
    assert not made.server._under_way


def test_pages(site: Site) -> None:
    status, headers, body = site.ask("GET", "/metrics")
    assert (status, body) == (200, b"one 1\n") and headers["Content-Type"] == "text/plain; version=0.0.4"
    assert int(headers["Content-Length"]) == len(body) and headers["Content-Encoding"] is None
    assert site.ask("GET", "/metrics?name=x")[0] == 200
    assert site.ask("GET", "/healthz")[::2] == (200, b"ok\n")
    status, headers, body = site.ask("GET", "/")
    assert status == 200 and body.count(b"\n") == 1 and b'href="/metrics"' in body
    assert headers["Content-Type"].startswith("text/html")
    assert site.ask("GET", "/nothing")[0] == 404
    assert site.ask("HEAD", "/metrics")[::2] == (200, b"")
    status, headers, _ = site.ask("POST", "/metrics")
    assert status == 405 and headers["Allow"] == "GET, HEAD"
    site.well = False
    assert site.ask("GET", "/healthz")[0] == 503


def test_the_accept_header_is_passed_on(site: Site) -> None:
    site.ask("GET", "/metrics", Accept="application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
    site.ask("GET", "/metrics")
    assert site.asked == ["application/openmetrics-text;version=1.0.0,text/plain;q=0.5", ""]


@pytest.mark.parametrize("accepted, packed", [
    ("gzip", True), ("deflate, GZIP;q=0.5", True), ("gzip; q=0", False), ("gzip;q=0.000", False), ("identity", False),
    ("x-gzip-not", False), ("", False)])
def test_gzip_where_the_client_takes_it(site: Site, accepted: str, packed: bool) -> None:
    site.text = b"many 1\n" * 10000
    _, headers, body = site.ask("GET", "/metrics", **{"Accept-Encoding": accepted})
    assert (headers["Content-Encoding"] == "gzip") == packed
    assert (gzip.decompress(body) if packed else body) == site.text


@pytest.mark.parametrize("request_, status", [
    (b"GET /metrics\r\n\r\n", b"400"), (b"\r\n\r\n", b"400"), (b"\x16\x03\x01\x02\x00\n\n", b"400"),
    (b"GET /metrics HTTP/2.0\r\n\r\n", b"400"), (b"get /metrics HTTP/1.1\r\n\r\n", b"400"),
    (b"GET metrics HTTP/1.1\r\n\r\n", b"400"), (b"GET /\x1b[31m\xff HTTP/1.1\r\n\r\n", b"404"),
    (b"GET /metrics HTTP/1.1\nHost: x\n\n", b"200"), (b"GET http://x/metrics HTTP/1.1\r\n\r\n", b"200"),
    (b"GET /metrics HTTP/1.1\r\nno header\r\n:\r\n\r\n", b"200"),
    (b"GET /" + b"x" * LONGEST, b"431"), (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * LONGEST, b"431")])
def test_strange_requests_get_an_answer(site: Site, request_: bytes, status: bytes) -> None:
    answer = site.send(request_)
    assert answer.startswith(b"HTTP/1.0 " + status) and b"\x1b" not in answer
    assert site.ask("GET", "/metrics")[0] == 200 and not site.complaints


def test_headers_that_come_twice_are_joined() -> None:
    assert parsed(b"GET / HTTP/1.1\r\nAccept: a\r\nACCEPT:b\r\n\r\n") == ("GET / HTTP/1.1", {"accept": "a, b"})


def test_no_more_than_so_many_at_once(site: Site) -> None:
    """The last one too many is told so at once; those before are served when their page is there."""
    site.go.clear()
    with ExitStack() as stack:
        clients = [stack.enter_context(site.connect()) for _ in range(CONNECTIONS)]
        for client in clients:
            client.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
        wait_until(lambda: len(site.asked) == CONNECTIONS)
        begun = time.monotonic()
        answer = site.send(b"")
        assert answer.startswith(b"HTTP/1.0 503") and b"Retry-After" in answer and time.monotonic() - begun < 4
        site.go.set()
        assert all(everything(client).startswith(b"HTTP/1.0 200") for client in clients)
    assert site.ask("GET", "/metrics")[0] == 200


def test_slow_clients_are_cut_off(site: Site, monkeypatch: Any) -> None:
    """However many bytes they send, one now and then: what counts is how long it takes altogether."""
    monkeypatch.setattr(serving, "SECONDS", 0.4)
    with ExitStack() as stack:
        clients = [stack.enter_context(site.connect()) for _ in range(CONNECTIONS)]
        begun = time.monotonic()
        while time.monotonic() - begun < 0.3:
            for client in clients:
                with suppress(OSError):  # cut off already, where this machine stopped for a moment
                    client.sendall(b"G")
            time.sleep(0.05)
        wait_until(lambda: not site.server._under_way)
        assert time.monotonic() - begun < 4
        assert site.ask("GET", "/metrics")[0] == 200
        assert all(everything(client) == b"" for client in clients)


def test_clients_that_do_not_read_are_cut_off(site: Site, monkeypatch: Any) -> None:
    monkeypatch.setattr(serving, "SECONDS", 0.4)
    site.text = b"x" * (1 << 26)
    with site.connect() as client:
        client.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
        wait_until(lambda: bool(site.asked))
        wait_until(lambda: not site.server._under_way)


def test_a_flood_of_connections(site: Site) -> None:
    descriptors, threads = len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))
    for _ in range(300):
        site.connect().close()
    answers = [site.send(b"GET /metrics HTTP/1.0\r\n\r\n")[9:12] for _ in range(300)]
    assert set(answers) <= {b"200", b"503"} and b"200" in answers
    wait_until(lambda: not site.server._under_way)
    wait_until(lambda: len(os.listdir("/proc/self/task")) <= threads)
    assert len(os.listdir("/proc/self/fd")) <= descriptors


def test_what_goes_wrong_here_is_told_and_does_not_end_it(site: Site) -> None:
    site.text = ClosedError("the tracer is closed; make a new one")
    assert site.ask("GET", "/metrics")[::2] == (503, b"the tracer is closed; make a new one\n")
    assert not site.complaints
    site.text = ValueError("bad")
    assert site.ask("GET", "/metrics")[0] == 500
    assert site.complaints == ["metrics could not be written (ValueError: bad); tracing goes on"]


def test_the_end_lets_answers_out_and_cuts_off_the_others(monkeypatch: Any) -> None:
    monkeypatch.setattr(serving, "GRACE", 2.0)
    site = Site()
    with ExitStack() as stack:
        with site.server:
            site.go.clear()
            asking, silent = (stack.enter_context(site.connect()) for _ in range(2))
            asking.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
            wait_until(lambda: len(site.asked) == 1 and len(site.server._under_way) == 2)
            threading.Timer(0.1, site.go.set).start()
            begun = time.monotonic()
        assert time.monotonic() - begun < 6 and not site.server._under_way
        assert everything(asking).startswith(b"HTTP/1.0 200") and everything(silent) == b""
    with pytest.raises(ConnectionRefusedError):
        site.connect()


def wait_until(true: Any, seconds: float = 10.0) -> None:
    ends = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends, "waited in vain"
        time.sleep(0.01)


@pytest.mark.parametrize("text, host, port, loopback", [
    ("127.0.0.1:2112", "127.0.0.1", 2112, True), ("[::1]:0", "::1", 0, True), ("0.0.0.0:80", "0.0.0.0", 80, False),
    ("[::]:65535", "::", 65535, False), ("[::ffff:127.0.0.1]:1", "::ffff:127.0.0.1", 1, True),
    ("[fe80::1%eth0]:1", "fe80::1%eth0", 1, False)])
def test_addresses(text: str, host: str, port: int, loopback: bool) -> None:
    where = address(text)
    assert (where.host, where.port, where.loopback, str(where)) == (host, port, loopback, text)


@pytest.mark.parametrize("text", [
    "", "2112", ":2112", "::1:2112", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:x", "a b:1", "[::1]",
    "[x]:1", "http://127.0.0.1:2112", "127.0.0.1:2112\n", "127.0.0.1:-1"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is not HOST:PORT"):
        address(text)


def test_a_host_by_name_is_told_by_number() -> None:
    with listen(Address("localhost", 0)) as door:
        assert listens_at(door).loopback and listens_at(door).port


def test_ipv6() -> None:
    with listen(Address("::1", 0)) as door:
        assert str(listens_at(door)).startswith("[::1]:")


@pytest.mark.parametrize("where, kind, words", [
    (Address("192.0.2.1", 2112), UsageError, "this host does not have that address"),
    (Address("nowhere.invalid", 2112), UsageError, "that host is not known here"),
    (Address("x" * 64 + ".invalid", 2112), UsageError, "that host is not known here")])
def test_addresses_that_cannot_be(where: Address, kind: Any, words: str) -> None:
    with pytest.raises(kind, match=words):
        listen(where).close()


def test_a_port_in_use() -> None:
    with listen(LOOPBACK) as door:
        with pytest.raises(OutputError, match="another process listens there") as caught:
            listen(listens_at(door)).close()
    assert caught.value.exit_code == 6


def test_a_port_that_needs_rights(monkeypatch: Any) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")
    monkeypatch.setattr(socket, "socket", type("Refusing", (), {
        "__init__": lambda self, *_: None, "setsockopt": lambda self, *_: None, "bind": refuse,
        "close": lambda self: None}))
    with pytest.raises(PermissionDenied, match="ports below 1024"):
        listen(Address("127.0.0.1", 80))


