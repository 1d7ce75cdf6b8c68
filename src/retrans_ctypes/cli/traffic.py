"""The demo's traffic: run as a program of its own in the demo's namespaces, so it imports nothing of
this package.

    traffic.py serve SECONDS PORT                receives whatever comes, and answers
    traffic.py send SECONDS PORT ADDRESS ...     connects to each in turn and sends
    traffic.py knock SECONDS PORT ADDRESS        connects to an address where nobody answers
"""

import socket
import struct
import sys
import threading
import time
from typing import Callable, Dict

CHUNK = b"r" * 16384
CHUNKS = 16  # for each connection
ANSWER = b"a" * 65536
PAUSE = 0.15  # seconds between connections
PATIENCE = 3.5  # seconds that a knock waits: time for two more SYNs


def abort_on_close(connection: socket.socket) -> None:
    """Closing then frees the socket at once; nothing is sent, or sent again, after the end."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def receive(connection: socket.socket) -> None:
    with connection:
        abort_on_close(connection)
        try:
            while connection.recv(65536):
                pass
            connection.sendall(ANSWER)
        except OSError:
            pass


def serve(port: int) -> None:
    try:
        listener = socket.socket(socket.AF_INET6)
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        host = "::"
    except OSError:
        listener, host = socket.socket(socket.AF_INET), "0.0.0.0"
    listener.bind((host, port))
    listener.listen(64)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=receive, args=(connection,), daemon=True).start()


def send(port: int, *addresses: str) -> None:
    while True:
        for address in addresses:
            try:
                with socket.create_connection((address, port), timeout=5) as connection:
                    abort_on_close(connection)
                    for _ in range(CHUNKS):
                        connection.sendall(CHUNK)
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(65536):
                        pass
            except OSError:  # not listening yet, or the link was too bad
                pass
            time.sleep(PAUSE)


def knock(port: int, address: str) -> None:
    while True:
        try:
            socket.create_connection((address, port), timeout=PATIENCE).close()
        except OSError:
            pass


def main(job: str, duration: str, port: str, *addresses: str) -> None:
    jobs: Dict[str, Callable[..., None]] = {"serve": serve, "send": send, "knock": knock}
    threading.Thread(target=jobs[job], args=(int(port),) + addresses, daemon=True).start()
    time.sleep(float(duration))


if __name__ == "__main__":
    main(*sys.argv[1:])
