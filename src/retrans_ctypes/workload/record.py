"""The names that belong to an event, and the event together with them."""

from operator import itemgetter
from typing import TYPE_CHECKING, Any, Dict, Mapping, NamedTuple, Optional, Tuple

from ..event import Event
from ..records import Field, Getter, Record

if TYPE_CHECKING:
    _Values = Tuple[Any, ...]
else:
    _Values = tuple  # typing.Tuple would make each one slower to create on Python 3.6


def _name(doc: str, source: str, json_type: str = "string") -> "Field[Any]":
    """A value that user space found; it has no place in the native struct."""
    def make_getter(place: int, places: Mapping[str, int]) -> Getter:
        return itemgetter(place)
    return Field("", "", doc, source, make_getter, json_type=json_type, optional=True)


class Workload(Record, _Values):
    """Names for one event's numbers. Immutable; what is not known is None."""

    __slots__ = ()

    cgroup: "Field[Optional[str]]" = _name(
        "Path of the cgroup below its mount point: of the socket's where the host has cgroup v2 only,"
        " else of the owner's", "/sys/fs/cgroup; /proc/PID/cgroup")
    unit: "Field[Optional[str]]" = _name(
        "systemd unit, such as `nginx.service`", "cgroup")
    container_id: "Field[Optional[str]]" = _name(
        "Container, in full (64 digits)", "cgroup")
    runtime: "Field[Optional[str]]" = _name(
        "Who runs the container: `docker`, `containerd`, `cri-o`, `podman`",
        "cgroup; /run/containerd")
    pod_uid: "Field[Optional[str]]" = _name(
        "Kubernetes pod", "cgroup")
    pod_namespace: "Field[Optional[str]]" = _name(
        "The pod's Kubernetes namespace", "/var/log/pods")
    pod_name: "Field[Optional[str]]" = _name(
        "The pod's name", "/var/log/pods")
    netns_name: "Field[Optional[str]]" = _name(
        "Name of the network namespace as `ip netns` has it; `host` for that of process 1",
        "/run/netns")
    netns_pid: "Field[Optional[int]]" = _name(
        "A process in the network namespace, where that has no name", "/proc/PID/ns/net", "integer")
    user: "Field[Optional[str]]" = _name(
        "What this host calls uid; a container may call it otherwise", "/etc/passwd")
    cmdline: "Field[Optional[str]]" = _name(
        "The owner's command line, up to 4,096 bytes", "/proc/PID/cmdline")


UNKNOWN = Workload((None,) * len(Workload.FIELDS))


class Enriched(NamedTuple):
    """An event and its names."""

    event: Event
    workload: Workload

    def to_dict(self) -> Dict[str, Any]:
        """All public fields by name, ready for JSON."""
        fields = self.event.to_dict()
        fields.update(self.workload.to_dict())
        return fields


def enrich(event: Event, lookups: Any) -> Enriched:
    """``event`` with the names that ``lookups`` (a Lookups, or its like) has for it."""
    return Enriched(event, lookups.workload(event))
