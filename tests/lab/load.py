"""Heavy lossy traffic of many kinds between the two ends of a Lab."""
import socket
import threading
import time
from typing import List, NamedTuple, Tuple

from .link import Ends, Lab
from .netns import Namespace
from .traffic import RESET_ON_CLOSE, family_of, listener, swallow

MSG_FASTOPEN = 0x20000000
IPPROTO_MPTCP = 262
CHUNK = bytes(1 << 16)
CHURN_SECONDS = 0.5  # how long a flow of a churning load lives


class Load(NamedTuple):
    """What to send, and what to do to it."""

    ends: Ends
    flows: int = 16
    loss: int = 50          # per mille of what either side receives, handshakes included
    local_loss: int = 0     # per mille that the sender's own firewall refuses (EPERM)
    congestion: str = "cubic"
    gso: bool = True
    sack: bool = True
    kind: str = "long"      # long, churn, reset, fastopen, mptcp
    seconds: float = 2.0

    @property
    def name(self) -> str:
        return "{}-{}-{}x-loss{}{}-{}{}{}".format(
            self.kind, self.ends.name, self.flows, self.loss,
            "+{}".format(self.local_loss) if self.local_loss else "", self.congestion,
            "" if self.gso else "-nogso", "" if self.sack else "-nosack")


def run(lab: Lab, load: Load) -> None:
    """Send until the time is up. When this returns, neither side retransmits any more."""
    for namespace in (lab.client, lab.server):
        _prepare(lab, namespace, load)
    with listener(lab, load.ends, backlog=256) as door:
        if load.kind == "fastopen":
            door.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 64)
        port = door.getsockname()[1]
        door.settimeout(0.1)
        done = threading.Event()
        sinks: List[Tuple[threading.Thread, socket.socket]] = []
        server = threading.Thread(target=_serve, args=(door, done, sinks))
        server.start()
        try:
            clients = [threading.Thread(target=_send, args=(lab, load, port)) for _ in range(load.flows)]
            for client in clients:
                client.start()
            for client in clients:
                client.join()
        finally:
            done.set()
            server.join()
    # what lingers gets no route any more, so the kernel neither sends nor counts it
    for namespace in (lab.client, lab.server):
        namespace.ip("link set {} down".format(lab.device))
    for sink, peer in sinks:
        _wake(peer)
        sink.join()


def _wake(peer: socket.socket) -> None:
    """End a recv() that still waits for what was lost."""
    try:
        peer.shutdown(socket.SHUT_RD)
    except OSError:
        pass  # it had ended already


def _prepare(lab: Lab, namespace: Namespace, load: Load) -> None:
    settings = {"tcp_sack": int(load.sack), "tcp_fastopen": 0x403, "tcp_fastopen_blackhole_timeout_sec": 0}

    def write() -> None:
        for name, value in settings.items():
            with open("/proc/sys/net/ipv4/" + name, "w") as setting:
                setting.write(str(value))

    namespace.inside(write)
    rules = "table inet load {{ chain in {{ type filter hook input priority 0; " \
            "numgen random mod 1000 < {} drop; }}; ".format(load.loss)
    if load.local_loss:
        rules += "chain out {{ type filter hook output priority 0; meta l4proto tcp " \
                 "numgen random mod 1000 < {} drop; }}; ".format(load.local_loss)
    namespace.nft(rules + "}")
    if not load.gso:
        namespace.run(["ethtool", "-K", lab.device, "tso", "off", "gso", "off"])


def _serve(
    door: socket.socket, done: threading.Event, sinks: List[Tuple[threading.Thread, socket.socket]],
) -> None:
    while not done.is_set():
        try:
            peer, _ = door.accept()
        except socket.timeout:
            continue
        sink = threading.Thread(target=_sink, args=(peer,), daemon=True)
        sink.start()
        sinks.append((sink, peer))


def _sink(peer: socket.socket) -> None:
    with peer:
        peer.settimeout(5)
        swallow(peer)


def _send(lab: Lab, load: Load, port: int) -> None:
    end = time.monotonic() + load.seconds
    while time.monotonic() < end:
        until = end if load.kind == "long" else min(end, time.monotonic() + CHURN_SECONDS)
        try:
            _one_flow(lab, load, port, until)
        except OSError:  # timed out, reset or refused: what loss does; the next flow comes
            pass


def _one_flow(lab: Lab, load: Load, port: int, until: float) -> None:
    protocol = IPPROTO_MPTCP if load.kind == "mptcp" else 0
    family = family_of(load.ends.client)
    with lab.client.inside(lambda: socket.socket(family, socket.SOCK_STREAM, protocol)) as flow:
        flow.settimeout(1)
        if load.kind == "reset":
            flow.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        flow.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, load.congestion.encode())
        if load.kind == "fastopen":
            flow.sendto(CHUNK[:500], MSG_FASTOPEN, (load.ends.server, port))
        else:
            flow.connect((load.ends.server, port))
        while time.monotonic() < until:
            flow.send(CHUNK)
