"""Hostile clients of the metrics port: they can be refused, but neither hang it, fill it nor read anything else."""
import os
import resource
import socket
import threading
import time
from contextlib import ExitStack, contextmanager
from typing import Any, Iterator, List

import pytest
from lab import tried
from retrans_ctypes.cli import metrics, serving
from retrans_ctypes.cli.listening import Address, listen, listens_at
from retrans_ctypes.cli.serving import CONNECTIONS, REFUSALS, MetricsServer, Pages, is_own_name
from retrans_ctypes.sinks.prometheus.exposition import Text

PAGE = b"retrans_attached 1.0\n"
GOOD = b"GET /metrics HTTP/1.1\r\nHost: localhost:2112\r\n\r\n"
MANY = 5000 if tried.AT_LENGTH else 1000


class Site:
    def __init__(self) -> None:
        self.complaints: List[str] = []
        self.door = listen(Address("127.0.0.1", 0))
        self.address = listens_at(self.door)
        self.server = MetricsServer(self.door, Pages(
            lambda accept, packed: Text("text/plain; version=0.0.4", PAGE), lambda: True, self.complaints.append, any_name=False))

    def connect(self) -> socket.socket:
        return socket.create_connection(self.address, 20)

    def ask(self, request: bytes) -> bytes:
        """All that comes back; a reset is a failure."""
        with self.connect() as client:
            client.sendall(request)
            return b"".join(iter(lambda: client.recv(65536), b""))

    def is_well(self) -> None:
        answer = self.ask(GOOD)
        assert answer.startswith(b"HTTP/1.0 200") and answer.endswith(PAGE) and not self.complaints


@contextmanager
def serving_site() -> Iterator[Site]:
    site = Site()
    with site.server:
        yield site
    assert not site.server._under_way and not site.server._asking


@pytest.fixture
def site() -> Iterator[Site]:
    with serving_site() as made:
        yield made


MUCH = 4 << 20


@pytest.mark.parametrize("request_", [
    b"GET /" + b"x" * MUCH + b" HTTP/1.1\r\n\r\n", GOOD[:-2] + b"A: b\r\n" * (MUCH // 6) + b"\r\n",
    GOOD[:-2] + b"A: " + b"b" * MUCH + b"\r\n\r\n", b"\0" * MUCH], ids=["line", "headers", "header", "zeros"])
def test_requests_of_megabytes_get_their_answer(site: Site, request_: bytes) -> None:
    """Not a reset, though most of it is never looked at."""
    for _ in range(5):
        assert site.ask(request_).startswith(b"HTTP/1.0 431 ")
    site.is_well()
    tried.count("security", "request of megabytes to the metrics port", "431, whole", 5)


def test_the_refused_are_told_so(site: Site, monkeypatch: Any) -> None:
    """Those too many get all of their answer, though they sent a request that nobody reads."""
    go = threading.Event()
    monkeypatch.setattr(site.server, "_pages", site.server._pages._replace(
        metrics=lambda accept, packed: go.wait(20) and Text("t", PAGE)))
    with ExitStack() as stack:
        held = [stack.enter_context(site.connect()) for _ in range(CONNECTIONS)]
        for client in held:
            client.sendall(GOOD)
        deadline = time.monotonic() + 20
        while site.server._asking or len(site.server._under_way) < CONNECTIONS:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        for _ in range(20):
            answer = site.ask(GOOD)
            assert answer.startswith(b"HTTP/1.0 503 ") and answer.endswith(b"at once\n")
        go.set()
        assert all(client.recv(100).startswith(b"HTTP/1.0 200") for client in held)
    tried.count("security", "connection too many to the metrics port", "503, whole", 20)


def test_slow_loris(site: Site, monkeypatch: Any) -> None:
    """Three times as many as are served at once send a byte now and then. Who asks at once is answered."""
    monkeypatch.setattr(serving, "PATIENCE", 0.1)
    with ExitStack() as stack:
        loris: List[socket.socket] = []
        for _ in range(10):
            while len(loris) < CONNECTIONS * 3:
                loris.append(stack.enter_context(site.connect()))
            for client in list(loris):
                try:
                    client.sendall(b"G")
                except OSError:  # it was cut off, and comes again
                    loris.remove(client)
            time.sleep(0.15)
            begun = time.monotonic()
            site.is_well()
            assert time.monotonic() - begun < 4
    tried.count("security", "scrape while half-open requests hold the metrics port", "200", 10)


def test_thousands_of_connections(site: Site) -> None:
    """However many come, only so many hold a thread and a descriptor."""
    descriptors, most = len(os.listdir("/proc/self/fd")), 0
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with ExitStack() as stack:
        window: List[socket.socket] = []
        for number in range(MANY):
            window.append(stack.enter_context(site.connect()))
            if len(window) > 200:
                window.pop(0).close()
            if not number % 100:
                most = max(most, len(os.listdir("/proc/self/task")))
                assert len(os.listdir("/proc/self/fd")) - descriptors <= 202 + CONNECTIONS + REFUSALS
    assert most <= CONNECTIONS + REFUSALS + 10 and resource.getrlimit(resource.RLIMIT_NOFILE) == limits
    deadline = time.monotonic() + 20
    while site.server._under_way:  # until it has seen that all of them are gone
        assert time.monotonic() < deadline
        time.sleep(0.01)
    site.is_well()
    tried.count("security", "connection that asks nothing of the metrics port", "answers others meanwhile and after", MANY)


@pytest.mark.parametrize("path", ["/" + "a" * 16000, "/?" + "b" * 16000, "/#?" + "/" * 16000, "http://" + "h" * 15000 + "/"])
def test_long_paths_take_no_time(site: Site, path: str) -> None:
    """All threads wait while one matches a pattern: that takes as long as the path, not as its square."""
    request_ = b"GET %s " % path.encode()
    begun = time.process_time()
    for _ in range(50):
        assert site.ask(request_ + b"\r\n\r\n").startswith(b"HTTP/1.0 400")
    assert time.process_time() - begun < 2.5
    assert site.ask(request_ + b"HTTP/1.1\r\n\r\n")[9:12] in (b"200", b"403", b"404")
    tried.count("security", "path of 16,000 letters asked of the metrics port", "400 at once", 50)


def test_a_pipeline_gets_one_answer(site: Site) -> None:
    answer = site.ask(GOOD * 100)
    assert answer.count(b"HTTP/1.0") == 1 and b"Connection: close" in answer and PAGE in answer
    assert PAGE in site.ask(GOOD + b"Host: evil.example\r\n\r\n")
    tried.count("security", "pipelined requests to the metrics port", "one answer")


METHODS = ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "X" * 1000, "get", "", "G\0T",
           "\x1b[2J"]


