"""Which events to see. What a filter keeps back is still counted: ``Stats.filtered``."""

import ipaddress
import math
import re
from typing import Any, Callable, Iterable, List, NamedTuple, Optional, Tuple, Union

from .errors import FilterError
from .event import REASONS, STATES
from .filter_names import cgroup_id, netns_inode, user_id

Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]
Port = Union[int, str]
Ports = Union[Port, Iterable[Port]]
Address = Union[str, ipaddress.IPv4Address, ipaddress.IPv6Address, Network]
Addresses = Union[Address, Iterable[Address]]
Numbers = Union[int, str, Iterable[Union[int, str]]]
Names = Union[str, Iterable[str]]

Ranges = Tuple[Tuple[int, int], ...]

_REASONS = [(number, name) for number, name in REASONS.items() if name]
_MOST_DIGITS = 4300  # of a number: Python takes no longer ones
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")


class _Fields(NamedTuple):
    ports: Ranges = ()
    local_ports: Ranges = ()
    remote_ports: Ranges = ()
    address: Tuple[Network, ...] = ()
    local: Tuple[Network, ...] = ()
    remote: Tuple[Network, ...] = ()
    family: Optional[int] = None
    pid: Tuple[int, ...] = ()
    cgroup: Tuple[int, ...] = ()
    netns: Tuple[int, ...] = ()
    uid: Tuple[int, ...] = ()
    state: Tuple[str, ...] = ()
    reason: Tuple[str, ...] = ()
    min_stall_ms: Optional[float] = None
    never: Optional["Filter"] = None


class Filter(_Fields):
    """Conditions, all of which an event must fulfil; one with a list, by any of its members.

        Filter(ports=[80, "8000-8099"], remote="10.0.0.0/8", never=Filter(uid="nobody"))

    ``ports``, ``address``: of either end; ``local_ports``, ``remote_ports``, ``local``, ``remote``: of
    one. Ports are numbers or ranges such as '8000-8099'; addresses are single ones or networks in CIDR
    notation. ``family``: 4 or 6, IPv4-mapped IPv6 is 4. ``pid``: the owner's, in the initial pid
    namespace. ``cgroup``: the socket's or one above it, by path or inode. ``netns``: name below
    /run/netns, 'host', path or inode. ``uid``: number or name. ``state``, ``reason``: as in Event.
    ``min_stall_ms``: the data waited that many milliseconds, or longer. Strings may hold several, with
    commas between (paths of cgroups aside).

    ``never``: another filter; an event that fulfils any of its conditions is kept back. What is not
    known of an event fulfils no condition.

    Immutable, and checked when made: FilterError says what cannot be. Names are looked up then.
    """

    __slots__ = ()

    def __new__(
        cls, *, ports: Optional[Ports] = None, local_ports: Optional[Ports] = None,
        remote_ports: Optional[Ports] = None, address: Optional[Addresses] = None,
        local: Optional[Addresses] = None, remote: Optional[Addresses] = None,
        family: Optional[int] = None, pid: Optional[Numbers] = None,
        cgroup: Optional[Numbers] = None, netns: Optional[Numbers] = None,
        uid: Optional[Numbers] = None, state: Optional[Names] = None,
        reason: Optional[Names] = None, min_stall_ms: Optional[float] = None,
        never: Optional["Filter"] = None,
    ) -> "Filter":
        if family not in (None, 4, 6):
            raise FilterError("there is no IP version %.60r to filter by: use 4 or 6" % (family,))
        if never is not None and (not isinstance(never, Filter) or never.never is not None):
            raise FilterError("never must be a Filter without one of its own, not %.60r" % (never,))
        return super().__new__(
            cls, family=family, min_stall_ms=_stall(min_stall_ms), never=never or None,
            ports=_list("ports", ports, _ports),
            local_ports=_list("local_ports", local_ports, _ports),
            remote_ports=_list("remote_ports", remote_ports, _ports),
            address=_list("address", address, _network), local=_list("local", local, _network),
            remote=_list("remote", remote, _network), pid=_list("pid", pid, _pid),
            cgroup=_list("cgroup", cgroup, cls._cgroup, commas=False),
            netns=_list("netns", netns, cls._netns), uid=_list("uid", uid, cls._uid),
            state=_list("state", state, _state), reason=_list("reason", reason, _reason))

    def __bool__(self) -> bool:
        """Whether there is any condition."""
        return any(self)

    def __reduce__(self) -> Any:
        return type(self)._make, (tuple(self),)

    # What stands for a number here; a filter for what happened elsewhere does without this host.

    @staticmethod
    def _cgroup(value: Any) -> Any:
        return cgroup_id(value) if is_name(value) else cgroup_number(value)

    @staticmethod
    def _netns(value: Any) -> Any:
        return netns_inode(value) if is_name(value) else netns_number(value)

    @staticmethod
    def _uid(value: Any) -> Any:
        return user_id(value) if is_name(value) else user_number(value)

    def state_bits(self) -> int:
        """A bit for each number of a state."""
        return sum(1 << number for number, name in STATES.items() if name in self.state)

    def reason_bits(self) -> int:
        """A bit for each number of a reason."""
        return sum(1 << number for number, name in _REASONS if name in self.reason)

    def min_stall_us(self) -> int:
        """In microseconds; 0 where it does not matter."""
        return 0 if self.min_stall_ms is None else max(1, int(self.min_stall_ms * 1000))


