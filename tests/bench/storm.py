"""Namespaces in which as much as possible is retransmitted."""
import signal
import time
from contextlib import ExitStack, contextmanager
from typing import Iterator, List

from lab.link import DEAD4, SERVER4, Lab
from lab.netns import Namespace

from .children import Child
from .places import program

PORT = 5201
EACH = 15000  # sockets of one process: below the usual limit of open files

# Found by trying: more loss or more flows make no more events, less make fewer.
FLOWS = 128
LOSS = 500  # per mille
SETTLE = 0.3  # seconds until what is on its way has arrived


def traffic(namespace: Namespace, mode: str, address: str, port: int, count: int) -> Child:
    """The program `traffic` inside a namespace, once it is ready."""
    child = Child(namespace.argv([program("traffic"), mode, address, str(port), str(count)]))
    child.line()
    return child


def shares(count: int) -> List[int]:
    """`count` sockets over as few processes as may hold them."""
    return [min(EACH, count - done) for done in range(0, count, EACH)]


class Storm:
    """Bulk flows, connected once, that send only while it is `raging()`."""

    def __init__(self, flows: int = FLOWS) -> None:
        self.senders: List[Child] = []
        self.stack = ExitStack()
        try:
            self.lab = self.stack.enter_context(Lab())
            for namespace in (self.lab.client, self.lab.server):
                # each segment is an event of its own
                namespace.run(["ethtool", "-K", self.lab.device, "tso", "off", "gso", "off"])
            self.lab.client.ip("route replace 10.77.0.0/24 dev {} src 10.77.0.1 rto_min 5ms".format(
                self.lab.device))
            for number, count in enumerate(shares(flows)):
                self._flows(PORT + number, count)
        except BaseException:
            self.stack.close()
            raise

    def _flows(self, port: int, count: int) -> None:
        self.stack.enter_context(traffic(self.lab.server, "serve", SERVER4, port, 0))
        sender = self.stack.enter_context(traffic(self.lab.client, "bulk", SERVER4, port, count))
        sender.process.send_signal(signal.SIGSTOP)  # between storms it is quiet
        self.senders.append(sender)

    @contextmanager
    def raging(self) -> Iterator[None]:
        self.lab.lose(self.lab.server, LOSS)
        self._signal(signal.SIGCONT)
        try:
            yield
        finally:
            self._signal(signal.SIGSTOP)
            self.lab.heal(self.lab.server)
            time.sleep(SETTLE)

    def _signal(self, number: int) -> None:
        for sender in self.senders:
            sender.process.send_signal(number)

    def __enter__(self) -> "Storm":
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()


@contextmanager
def unanswered(lab: Lab, count: int) -> Iterator[None]:
    """So many connects that nobody answers: a second later each is an event, of a socket of its own."""
    with ExitStack() as stack:
        for number, share in enumerate(shares(count)):
            stack.enter_context(traffic(lab.client, "dead", DEAD4, 1000 + 10 * number, share))
        yield
