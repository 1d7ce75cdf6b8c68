"""A small HTTP server for metrics that its clients can neither hang nor fill.

A connection is one request, and has a few seconds for all of it. So many are served at once; where
there are more, those that are slow to ask make room, and otherwise the new ones are told to come again.
Tracing goes on meanwhile, in another thread.
"""

import os
import re
import socket
import threading
import time
from ipaddress import ip_address
from types import TracebackType
from typing import Callable, Dict, List, NamedTuple, Optional, Set, Tuple, Type

from ..background import Background
from ..errors import RetransError
from ..sinks.prometheus.exposition import Text
from .threads import SECONDS as THREAD, begin

CONNECTIONS = 16
SECONDS = 5.0  # for a connection, from its first byte to the last
LONGEST = 16384  # bytes of a request
LINGER = 1.0  # seconds for what a client still sends after it got its answer,
TRAILING = 1 << 24  # and bytes of that
REFUSALS = 64  # of these at once
PATIENCE = 0.5  # seconds to ask in, where others wait
GRACE = 1.0  # seconds that those under way have at the end
_TICK = 0.2  # seconds within which the end is noticed

_PLAIN = "text/plain; charset=utf-8"
_LANDING = b'<!DOCTYPE html><title>retrans</title><p>TCP retransmits: <a href="/metrics">metrics</a></p>\n'
_WORDS = {200: "OK", 400: "Bad Request", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
          431: "Request Header Fields Too Large", 500: "Internal Server Error", 503: "Service Unavailable"}


class Pages(NamedTuple):
    """What is served."""

    metrics: Callable[[str, bool], Text]
    """For an Accept header, and whether it shall be packed by gzip. Raises RetransError where there is nothing to
    tell any more."""
    healthy: Callable[[], bool]
    complain: Callable[[str], None]
    """Is told, in a sentence, what should not have gone wrong here."""
    any_name: bool = True
    """Whether a request may call this host what it likes; otherwise only what nobody else can point here, so
    that no page of somebody else's, in a browser here, can read this one (DNS rebinding)."""


class Answer(NamedTuple):
    """A status, and what is shown."""

    status: int
    body: bytes
    content_type: str = _PLAIN
    packed: bool = False

    def encode(self, body: bool = True) -> bytes:
        """As HTTP has it; ``body``: not for HEAD."""
        lines = ["HTTP/1.0 %d %s" % (self.status, _WORDS[self.status]), "Content-Type: " + self.content_type,
                 "Content-Length: %d" % len(self.body), "X-Content-Type-Options: nosniff", "Connection: close"]
        lines += ["Content-Encoding: gzip"] * self.packed + ["Allow: GET, HEAD"] * (self.status == 405)
        lines += ["Retry-After: 1"] * (self.status == 503)
        return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii") + (self.body if body else b"")


BUSY = Answer(503, b"too many connections at once\n").encode()


class MetricsServer:
    """Serves on ``door``, a listening socket, in threads of its own, while it is entered."""

    def __init__(self, door: socket.socket, pages: Pages) -> None:
        self._door = door
        self._pages = pages
        self._free = threading.Semaphore(CONNECTIONS)
        self._refusals = threading.Semaphore(REFUSALS)
        self._under_way: Set[socket.socket] = set()
        self._asking: Dict[socket.socket, float] = {}  # since when, oldest first; no whole request yet
        self._ending = False
        self._thread = Background(self._accept)

    def __enter__(self) -> "MetricsServer":
        self._door.settimeout(_TICK)
        begin(self._thread)
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        """Take no more connections; those under way are answered, or cut off when their time is up."""
        self._ending = True
        self._thread.ends_within(THREAD)
        self._door.close()
        self._wait_for_all(GRACE)
        for client in list(self._under_way):
            _cut_off(client)
        self._wait_for_all(GRACE)

    def _wait_for_all(self, seconds: float) -> None:
        ends = time.monotonic() + seconds
        while self._under_way and time.monotonic() < ends:
            time.sleep(0.01)

    def _accept(self) -> None:
        while not self._ending:
            try:
                client, _ = self._door.accept()
            except socket.timeout:
                continue
            except (OSError, MemoryError):  # the client is gone, or there are no more descriptors
                time.sleep(_TICK)
                continue
            if self._free.acquire(False) or self._make_room():
                self._begin(client, self._serve, self._free)
            elif self._refusals.acquire(False):
                self._begin(client, _refuse, self._refusals)
            else:
                client.close()

    def _make_room(self) -> bool:
        """Cut off who has been asking for longest; False where all are quick, and so will soon be done."""
        for client, since in list(self._asking.items()):
            if time.monotonic() - since < PATIENCE:
                break
            if self._asking.pop(client, None) is not None:
                _cut_off(client)
                return self._free.acquire(timeout=_TICK)
        return False

    def _begin(
        self, client: socket.socket, serve: Callable[[socket.socket], None], places: threading.Semaphore,
    ) -> None:
        self._under_way.add(client)
        if places is self._free:
            self._asking[client] = time.monotonic()
        if not Background(lambda: self._run(client, serve, places)).start():
            self._finish(client, places)

    def _run(
        self, client: socket.socket, serve: Callable[[socket.socket], None], places: threading.Semaphore,
    ) -> None:
        try:
            serve(client)
        except OSError:
            pass  # it went away, or took too long
        finally:
            self._finish(client, places)

    def _finish(self, client: socket.socket, places: threading.Semaphore) -> None:
        self._asking.pop(client, None)
        client.close()
        self._under_way.discard(client)
        places.release()

    def _serve(self, client: socket.socket) -> None:
        ends = time.monotonic() + SECONDS
        head = receive(client, ends)
        self._asking.pop(client, None)
        if head:
            _limit(client, ends)
            client.sendall(self._reply(head))
            hang_up(client)

    def _reply(self, head: bytes) -> bytes:
        method = head.split(b" ", 1)[0]
        try:
            answer = answer_to(head, self._pages)
        except RetransError as error:
            answer = Answer(503, ("%s\n" % error).encode("utf-8", "backslashreplace"))
        except Exception as error:
            self._pages.complain("metrics could not be written (%s: %s); tracing goes on" % (
                type(error).__name__, error))
            answer = Answer(500, b"metrics could not be written; standard error has why\n")
        return answer.encode(body=method != b"HEAD")


