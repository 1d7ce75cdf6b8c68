"""Two namespaces joined by a veth pair: the smallest network that can lose packets."""
import itertools
import os
from contextlib import ExitStack
from types import TracebackType
from typing import NamedTuple, Optional, Type

from .netns import Namespace

serial = itertools.count(1)

CLIENT4, SERVER4, DEAD4 = "10.77.0.1", "10.77.0.2", "10.77.0.66"
CLIENT6, SERVER6, DEAD6 = "fd77::1", "fd77::2", "fd77::66"
CLIENT_MAC, SERVER_MAC, DEAD_MAC = "02:77:00:00:00:01", "02:77:00:00:00:02", "02:77:00:00:00:66"


class Ends(NamedTuple):
    """The addresses of one link, as a socket of one kind writes them."""
    client: str
    server: str
    dead: str  # has a static neighbour entry, but nobody answers there
    name: str
    family: int  # the IP version on the wire, which is what events show


V4 = Ends(CLIENT4, SERVER4, DEAD4, "v4", 4)
V6 = Ends(CLIENT6, SERVER6, DEAD6, "v6", 6)
MAPPED = Ends("::ffff:" + CLIENT4, "::ffff:" + SERVER4, "::ffff:" + DEAD4, "mapped", 4)
ALL_ENDS = (V4, V6, MAPPED)


class Lab:
    """`with Lab() as lab:` gives lab.client and lab.server, joined and addressed.

    Neighbours are static, so no address resolution disturbs what the counters say, and the dead
    address takes packets without ever answering.
    """

    def __init__(self) -> None:
        self.stack = ExitStack()
        try:
            self.client = self._namespace()
            self.server = self._namespace()
            self.device = "lab{}-{}".format(os.getpid() % 100000, next(serial))
            self._join()
        except BaseException:
            self.stack.close()
            raise

    def _namespace(self) -> Namespace:
        namespace = Namespace()
        self.stack.callback(namespace.close)
        return namespace

    def _join(self) -> None:
        self.client.ip("link add {0} address {1} type veth peer name {0} address {2} netns {3}".format(
            self.device, CLIENT_MAC, SERVER_MAC, self.server.path))
        self._address(self.client, CLIENT4, CLIENT6)
        self._address(self.server, SERVER4, SERVER6)
        self._neighbours(self.client, SERVER_MAC, SERVER4, SERVER6)
        self._neighbours(self.client, DEAD_MAC, DEAD4, DEAD6)
        self._neighbours(self.server, CLIENT_MAC, CLIENT4, CLIENT6)

    def _address(self, namespace: Namespace, v4: str, v6: str) -> None:
        namespace.ip("link set {} up".format(self.device),
                     "addr add {}/24 dev {}".format(v4, self.device),
                     "addr add {}/64 dev {} nodad".format(v6, self.device))

    def _neighbours(self, namespace: Namespace, mac: str, *addresses: str) -> None:
        namespace.ip(*("neigh replace {} lladdr {} nud permanent dev {}".format(a, mac, self.device)
                       for a in addresses))

    def drop(self, namespace: Namespace, match: str, hook: str = "input") -> None:
        """Drop what `match` (an nft expression) matches; replaces an earlier drop there."""
        self.heal(namespace)
        namespace.nft("table inet lab {{ chain {0} {{ type filter hook {0} priority 0; "
                      "{1} counter drop; }}; }}".format(hook, match))

    def lose(self, namespace: Namespace, per_mille: int) -> None:
        """Drop a random share of what `namespace` receives by TCP once a flow is established."""
        self.drop(namespace, "tcp flags & syn == 0 numgen random mod 1000 < {}".format(per_mille))

    def heal(self, namespace: Namespace) -> None:
        namespace.nft("table inet lab {}\ndelete table inet lab\n")

    def close(self) -> None:
        """Take the link away at once: sockets that linger could go on retransmitting through it."""
        if self.client.fd >= 0:
            try:
                self.client.ip("link del " + self.device)
            finally:
                self.stack.close()

    def __enter__(self) -> "Lab":
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        self.close()
