"""Many remote ends that never answer, in a namespace of their own and without a second one."""
import errno
import socket
from typing import List

from .counters import Counters
from .netns import Namespace
from .traffic import RESET_ON_CLOSE, wait_resent

AT_ONCE = 10000  # connects under way


class Silence(Namespace):
    """All of 127/8 is there, and takes packets without ever answering."""

    def __init__(self) -> None:
        super().__init__()
        self.nft("table inet lab { chain input { type filter hook input priority 0; meta l4proto tcp drop; }; }")

    def knock(self, addresses: List[str], port: int = 9) -> None:
        """Connect to each until it has sent its SYN again, once at least."""
        for first in range(0, len(addresses), AT_ONCE):
            some = addresses[first:first + AT_ONCE]
            counters = Counters(self)
            under_way = self.inside(lambda: [connecting_to(address, port) for address in some])
            try:
                counters.wait("RetransSegs", len(some))
                wait_resent(under_way)
            finally:
                for one in under_way:
                    one.close()

    def __enter__(self) -> "Silence":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def connecting_to(address: str, port: int) -> socket.socket:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    made.setblocking(False)
    code = made.connect_ex((address, port))
    assert code == errno.EINPROGRESS, errno.errorcode.get(code, code)
    return made


def many_addresses(number: int) -> List[str]:
    """So many of 127/8, none of which anything else here uses."""
    return ["127.{}.{}.{}".format(100 + (i >> 16), i >> 8 & 255, i & 255) for i in range(number)]