def receive(client: socket.socket, ends: float) -> bytes:
    """A request, without a body; at most LONGEST bytes of it. Empty where it is not whole."""
    head = b""
    while not _whole(head):
        if len(head) >= LONGEST:
            return head
        _limit(client, ends)
        received = client.recv(LONGEST - len(head))
        if not received:
            return b""
        head += received
    return head


def answer_to(head: bytes, pages: Pages) -> Answer:
    """What a request gets."""
    if not _whole(head):
        return Answer(431, b"a request for metrics is short\n")
    request, headers = parsed(head)
    match = re.match(r"([A-Z]+) (?:http://([^/\s]+))?(/[^\s?#]*)(?:[?#]\S*)? HTTP/1\.[0-9]\Z", request)
    if not match:
        return Answer(400, b"this speaks HTTP/1.0 and 1.1 only\n")
    method, named, path = match.groups()
    if not pages.any_name and not all(is_own_name(name) for name in (named, headers.get("host")) if name):
        return Answer(403, b"this is for 'localhost' and addresses by number, not for that host name\n")
    if method not in ("GET", "HEAD"):
        return Answer(405, b"there is only something to GET\n")
    if path == "/metrics":
        packed = _takes_gzip(headers.get("accept-encoding", ""))
        shown = pages.metrics(headers.get("accept", ""), packed)
        return Answer(200, shown.text, shown.content_type, packed)
    if path == "/healthz":
        return Answer(200, b"ok\n") if pages.healthy() else Answer(503, b"not tracing any more\n")
    if path == "/":
        return Answer(200, _LANDING, "text/html; charset=utf-8")
    return Answer(404, b"there are /metrics and /healthz\n")


def parsed(head: bytes) -> Tuple[str, Dict[str, str]]:
    """The request line, and the headers by their names in small letters; those given twice are joined. A body
    or another request, which ``head`` may go on with, is none of it."""
    request, *lines = head.decode("latin-1").replace("\r\n", "\n").split("\n\n")[0].split("\n")
    headers: Dict[str, List[str]] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            headers.setdefault(name.strip().lower(), []).append(value.strip())
    return request, {name: ", ".join(values) for name, values in headers.items()}


def is_own_name(host: str) -> bool:
    """Whether ``host``, as a request has it, is a name that nobody else's DNS can point here."""
    match = re.match(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]]+))(?::[0-9]*)?\Z", host)
    if not match:
        return False
    name = match.group(1) or match.group(2)
    if name.lower() in ("localhost", os.uname().nodename.lower()):
        return True
    try:
        return bool(ip_address(name))
    except ValueError:
        return False


def hang_up(client: socket.socket) -> None:
    """Closing a socket that has unread bytes resets the connection, and the answer may be lost with it. So
    what the client still sends is read, for a while."""
    client.shutdown(socket.SHUT_WR)
    ends, left = time.monotonic() + LINGER, TRAILING
    while left > 0:
        _limit(client, ends)
        received = client.recv(min(left, 65536))
        if not received:
            return
        left -= len(received)


def _whole(head: bytes) -> bool:
    return b"\r\n\r\n" in head or b"\n\n" in head


def _takes_gzip(accepted: str) -> bool:
    for word in accepted.lower().split(","):
        name, _, weight = word.replace(" ", "").partition(";q=")
        if name == "gzip":
            return re.match(r"0(\.0*)?\Z", weight) is None
    return False


def _limit(client: socket.socket, ends: float) -> None:
    left = ends - time.monotonic()
    if left <= 0:
        raise socket.timeout("the connection took too long")
    client.settimeout(left)


def _refuse(client: socket.socket) -> None:
    client.settimeout(LINGER)
    client.sendall(BUSY)
    hang_up(client)


def _cut_off(client: socket.socket) -> None:
    try:
        client.shutdown(socket.SHUT_RDWR)  # wakes its thread
    except OSError:
        pass
