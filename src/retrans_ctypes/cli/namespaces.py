"""Two network namespaces with a lossy link between them, and the programs that run there.

Made with ``ip``, and for the loss ``tc`` or ``nft``. Nothing outside the two namespaces changes, and
leaving the context removes both.
"""

import os
import subprocess
import sys
from types import TracebackType
from typing import List, NamedTuple, Optional, Type

from ..errors import RetransError
from .signals import postponed

LOSS_PERCENT = 4
_DEVICE = "veth0"
_PREFIXES = {4: ("192.0.2.%d", 24), 6: ("2001:db8::%d", 64)}  # reserved for examples
_SILENT = 99  # the host number at which nobody answers
_NAMES = "/run/netns/"  # where ip keeps the names

_CANNOT_RUN = 127  # as a shell says it

_NFT_RULES = """
table inet demo {
    chain input {
        type filter hook input priority 0;
        meta l4proto tcp numgen random mod 100 < %d drop
    }
}
""" % LOSS_PERCENT


class Namespace(NamedTuple):
    """``inode`` is what events carry as ``netns``."""

    name: str
    inode: int


class LossyPair:
    """Both namespaces. ``loss`` tells in words how packets get lost; it is None where neither tc's
    netem nor nft work, and then only an unanswered connect makes retransmits."""

    def __init__(self) -> None:
        self.members: List[Namespace] = []
        self.families: List[int] = []
        self.loss: Optional[str] = None
        self._children: List[subprocess.Popen[bytes]] = []

    def __enter__(self) -> "LossyPair":
        try:
            for side in "ab":
                self._add("retrans-demo-%d-%s" % (os.getpid(), side))
            self._link()
            self.loss = self._lose_with_netem() or self._lose_with_nft()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the programs, remove the namespaces."""
        with postponed():
            while self._children:
                child = self._children.pop()
                child.kill()
                child.wait()
            while self.members:
                self._run(["ip", "netns", "del", self.members.pop().name])

    def address(self, family: int, side: int) -> str:
        """Of namespace 0 or 1."""
        return _PREFIXES[family][0] % (side + 1)

    def silent_address(self) -> str:
        """Packets to it leave namespace 0 and are never answered."""
        return _PREFIXES[4][0] % _SILENT

    def start(self, side: int, command: List[str]) -> None:
        """Run a program in a namespace; close() ends it."""
        try:
            # A session of its own: Ctrl-C is for us, and we end our programs ourselves.
            self._children.append(subprocess.Popen(
                ["ip", "netns", "exec", self.members[side].name] + command,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                start_new_session=True))
        except OSError as error:
            raise RetransError("the demo could not start its traffic (%s): see what limits processes"
                               " and open files here (ulimit -a)" % error.strerror)

    def retransmitted(self, side: int) -> int:
        """The kernel's own RetransSegs of that namespace."""
        snmp = self._must(["ip", "netns", "exec", self.members[side].name, sys.executable, "-c",
                           "print(open('/proc/net/snmp').read())"])
        names, values = [line.split() for line in snmp.splitlines() if line.startswith("Tcp:")]
        return int(values[names.index("RetransSegs")])

    def _add(self, name: str) -> None:
        with postponed():
            self._must(["ip", "netns", "add", name])
            try:
                inode = os.stat(_NAMES + name).st_ino
            except OSError as error:
                raise RetransError("'ip netns add' worked, but %s%s is not there (%s): install the"
                                   " package iproute2" % (_NAMES, name, error.strerror))
            self.members.append(Namespace(name, inode))

    def _link(self) -> None:
        first, second = self.members
        self._must(["ip", "-n", first.name, "link", "add", _DEVICE, "type", "veth",
                    "peer", "name", _DEVICE, "netns", second.name])
        for side, member in enumerate(self.members):
            self._must(["ip", "-n", member.name, "link", "set", _DEVICE, "up"])
            self._must(["ip", "-n", member.name, "address", "add",
                        "%s/%d" % (self.address(4, side), _PREFIXES[4][1]), "dev", _DEVICE])
        self._must(["ip", "-n", first.name, "neighbour", "add", self.silent_address(),
                    "lladdr", "02:00:00:00:00:99", "dev", _DEVICE, "nud", "permanent"])
        has_ipv6 = [self._works(["ip", "-n", member.name, "address", "add",
                                 "%s/%d" % (self.address(6, side), _PREFIXES[6][1]),
                                 "dev", _DEVICE, "nodad"])
                    for side, member in enumerate(self.members)]
        self.families = [4, 6] if all(has_ipv6) else [4]

    def _lose_with_netem(self) -> Optional[str]:
        for member in self.members:
            if not self._works(["tc", "-n", member.name, "qdisc", "add", "dev", _DEVICE, "root",
                                "netem", "delay", "5ms", "loss", "%d%%" % LOSS_PERCENT]):
                return None
        return "netem"

    def _lose_with_nft(self) -> Optional[str]:
        for member in self.members:
            self._works(["tc", "-n", member.name, "qdisc", "del", "dev", _DEVICE, "root"])
            if not self._works(["ip", "netns", "exec", member.name, "nft", "-f", "-"], _NFT_RULES):
                return None
        return "nft"

    def _must(self, command: List[str]) -> str:
        done = self._run(command)
        if done.returncode == _CANNOT_RUN:
            raise RetransError("the demo needs the program '%s', which cannot be run (%s): install"
                               " the package iproute2" % (command[0], done.stderr))
        if done.returncode:
            raise RetransError("the demo could not make its network: '%s' said '%s'; it needs root,"
                               " outside of containers that forbid network namespaces"
                               % (" ".join(command), " ".join(done.stderr.split())))
        return done.stdout

    def _works(self, command: List[str], words: str = "") -> bool:
        return self._run(command, words).returncode == 0

    def _run(self, command: List[str], words: str = "") -> "subprocess.CompletedProcess[str]":
        try:
            return subprocess.run(
                command, input=words, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                universal_newlines=True, start_new_session=True)
        except OSError as error:  # not there, not executable, or no descriptor left for its pipes
            return subprocess.CompletedProcess(command, _CANNOT_RUN, "", str(error.strerror))
