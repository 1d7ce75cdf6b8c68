"""Real retransmits of every kind in a Lab: SYN, SYN-ACK and data."""
import errno
import socket
import time
from contextlib import ExitStack
from typing import Any, Callable, List

from lab.cast import Cast
from lab.counters import Counters
from lab.link import DEAD4, DEAD6, SERVER4, V4, Lab
from lab.tcp_info import tcp_info
from lab.traffic import listener, tcp_socket

# Port -> how its server works, how its clients do.
CLASSES = {80: ("prefork", "short"), 84: ("epoll", "steady")}

DATA_SEGMENTS = 45   # wanted of each side
SECONDS = 80.0       # of patience; a busy machine makes a guest slow


def make_lossy(lab: Lab) -> None:
    """Short timers; loss on the way and at the receivers, and now and then a refusal by the sender's firewall.

    Handshakes get through: those that shall not are made to fail one by one.
    """
    lose = "chain input {{ type filter hook input priority 0; " \
           "tcp flags & syn == 0 numgen random mod 1000 < {} drop; {} }};"
    for namespace in (lab.client, lab.server):
        namespace.ip("route replace 10.77.0.0/24 dev {} rto_min 5ms".format(lab.device))
    lab.client.nft("table inet lossy {{ {} chain output {{ type filter hook output priority 0; "
                   "tcp flags & syn == 0 numgen random mod 1000 < 20 drop; }}; }}".format(lose.format(50, "")))
    lab.server.nft("table inet lossy {{ {} }}".format(lose.format(100, "")))
    lab.client.run(["tc", "qdisc", "add", "dev", lab.device, "root", "netem", "loss", "3%"])


def refuse_answers(lab: Lab, port: int) -> None:
    """The client's host drops the SYN-ACKs that come from `port`."""
    lab.client.nft("table inet mute {{ chain input {{ type filter hook input priority -1; "
                   "tcp sport {} tcp flags & (syn|ack) == (syn|ack) drop; }}; }}".format(port))


class Handshakes:
    """Connects that nobody answers: two to addresses without a host, one whose answers are dropped."""

    def __init__(self, lab: Lab, stack: ExitStack) -> None:
        self.door = stack.enter_context(listener(lab, V4))
        self.port = self.door.getsockname()[1]
        refuse_answers(lab, self.port)
        self.sockets = [self._connect(lab, stack, *target)
                        for target in ((DEAD4, 9), (DEAD6, 9), (SERVER4, self.port))]

    def _connect(self, lab: Lab, stack: ExitStack, address: str, port: int) -> socket.socket:
        one = stack.enter_context(tcp_socket(lab.client, address))
        one.setblocking(False)
        code = one.connect_ex((address, port))
        assert code == errno.EINPROGRESS, errno.errorcode.get(code, code)
        return one

    def retransmits(self) -> List[int]:
        """How often each has sent its SYN again."""
        return [tcp_info(one)["total_retrans"] for one in self.sockets]


class Truth:
    """What really happened, by the kernel's counters, the sockets and the processes' own logs."""

    def __init__(self, lab: Lab, cast: Cast) -> None:
        self.lab, self.cast = lab, cast
        self.counters = {"client": Counters(lab.client), "server": Counters(lab.server)}
        self.syns: List[int] = []

    def enough(self, handshakes: Handshakes) -> bool:
        client, server = (self.counters[side].gained() for side in ("client", "server"))
        return (min(handshakes.retransmits()) >= 1 and server["TCPSynRetrans"] >= 1
                and min(client["RetransSegs"] - client["TCPSynRetrans"],
                        server["RetransSegs"] - server["TCPSynRetrans"]) >= DATA_SEGMENTS)

    def segments(self) -> Any:
        return {side: counters.gained()["RetransSegs"] for side, counters in self.counters.items()}

    def synacks(self) -> int:
        """The server connects to nobody."""
        return self.counters["server"].gained()["TCPSynRetrans"]


def play(lab: Lab, cast: Cast, truth: Truth, poll: Callable[[], None]) -> None:
    """Make retransmits until there are enough; when this returns nothing is sent any more."""
    with ExitStack() as stack:
        handshakes = Handshakes(lab, stack)
        for port, (server, _) in CLASSES.items():
            cast.play(lab.server, server, port)
        cast.wait_listening(CLASSES)
        for port, (_, client) in CLASSES.items():
            cast.play(lab.client, client, port)
        deadline = time.monotonic() + SECONDS
        while not truth.enough(handshakes):
            assert time.monotonic() < deadline, "too few retransmits: {}, {}".format(
                truth.segments(), handshakes.retransmits())
            poll()
        cast.end()
        # What lingers gets no route any more, so the kernel neither sends nor counts it.
        for namespace in (lab.client, lab.server):
            namespace.ip("link set {} down".format(lab.device))
        truth.syns = handshakes.retransmits()