@pytest.mark.parametrize("method", METHODS, ids=range(len(METHODS)))
def test_methods(site: Site, method: str) -> None:
    answer = site.ask(method.encode() + GOOD[3:])
    assert answer[9:12] in (b"400", b"405") and PAGE not in answer and b"\x1b" not in answer and b"\0" not in answer
    tried.count("security", "other method than GET and HEAD", "400 or 405")


PATHS = ["/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd", "/etc/passwd", "/metrics/../../etc/passwd", "/..",
         "/proc/self/environ", "/metrics/", "/metrics%00", "/.", "/static/..%2f..%2fetc/passwd", "/\\..\\..\\etc\\passwd"]


@pytest.mark.parametrize("path", PATHS)
def test_no_files_are_served(site: Site, path: str) -> None:
    answer = site.ask(b"GET %s HTTP/1.1\r\n\r\n" % path.encode())
    assert answer.startswith(b"HTTP/1.0 404 ") and answer.endswith(b"there are /metrics and /healthz\n")
    tried.count("security", "path of a file asked of the metrics port", "404")


FOREIGN = ["evil.example", "evil.example:2112", "localhost.evil.example", "127.0.0.1.evil.example", "[evil]", "a b", "127.0.0.1:x",
           "localhost, evil.example", "0x7f.1.evil", "evil.example@127.0.0.1"]


@pytest.mark.parametrize("host", FOREIGN)
def test_foreign_names_of_this_host(site: Site, host: str) -> None:
    """DNS rebinding: a page of evil.example in a browser here, whose name leads to 127.0.0.1 now."""
    for request in (b"GET /metrics HTTP/1.1\r\nHost: %s\r\n\r\n" % host.encode(),
                    b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: %s\r\n\r\n" % host.encode(),
                    b"GET http://%s/metrics HTTP/1.1\r\nHost: localhost\r\n\r\n" % host.replace(" ", "").encode()):
        answer = site.ask(request)
        assert PAGE not in answer and answer[9:12] == b"403"
    tried.count("security", "Host of somebody else (DNS rebinding)", "403", 3)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:2112", "127.0.0.1", "127.0.0.1:80", "[::1]:2112", "10.1.2.3",
                                  os.uname().nodename])
def test_own_names(site: Site, host: str) -> None:
    assert is_own_name(host) and site.ask(b"GET /metrics HTTP/1.1\r\nHost: %s\r\n\r\n" % host.encode()).endswith(PAGE)


def test_it_listens_on_loopback_unless_told_otherwise() -> None:
    options = metrics.parser().parse_args([])
    with listen(options.listen._replace(port=0)) as door:
        assert listens_at(door).loopback and listens_at(door).host == "127.0.0.1"
