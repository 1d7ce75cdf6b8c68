"""Programs that use sockets in the ways that servers and clients do, and log each use.

Run as `actors.py LOG KIND ADDRESS PORT`. The log gets one line before each use of a socket, and one
after each accept: time, pid, local port, remote port. Who is named last before a moment is who used
that socket at that moment.
"""
import array
import fcntl
import os
import select
import signal
import socket
import sys
import threading
import time
from typing import Callable, Dict, List

REQUEST, REPLY, TURNS = 12000, 24000, 8
WORKERS = 3

log_fd = -1


def log(local_port: int, remote_port: int) -> None:
    """One write: lines of several processes never mix."""
    now_ns = int(time.clock_gettime(time.CLOCK_MONOTONIC) * 1e9)
    line = "{} {} {} {}\n".format(now_ns, os.getpid(), local_port, remote_port)
    os.write(log_fd, line.encode())


def used(conn: socket.socket) -> None:
    log(conn.getsockname()[1], conn.getpeername()[1])


def send(conn: socket.socket, size: int) -> None:
    used(conn)
    conn.sendall(bytes(size))


def receive(conn: socket.socket, size: int) -> bool:
    """`size` bytes; False where the peer has closed."""
    used(conn)
    while size > 0:
        got = len(conn.recv(size))
        if not got:
            return False
        size -= got
    return True


def answer(conn: socket.socket) -> None:
    """Serve one connection to its end."""
    try:
        while receive(conn, REQUEST):
            send(conn, REPLY)
    except OSError:
        pass  # the peer is gone
    conn.close()


def converse(conn: socket.socket) -> None:
    for _ in range(TURNS):
        send(conn, REQUEST)
        receive(conn, REPLY)


def fork(job: Callable[[], None]) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            job()
        except OSError:
            pass  # an address is taken, a peer is gone: nothing that this is about
        finally:
            os._exit(0)
    return pid


def reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


# Servers.

def listener(address: str, port: int) -> socket.socket:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind((address, port))
    made.listen(64)
    return made


def accept(door: socket.socket) -> socket.socket:
    conn, _ = door.accept()
    used(conn)
    return conn


def serve_in_turn(door: socket.socket) -> None:
    while True:
        try:
            answer(accept(door))
        except OSError:
            pass  # reset before it was accepted


def prefork(address: str, port: int) -> None:
    door = listener(address, port)
    for _ in range(WORKERS):
        fork(lambda: serve_in_turn(door))
    signal.pause()


def reuseport(address: str, port: int) -> None:
    for _ in range(WORKERS):
        fork(lambda: serve_in_turn(listener(address, port)))
    signal.pause()


def fork_each(address: str, port: int) -> None:
    door = listener(address, port)
    while True:
        conn = accept(door)
        fork(lambda: answer(conn))
        conn.close()
        reap()


def threads(address: str, port: int) -> None:
    door = listener(address, port)
    while True:
        threading.Thread(target=answer, args=(accept(door),), daemon=True).start()


def epoll(address: str, port: int) -> None:
    """One loop for all connections; replies are sent while it is at work, not asleep."""
    door = listener(address, port)
    poll = select.epoll()
    conns: Dict[int, socket.socket] = {}
    poll.register(door, select.EPOLLIN)
    while True:
        for fd, _ in poll.poll():
            if fd == door.fileno():
                conn = accept(door)
                conns[conn.fileno()] = conn
                poll.register(conn, select.EPOLLIN)
                continue
            conn = conns[fd]
            try:
                if receive(conn, REQUEST):
                    send(conn, REPLY)
                    continue
            except OSError:
                pass
            poll.unregister(conn)
            del conns[fd]
            conn.close()


def pass_on(keep: bool, address: str, port: int) -> None:
    """The acceptor hands each connection to one of its workers over a Unix socket."""
    door = listener(address, port)
    lines: List[socket.socket] = []
    for _ in range(WORKERS):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        fork(lambda: take_over(theirs))
        theirs.close()
        lines.append(ours)
    kept: List[socket.socket] = []
    turn = 0
    while True:
        conn = accept(door)
        turn += 1
        lines[turn % WORKERS].sendmsg(
            [b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [conn.fileno()]))])
        kept.append(conn)
        if not keep or len(kept) > 50:
            kept.pop(0).close()


def take_over(line: socket.socket) -> None:
    while True:
        _, extra, _, _ = line.recvmsg(1, socket.CMSG_SPACE(4))
        fd, = array.array("i", extra[0][2])
        conn = socket.socket(fileno=fd)
        try:
            used(conn)
            answer(conn)
        except OSError:
            conn.close()


def passed(address: str, port: int) -> None:
    pass_on(False, address, port)


def shared(address: str, port: int) -> None:
    pass_on(True, address, port)


# Clients. Each goes on until it is ended, four connections at a time.

def keep_four(job: Callable[[], None]) -> None:
    running = 0
    while True:
        fork(job)
        running += 1
        if running >= 4:
            os.wait()
            running -= 1


def connecting(address: str, port: int) -> socket.socket:
    """A connect is logged once its port is known, which is before the SYN leaves."""
    made = socket.socket()
    made.bind(("", 0))
    log(made.getsockname()[1], port)
    made.connect((address, port))
    return made


def short(address: str, port: int) -> None:
    keep_four(lambda: converse(connecting(address, port)))


def leave(address: str, port: int) -> None:
    """Clients that exit while their data is still under way."""
    def job() -> None:
        conn = connecting(address, port)
        send(conn, REQUEST * 6)

    keep_four(job)


def hand_down(address: str, port: int) -> None:
    """The connection is used by a program that the connecting process starts."""
    def job() -> None:
        conn = connecting(address, port)
        conn.set_inheritable(True)
        if os.fork() == 0:
            os.execv(sys.executable, [sys.executable, "-S", "-E", __file__, sys.argv[1], "inherit",
                                      address, str(conn.fileno())])
        conn.close()
        os.wait()

    keep_four(job)


def inherit(address: str, fd: int) -> None:
    conn = socket.socket(fileno=fd)
    for _ in range(4):
        converse(conn)


def spin(address: str, port: int) -> None:
    """Clients that never sleep on their socket, and have it under a high descriptor."""
    def job() -> None:
        conn = connecting(address, port)
        high = socket.socket(fileno=fcntl.fcntl(conn.fileno(), fcntl.F_DUPFD, 900))
        conn.close()
        high.setblocking(False)
        used(high)
        high.send(bytes(REQUEST))
        left = REPLY
        while left > 0:
            try:
                left -= len(high.recv(left)) or left
            except BlockingIOError:
                pass

    keep_four(job)


def steady(address: str, port: int) -> None:
    """Connections that stay open."""
    conns = [connecting(address, port) for _ in range(2)]
    while True:
        for conn in conns:
            converse(conn)
        time.sleep(0.01)


if __name__ == "__main__":
    log_fd = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    globals()[sys.argv[2]](sys.argv[3], int(sys.argv[4]))
