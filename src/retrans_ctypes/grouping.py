"""By what events can be grouped: the same names in ``top``, ``report``, ``metrics`` and ``count``."""

from ipaddress import ip_network
from typing import Callable, Dict, NamedTuple, Optional, Tuple

from .counts import PREFIX4, PREFIX6
from .event import Event
from .workload import Enriched

UNKNOWN = "unknown"

Key = Callable[[Enriched], Optional[str]]


class Grouping(NamedTuple):
    """One way to group."""

    name: str
    many: str
    """What several groups are called."""
    key: Key
    """An event's group, as text that may hold anything; None where it is not known."""
    names: Tuple[str, ...] = ()
    """The fields of Workload that this needs."""


def _text(value: Optional[int]) -> Optional[str]:
    return None if value is None else str(value)


def flow(record: Enriched) -> str:
    """Both ends, the local one first."""
    return "%s -> %s" % (record.event.local, record.event.remote)


def _process(record: Enriched) -> Optional[str]:
    event = record.event
    return None if event.owner_pid is None else "%s (%d)" % (event.owner_comm, event.owner_pid)


def _container(record: Enriched) -> Optional[str]:
    names = record.workload
    if names.pod_name is not None:
        return "%s/%s" % (names.pod_namespace, names.pod_name)
    if names.container_id is None:
        return None
    return "%s:%s" % (names.runtime or "?", names.container_id[:12])


def _netns(record: Enriched) -> Optional[str]:
    return record.workload.netns_name or _text(record.event.netns)


def _user(record: Enriched) -> Optional[str]:
    return record.workload.user or _text(record.event.uid)


class _Prefixes(Dict[str, str]):
    """Address -> its prefix. Remembers so many."""

    MOST = 16384

    def __init__(self, prefix4: int, prefix6: int) -> None:
        super().__init__()
        self._bits = {4: prefix4, 6: prefix6}

    def __missing__(self, address: str) -> str:
        if len(self) >= self.MOST:
            self.clear()
        version = 6 if ":" in address else 4
        text = self[address] = str(ip_network("%s/%d" % (address, self._bits[version]), strict=False))
        return text


def by_prefix(prefix4: int = PREFIX4, prefix6: int = PREFIX6) -> Grouping:
    """Remote prefixes of these lengths, in bits."""
    prefixes = _Prefixes(prefix4, prefix6)
    return Grouping("prefix", "prefixes", lambda record: prefixes[record.event.daddr])


GROUPINGS: Dict[str, Grouping] = {grouping.name: grouping for grouping in (
    Grouping("flow", "flows", flow),
    Grouping("remote", "remotes", lambda record: record.event.daddr),
    by_prefix(),
    Grouping("lport", "ports", lambda record: str(record.event.sport)),
    Grouping("rport", "ports", lambda record: str(record.event.dport)),
    Grouping("pid", "processes", _process),
    Grouping("container", "containers", _container,
             ("container_id", "runtime", "pod_uid", "pod_namespace", "pod_name")),
    Grouping("unit", "units", lambda record: record.workload.unit, ("unit",)),
    Grouping("cgroup", "cgroups", lambda record: record.workload.cgroup, ("cgroup",)),
    Grouping("netns", "namespaces", _netns, ("netns_name",)),
    Grouping("user", "users", _user, ("user",)),
    Grouping("reason", "reasons", lambda record: record.event.reason),
)}


def socket_key(event: Event) -> Tuple[Optional[int], str, str]:
    """What tells one connection from another: cumulative fields such as bytes_sent go by this."""
    return event.netns, event.local, event.remote
