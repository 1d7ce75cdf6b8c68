"""What a tracer counted. Mirrors structs of libtcpretrans.h: same names, same order."""

from typing import Any, List, Mapping, NamedTuple


class Stats(NamedTuple):
    """Counts since the tracer was opened, made in the kernel where things happen."""

    events: int
    """Events written into the ring buffer."""
    segs: int
    """Segments in them that were sent."""
    failed: int
    """Those of the events that the kernel could not send (``err`` is not 0)."""
    lost: int
    """Events lost because the ring buffer was full."""
    lost_segs: int
    """Segments in the lost events."""
    filtered: int
    """Events that the filter kept back."""
    filtered_segs: int
    """Segments in the events that the filter kept back."""
    missed: int
    """Times the kernel skipped a program because it was already running on that CPU."""
    drained: int
    """Events handed to this process."""
    failed_segs: int
    """Segments that the kernel counted although it could not send them."""
    skipped_segs: int
    """Segments for which the kernel did not call the programs."""
    limited: int
    """Events that the rate limit kept back."""
    limited_segs: int
    """Segments in the events that the rate limit kept back."""

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> "Stats":
        """The counts that _asdict() gave ``fields`` of. Raises ValueError where it gave no such."""
        values: List[Any] = [fields.get(name) for name in cls._fields]
        if not all(map(is_count, values)):
            raise ValueError("counts that are no numbers of 64 bits")
        return cls(*values)


def is_count(value: Any) -> bool:
    """Whether it is a whole number of 64 bits, as everything is that is counted here; files may hold others."""
    return type(value) is int and -1 << 63 <= value < 1 << 63


class NetnsCount(NamedTuple):
    """What the programs counted in one namespace. Mirrors struct tcpretrans_netns."""

    cookie: int
    netns: int
    reserved: int
    events: int
    segs: int
    failed_segs: int
    lost_segs: int
    filtered_segs: int
    skipped_segs: int
    limited_segs: int
