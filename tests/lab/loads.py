"""Loads that make the kernel retransmit for every reason it has: many flows over a bad link."""
import random
import selectors
import socket
import threading
from contextlib import contextmanager
from typing import Iterator, NamedTuple, Set

from .link import V4, Ends, Lab
from .traffic import listener, tcp_socket

# From one write that fits a packet, where only timers help, to what keeps the window open for long.
SIZES = [100, 2000, 20000, 200000, 2000000, 8000000]
CHUNK = bytes(1 << 16)


class Load(NamedTuple):
    """What runs over the link, and how bad the link is."""

    per_mille: int          # lost, handshakes included, at the receiver of data
    flows: int = 16
    ends: Ends = V4
    control: str = "cubic"
    sack: bool = True
    offload: bool = True    # segments are cut by the device, not by TCP
    marked: int = 0         # of a thousand packets, those a router marks instead of losing them (ECN)

    @property
    def name(self) -> str:
        return "{}-{}‰-{}flows-{}{}{}{}".format(
            self.ends.name, self.per_mille, self.flows, self.control,
            "" if self.sack else "-nosack", "" if self.offload else "-nogso",
            "-ecn" if self.marked else "")


def prepare(lab: Lab, load: Load) -> None:
    """Make the link what `load` says. Timers are short, so that a bad link is not a slow one."""

    def set_options() -> None:
        for name, value in (("tcp_sack", load.sack), ("tcp_ecn", load.marked > 0)):
            with open("/proc/sys/net/ipv4/" + name, "w") as setting:
                setting.write(str(int(value)))

    for namespace in (lab.client, lab.server):
        namespace.inside(set_options)
        namespace.run(["ethtool", "-K", lab.device, "tso", "on" if load.offload else "off",
                       "gso", "on" if load.offload else "off"])
    lab.client.ip("route replace 10.77.0.0/24 dev {} src 10.77.0.1 rto_min 5ms".format(lab.device),
                  "route replace fd77::/64 dev {} metric 256 rto_min 5ms".format(lab.device))
    lab.drop(lab.server, "meta l4proto tcp numgen random mod 1000 < {}".format(load.per_mille))
    if load.marked:
        lab.server.nft("table inet router {{ chain input {{ type filter hook input priority -1; "
                       "meta l4proto tcp ip ecn != not-ect numgen random mod 1000 < {} "
                       "ip ecn set ce; }}; }}".format(load.marked))


class Sink:
    """Takes in what all flows of a listener send."""

    def __init__(self, door: socket.socket) -> None:
        self.door = door
        self.stopping = False
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self) -> None:
        with selectors.DefaultSelector() as waiting:
            waiting.register(self.door, selectors.EVENT_READ)
            while not self.stopping:
                for key, _ in waiting.select(0.1):
                    self._take(waiting, key.fileobj)  # type: ignore[arg-type]
            for key in list(waiting.get_map().values()):
                key.fileobj.close()  # type: ignore[union-attr]

    def _take(self, waiting: selectors.BaseSelector, ready: socket.socket) -> None:
        if ready is self.door:
            waiting.register(self.door.accept()[0], selectors.EVENT_READ)
            return
        try:
            more = bool(ready.recv(1 << 20))
        except OSError:
            more = False
        if not more:
            waiting.unregister(ready)
            ready.close()

    def stop(self) -> None:
        self.stopping = True
        self.thread.join()


class Flows:
    """Clients that connect, send something and close, again and again."""

    def __init__(self, lab: Lab, load: Load, port: int) -> None:
        self.lab, self.load, self.port = lab, load, port
        self.open: Set[socket.socket] = set()
        self.stopping = False
        self.threads = [threading.Thread(target=self._work, args=(number,)) for number in range(load.flows)]
        for thread in self.threads:
            thread.start()

    def _work(self, number: int) -> None:
        choice = random.Random(number)
        while not self.stopping:
            with tcp_socket(self.lab.client, self.load.ends.client) as one:
                self.open.add(one)
                try:
                    self._send(one, choice.choice(SIZES))
                except OSError:
                    pass  # reset, or given up by the kernel; the next one may fare better
                finally:
                    self.open.discard(one)

    def _send(self, one: socket.socket, size: int) -> None:
        one.settimeout(20)
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, self.load.control.encode())
        one.connect((self.load.ends.server, self.port))
        while size > 0 and not self.stopping:
            size -= one.send(CHUNK[:size])
        one.shutdown(socket.SHUT_WR)
        one.recv(1)

    def stop(self) -> None:
        self.stopping = True
        for thread in self.threads:
            while thread.is_alive():
                self._interrupt()
                thread.join(0.05)

    def _interrupt(self) -> None:
        """Shut every flow down: whoever waits for one goes on."""
        for one in list(self.open):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # not connected, or closed meanwhile


@contextmanager
def running(lab: Lab, load: Load) -> Iterator[None]:
    """The load runs inside this block; at its end every flow is reset."""
    prepare(lab, load)
    with listener(lab, load.ends, backlog=256) as door:
        sink = Sink(door)
        flows = Flows(lab, load, door.getsockname()[1])
        try:
            yield
        finally:
            flows.stop()
            sink.stop()
