"""Retransmits of many kinds at once, so that each condition of a filter has something to tell apart."""
import os
from collections import Counter
from contextlib import ExitStack
from typing import Any, List

from .cgroups import nested
from .counters import Counters
from .knocking import knocker
from .link import MAPPED, V4, V6, Lab
from .traffic import connected, connecting, listener

UID = 12345
BASE = 15000 + os.getpid() % 15000  # of remote ports that no other test uses at the same time


class Mixture:
    """Made before the tracers, so that filters can name what will be there."""

    def __init__(self, lab: Lab, stack: ExitStack) -> None:
        self.lab = lab
        self.outer, self.inner = stack.enter_context(nested("retrans-mixture"))
        self.knocker = stack.enter_context(knocker(lab.client, BASE + 3, cgroup=self.inner))
        self.flow, _ = stack.enter_context(connected(lab, V4))
        self.door = stack.enter_context(listener(lab, V4))
        self.data, self.shut = self.flow.getpeername()[1], self.door.getsockname()[1]
        self.ports = set(range(BASE, BASE + 4)) | {self.data, self.shut}
        self.knocking = self.knocker.pid

    def run(self) -> None:
        """SYNs to the dead, by IPv4, IPv6, mapped (as UID), and out of a cgroup; a handshake of which the
        SYN-ACK is lost; data that is lost. When this returns, nothing is sent any more."""
        counters = {space: Counters(space) for space in (self.lab.client, self.lab.server)}
        self.lab.drop(self.lab.server, "tcp dport {}".format(self.data))
        self.lab.drop(self.lab.client, "tcp flags & (syn|ack) == (syn|ack)")
        with ExitStack() as stack:
            for place, ends in enumerate((V4, V6)):
                stack.enter_context(connecting(self.lab.client, ends.dead, BASE + place))
            (owned,) = stack.enter_context(connecting(self.lab.client, MAPPED.dead, BASE + 2))
            os.fchown(owned.fileno(), UID, -1)  # a socket belongs to whom its file belongs to
            stack.enter_context(connecting(self.lab.client, V4.server, self.shut))
            self.knocker.connect()
            self.flow.send(b"x" * 100)
            counters[self.lab.client].wait("TCPSynRetrans", 5)
            counters[self.lab.client].wait("RetransSegs", 8)
            counters[self.lab.server].wait("RetransSegs", 1)
        self.flow.close()
        self.door.close()
        self.knocker.end()
        self.lab.heal(self.lab.server)
        self.lab.heal(self.lab.client)
        self.gained = {space.inode: counter.gained()["RetransSegs"] for space, counter in counters.items()}

    def mine(self, events: List[Any]) -> List[Any]:
        """Also where no namespace is known."""
        spaces = (None, self.lab.client.inode, self.lab.server.inode)
        return [event for event in events if self.ports & {event.sport, event.dport} and event.netns in spaces]


def told(events: List[Any]) -> "Counter[Any]":
    """What two tracers say of the same events."""
    return Counter((event.kind, event.reason, event.local, event.remote, event.seq, event.total_retrans)
                   for event in events)