def _list(name: str, given: Any, convert: Callable[[Any], Any], commas: bool = True) -> Tuple[Any, ...]:
    """Each once, in the order given."""
    if given is None:
        return ()
    single = isinstance(given, (int, str, float)) or hasattr(given, "max_prefixlen")
    members: List[Any] = []
    try:
        for one in (given,) if single else given:
            members += one.split(",") if commas and isinstance(one, str) else [one]
    except TypeError:
        raise FilterError("%s cannot be %.60r" % (name, given))
    if not members:
        raise FilterError(
            "the list of %s is empty, so that nothing could pass; leave it out, or name one" % name)
    return tuple(dict.fromkeys(
        convert(one.strip() if isinstance(one, str) else one) for one in members))


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: Any, what: str, first: int, bits: int) -> int:
    number = int(value) if isinstance(value, str) and _digits(value) else value
    if not _is_number(number) or not first <= number < 1 << bits:
        raise FilterError("%.60r is no %s: those are numbers from %d to %d" % (
            value, what, first, (1 << bits) - 1))
    return int(number)


def _digits(text: str) -> bool:
    return re.match(r"[0-9]{1,%d}\Z" % _MOST_DIGITS, text) is not None


def _ports(value: Any) -> Tuple[int, int]:
    if isinstance(value, str) and "-" in value:
        first, _, last = value.partition("-")
        if not first or not last:
            raise FilterError("%.60r is no range of ports: write it as 80-90" % value)
        ends = _number(first, "port", 0, 16), _number(last, "port", 0, 16)
        if ends[0] > ends[1]:
            raise FilterError("the ports %.60s go down; write %d-%d" % (value, ends[1], ends[0]))
        return ends
    port = _number(value, "port", 0, 16)
    return port, port


def _network(value: Any) -> Network:
    try:
        network = ipaddress.ip_network(value) if not isinstance(value, int) and "%" not in str(value) else None
    except ValueError:
        network = None
    if network is None:
        raise FilterError("%.60r is no address and no network: %s" % (
            value if isinstance(value, int) else str(value), _advice(value)))
    if network.prefixlen >= 96 and network.network_address in _MAPPED:
        return ipaddress.IPv4Network((network.network_address.packed[12:], network.prefixlen - 96))
    return network


def _advice(value: Any) -> str:
    """What is wrong with an address."""
    try:
        meant = ipaddress.ip_network(str(value), strict=False)
    except (ValueError, TypeError):
        return "write it as 192.0.2.1, 192.0.2.0/24, 2001:db8::1 or 2001:db8::/32"
    if "%" in str(value):
        return "events name no interface; leave the part from % on away"
    return "it has bits set beyond the first %d; write %s, or %s for the one address" % (
        meant.prefixlen, meant, str(value).split("/")[0])


def _pid(value: Any) -> int:
    return _number(value, "process", 1, 22)


def is_name(value: Any) -> bool:
    """Whether it is no number, nor written as one."""
    return isinstance(value, str) and not _digits(value)


def cgroup_number(value: Any) -> int:
    return _number(value, "cgroup", 1, 64)


def netns_number(value: Any) -> int:
    return _number(value, "network namespace", 1, 32)


def user_number(value: Any) -> int:
    return _number(value, "user", 0, 32)


def _state(value: Any) -> str:
    names = [name for _, name in STATES.items()]
    if not isinstance(value, str) or value.upper() not in names:
        raise FilterError("there is no state %.60r; use one of %s" % (value, ", ".join(names)))
    return value.upper()


def _reason(value: Any) -> str:
    names = [name for _, name in _REASONS]
    if not isinstance(value, str) or value.lower() not in names:
        raise FilterError("there is no reason %.60r; use one of %s" % (value, ", ".join(names)))
    return value.lower()


def _stall(value: Any) -> Optional[float]:
    if value is None:
        return None
    try:
        number = float(value)
    except (OverflowError, TypeError, ValueError):
        number = math.nan
    if not 0 < number < 1e12:
        raise FilterError("min_stall_ms must be milliseconds above 0, not %.60r" % (value,))
    return number
