"""Sockets and traffic inside a Lab, made in this process so that nothing can be left running.

Every socket is closed with a reset: a closed flow sends nothing any more, so that counters and
events stand still when they are compared.
"""
import array
import errno
import socket
import struct
import threading
import time
from contextlib import contextmanager
from typing import Iterator, List, Tuple

from .counters import grace_period
from .link import V4, Ends, Lab
from .netns import Namespace
from .tcp_info import tcp_info

RESET_ON_CLOSE = struct.pack("ii", 1, 0)


def family_of(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def tcp_socket(namespace: Namespace, address: str) -> socket.socket:
    made = namespace.socket(family_of(address))
    made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    return made


@contextmanager
def connecting(namespace: Namespace, address: str, port: int = 9, count: int = 1) -> Iterator[List[socket.socket]]:
    """`count` connects under way; to a dead address each sends a SYN again after one second."""
    sockets = [tcp_socket(namespace, address) for _ in range(count)]
    try:
        for one in sockets:
            one.setblocking(False)
            code = one.connect_ex((address, port))
            assert code == errno.EINPROGRESS, errno.errorcode.get(code, code)
        yield sockets
    finally:
        for one in sockets:
            one.close()


def wait_resent(sockets: List[socket.socket]) -> None:
    """Until each of them has sent something again; a counter may have grown by the first ones' second time."""
    deadline = time.monotonic() + 15
    while not all(tcp_info(one)["total_retrans"] for one in sockets):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    grace_period()


@contextmanager
def connecting_again(lab: Lab, port: int = 4811, count: int = 40) -> Iterator[None]:
    """Some SYNs are sent again in each second of this block, by three threads in turn."""
    over = threading.Event()

    def connect() -> None:
        while not over.is_set():
            with connecting(lab.client, V4.dead, port, count):
                over.wait(3.3)
    threads = [threading.Thread(target=connect) for _ in range(3)]
    for thread in threads:
        thread.start()
        time.sleep(0.3)
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def listener(lab: Lab, ends: Ends, backlog: int = 64) -> socket.socket:
    """A listening socket at the server; a mapped address listens on the IPv4 one behind it."""
    address = ends.server.replace("::ffff:", "") if ends.server.startswith("::ffff:") else ends.server
    made = tcp_socket(lab.server, address)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind((address, 0))
    made.listen(backlog)
    return made


@contextmanager
def connected(lab: Lab, ends: Ends) -> Iterator[Tuple[socket.socket, socket.socket]]:
    """An established flow: (client's socket, server's socket)."""
    with listener(lab, ends) as door, tcp_socket(lab.client, ends.client) as client:
        client.settimeout(10)
        client.connect((ends.server, door.getsockname()[1]))
        server, _ = door.accept()
        with server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            yield client, server


@contextmanager
def nobodys(lab: Lab) -> Iterator[socket.socket]:
    """Data is sent again and again on a connection whose only descriptor is on its way through a
    Unix socket, from which the test may take it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs, connected(lab, V4) as (client, _):
        lab.drop(lab.server, "meta l4proto tcp")
        ours.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [client.fileno()]))])
        client.send(b"x" * 100)
        client.close()
        yield theirs


def take(line: socket.socket) -> socket.socket:
    """What is on its way through that Unix socket."""
    _, extra, _, _ = line.recvmsg(1, socket.CMSG_SPACE(4))
    fd, = array.array("i", extra[0][2])
    return socket.socket(fileno=fd)


def swallow(source: socket.socket) -> None:
    try:
        while source.recv(1 << 16):
            pass
    except OSError:
        pass  # reset by its peer: the flow is over


def wait_acknowledged(flow: socket.socket) -> None:
    """Until all that was sent has arrived."""
    deadline = time.monotonic() + 20
    while tcp_info(flow)["unacked"] or tcp_info(flow)["notsent_bytes"]:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def send_bulk(lab: Lab, ends: Ends, total: int, seconds: float = 20.0) -> None:
    """Send `total` bytes from client to server; all of it has arrived when this returns."""
    with connected(lab, ends) as (client, server):
        sink = threading.Thread(target=swallow, args=(server,), daemon=True)
        sink.start()
        client.settimeout(seconds)
        client.sendall(bytes(total))
        client.shutdown(socket.SHUT_WR)
        sink.join(seconds)
        assert not sink.is_alive(), "bulk traffic took more than {} s".format(seconds)
