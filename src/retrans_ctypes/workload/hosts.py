"""Names of hosts by their addresses, as the system's resolver has them (/etc/hosts, DNS).

Asking may take seconds, so threads do it. Names come from whoever runs the zone of the address: they are
bounded, and those that are no host names are escaped.
"""

import re
import socket
import threading
import time
from collections import OrderedDict, deque
from ipaddress import ip_address
from typing import Callable, Deque, List, Optional, Set, Tuple

from ..background import Background
from .finder import Patience

LONGEST = 253  # RFC 1035
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST_NAME = re.compile(r"%s(?:\.%s)*\Z" % (_LABEL, _LABEL))


def look_up(address: str) -> Optional[str]:
    """Ask the resolver, which may take its time. None where the address has no name."""
    try:
        return socket.getnameinfo((address, 0), socket.NI_NAMEREQD)[0]
    except (OSError, UnicodeError):
        return None


def shown_name(name: Optional[str]) -> Optional[str]:
    """As one word of ASCII. None for one that would pass for an address."""
    name = (name or "")[:LONGEST].rstrip(".")
    if not name:
        return None
    try:
        ip_address(name)
    except ValueError:
        pass
    else:
        return None
    if _HOST_NAME.match(name):
        return name
    return "".join(map(_escaped, name))[:LONGEST]


def _escaped(letter: str) -> str:
    if letter in " \\" or ord(letter) < 32 or ord(letter) == 127:
        return "\\x%02x" % ord(letter)
    return letter.encode("ascii", "backslashreplace").decode()


class HostNames:
    """A cache in front of ``ask``, which gets an address and returns its name.

    get() waits only while ``patience`` lasts, and that is a small share of the time; what is known later
    is there when it is asked for again. At most ``size`` addresses are remembered, the last used ones, for
    ``fresh`` seconds, those without a name for ``retry`` seconds; not more than ``threads`` ask at once.
    """

    def __init__(
        self, ask: Callable[[str], Optional[str]] = look_up, patience: Optional[Patience] = None,
        size: int = 4096, fresh: float = 600.0, retry: float = 60.0, threads: int = 4,
    ) -> None:
        self._ask = ask
        self._patience = patience or Patience(0.02, 0.01)
        self._size = size
        self._fresh = fresh
        self._retry = retry
        self._most = threads
        self._threads: List[Background] = []
        self._known: "OrderedDict[str, Tuple[Optional[str], float]]" = OrderedDict()
        self._waiting: Deque[str] = deque()
        self._wanted: Set[str] = set()  # those that wait, and those that a thread asks about
        self._changed = threading.Condition()
        self._closed = False

    def get(self, address: str) -> Optional[str]:
        """Its name, None while it is not known, or has none."""
        with self._changed:
            known = self._known.get(address)
            if known is None:
                self._want(address)
                self._wait(address)
                known = self._known.get(address)
            elif known[1] < time.monotonic():  # good enough until there is a newer one
                self._want(address)
            if known is None:
                return None
            self._known.move_to_end(address)
            return known[0]

    def __len__(self) -> int:
        return len(self._known)

    def close(self) -> None:
        """End the threads; nobody waits for an answer that one is waiting for."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _wait(self, address: str) -> None:
        left = self._patience.left()
        if address in self._wanted and left > 0:
            began = time.monotonic()
            self._changed.wait_for(lambda: address in self._known, left)
            self._patience.spend(time.monotonic() - began)

    def _want(self, address: str) -> None:
        if self._closed or address in self._wanted or len(self._wanted) >= self._size:
            return
        if len(self._wanted) >= len(self._threads) < self._most:
            thread = Background(self._work)
            if thread.start():  # else it goes on without
                self._threads.append(thread)
        if self._threads:
            self._wanted.add(address)
            self._waiting.append(address)
            self._changed.notify_all()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or bool(self._waiting))
                if self._closed:
                    return
                address = self._waiting.popleft()
            name = shown_name(self._ask(address))
            with self._changed:
                self._wanted.discard(address)
                until = time.monotonic() + (self._retry if name is None else self._fresh)
                self._known[address] = name, until
                while len(self._known) > self._size:
                    self._known.popitem(last=False)
                self._changed.notify_all()
