"""Times in which a remote did not answer: timeouts that follow one another."""

from socket import AF_INET, AF_INET6, inet_ntop
from typing import Dict, List, NamedTuple, Tuple


class Silence(NamedTuple):
    """From when the oldest data was sent until it was sent again for the last time."""

    remote: str
    begin_ns: int
    end_ns: int
    timeouts: int

    @property
    def span_us(self) -> int:
        return (self.end_ns - self.begin_ns) // 1000


class Silences:
    """The longest one of each remote, for so many remotes."""

    LEAST_US = 1000000
    """A timeout counts when data has waited that long."""

    MOST = 4096
    _JOIN_NS = 10**9  # what lies between two that are one
    _MOST_HEARD = 65536

    def __init__(self) -> None:
        self._heard: Dict[Tuple[int, bytes], int] = {}  # remote -> when
        self._now: Dict[Tuple[int, bytes], List[int]] = {}  # remote -> begin, end, timeouts
        self._longest: Dict[Tuple[int, bytes], List[int]] = {}

    def heard(self, family: int, daddr: bytes, at_ns: int) -> None:
        """The remote answered: whatever else timed out meanwhile, it was not silent."""
        remote = family, daddr
        if len(self._heard) >= self._MOST_HEARD:
            self._heard.clear()
        self._heard[remote] = at_ns
        self._now.pop(remote, None)

    def add(self, family: int, daddr: bytes, begin_ns: int, end_ns: int) -> None:
        """Data that was sent at ``begin_ns`` timed out at ``end_ns``."""
        remote = family, daddr
        if self._heard.get(remote, begin_ns) > begin_ns:
            return
        now = self._now.get(remote)
        if now is None and len(self._now) >= self.MOST:
            return
        if now is None or begin_ns > now[1] + self._JOIN_NS:
            now = self._now[remote] = [begin_ns, end_ns, 0]
        now[0] = min(now[0], begin_ns)
        now[1] = max(now[1], end_ns)
        now[2] += 1
        longest = self._longest.get(remote)
        if longest is None or now[1] - now[0] > longest[1] - longest[0]:
            self._longest[remote] = now

    def longest(self) -> List[Silence]:
        """One for each remote, first the longest."""
        found = [Silence(_text(*remote), *silence) for remote, silence in self._longest.items()]
        return sorted(found, key=lambda silence: (silence.begin_ns - silence.end_ns, silence.remote))


def _text(family: int, daddr: bytes) -> str:
    return inet_ntop(AF_INET, daddr[:4]) if family == 4 else inet_ntop(AF_INET6, daddr)
