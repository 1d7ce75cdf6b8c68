"""Filters for events that were recorded: judged here, as the kernel judges them while tracing.

    from retrans_ctypes.filter_match import RecordedFilter
    from retrans_ctypes.recording import open_recording

    matches = RecordedFilter(remote="10.0.0.0/8", netns="blue").matcher()
    with open_recording("retrans.db") as recording:
        for run in recording.runs():
            print([record.event for record in run.enriched() if matches(*record)])
"""

from ipaddress import ip_address
from typing import Any, Callable, Dict, Iterable, List, Optional, Set, Tuple

from .errors import FilterError
from .event import Event
from .filters import Filter, Network, Ranges, cgroup_number, is_name, netns_number, user_number
from .workload import Workload

Matches = Callable[[Event, Workload], bool]

_CGROUP_MOUNTS = ("/sys/fs/cgroup/unified", "/sys/fs/cgroup")
_NETNS_FOLDERS = ("/run/netns/", "/var/run/netns/")
_MOST = 16384  # addresses whose answer is remembered


class RecordedFilter(Filter):
    """A Filter whose names are those that were found while recording, not this host's.

    ``cgroup``: a path, and those below it; by number only that very cgroup, as no recording tells which lie
    below it. ``netns``: a name or an inode. ``uid``: a name or a number.
    """

    __slots__ = ()

    @staticmethod
    def _cgroup(value: Any) -> Any:
        if not is_name(value):
            return cgroup_number(value)
        for mount in _CGROUP_MOUNTS:
            if (value + "/").startswith(mount + "/"):
                value = value[len(mount):]
                break
        return "/" + value.strip("/")

    @staticmethod
    def _netns(value: Any) -> Any:
        if not is_name(value):
            return netns_number(value)
        for folder in _NETNS_FOLDERS:
            if value.startswith(folder):
                value = value[len(folder):]
        if "/" in value or not value:
            raise FilterError("%.255r is no network namespace of a recording: those have a name, or an inode" % value)
        return value

    @staticmethod
    def _uid(value: Any) -> Any:
        return value if is_name(value) else user_number(value)

    def matcher(self) -> Matches:
        """What tells of an event and its names whether it passes."""
        only = _conditions(self)
        never = [] if self.never is None else _conditions(self.never)
        return lambda event, names: (
            all(condition(event, names) for condition in only)
            and not any(condition(event, names) for condition in never))


def _conditions(filter: Filter) -> List[Matches]:
    """Those that it has, cheap ones first. What is not known fulfils none."""
    found: List[Matches] = []
    if filter.family is not None:
        family = filter.family
        found.append(lambda event, names: event.family == family)
    found += _of_ports(filter)
    if filter.state:
        states = set(filter.state)
        found.append(lambda event, names: event.state in states)
    if filter.reason:
        reasons = set(filter.reason)
        found.append(lambda event, names: event.reason in reasons)
    if filter.min_stall_ms is not None:
        least = filter.min_stall_us()
        found.append(lambda event, names: (event.stall_us or 0) >= least)
    if filter.pid:
        pids = set(filter.pid)
        found.append(lambda event, names: event.owner_pid in pids)
    if filter.netns:
        inodes, spaces = _numbers(filter.netns), _names(filter.netns)
        found.append(lambda event, names: event.netns in inodes or names.netns_name in spaces)
    if filter.uid:
        uids, users = _numbers(filter.uid), _names(filter.uid)
        found.append(lambda event, names: event.uid in uids or names.user in users)
    if filter.cgroup:
        ids, below = _numbers(filter.cgroup), _Paths(_names(filter.cgroup))
        found.append(lambda event, names: event.cgroup_id in ids or below[names.cgroup])
    return found + _of_addresses(filter)


def _of_ports(filter: Filter) -> List[Matches]:
    found: List[Matches] = []
    if filter.local_ports:
        local = _ports(filter.local_ports)
        found.append(lambda event, names: bool(local[event.sport]))
    if filter.remote_ports:
        remote = _ports(filter.remote_ports)
        found.append(lambda event, names: bool(remote[event.dport]))
    if filter.ports:
        either = _ports(filter.ports)
        found.append(lambda event, names: bool(either[event.sport] or either[event.dport]))
    return found


def _of_addresses(filter: Filter) -> List[Matches]:
    found: List[Matches] = []
    if filter.local:
        local = _Networks(filter.local)
        found.append(lambda event, names: local[event.saddr])
    if filter.remote:
        remote = _Networks(filter.remote)
        found.append(lambda event, names: remote[event.daddr])
    if filter.address:
        either = _Networks(filter.address)
        found.append(lambda event, names: either[event.saddr] or either[event.daddr])
    return found


def _ports(ranges: Ranges) -> bytearray:
    """1 for each port that is in one of them."""
    table = bytearray(1 << 16)
    for first, last in ranges:
        table[first:last + 1] = b"\1" * (last + 1 - first)
    return table


def _numbers(members: Iterable[Any]) -> Set[Optional[int]]:
    return {member for member in members if not isinstance(member, str)}


def _names(members: Iterable[Any]) -> Set[Optional[str]]:
    return {member for member in members if isinstance(member, str)}


class _Networks(Dict[str, bool]):
    """Address -> whether it is in one of the networks. Remembers so many."""

    def __init__(self, networks: Iterable[Network]) -> None:
        super().__init__()
        self._starts: Dict[Tuple[int, int], Set[int]] = {}  # by IP version and bits behind the prefix
        for network in networks:
            left = network.max_prefixlen - network.prefixlen
            self._starts.setdefault((network.version, left), set()).add(int(network.network_address) >> left)

    def __missing__(self, text: str) -> bool:
        if len(self) >= _MOST:
            self.clear()
        address = ip_address(text)
        number = int(address)
        found = self[text] = any(version == address.version and number >> left in starts
                                 for (version, left), starts in self._starts.items())
        return found


class _Paths(Dict[Optional[str], bool]):
    """Path of a cgroup -> whether it is one of these, or below one."""

    def __init__(self, tops: Iterable[Optional[str]]) -> None:
        super().__init__({None: False})
        self._tops = tuple((top or "").rstrip("/") + "/" for top in tops)

    def __missing__(self, path: str) -> bool:
        if len(self) >= _MOST:
            self.clear()
            self[None] = False
        found = self[path] = (path.rstrip("/") + "/").startswith(self._tops)
        return found
