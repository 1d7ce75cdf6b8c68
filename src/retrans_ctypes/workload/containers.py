"""What a cgroup's path says about systemd units, containers and Kubernetes pods."""

import os
import re
from typing import List, NamedTuple, Optional, Tuple

_ID = "([0-9a-f]{64})"
_PREFIXES = {"docker": "docker", "cri-containerd": "containerd", "nerdctl": "containerd",
             "crio": "cri-o", "libpod": "podman", "libpod-payload": "podman"}
_PREFIXED = "(%s)[-:]%s" % ("|".join(_PREFIXES), _ID)

# systemd driver: docker-ID.scope. cgroupfs driver: libpod-ID, crio-ID, and ID alone. The last form
# comes from containerd when it runs the cgroupfs driver on a systemd host:
# kubepods-besteffort-podUID.slice:cri-containerd:ID
_NAMED = re.compile(r"%s(?:\.scope)?$" % _PREFIXED)
_COLONS = re.compile(r"[^:]+\.slice:%s$" % _PREFIXED)
_BARE = re.compile(_ID + "$")
_BARE_PARENTS = {"docker": "docker", "moby": "docker", "default": "containerd"}

_TASKS = {"k8s.io": "containerd", "default": "containerd", "moby": "docker"}

_POD = re.compile(r"(?:^|-)pod([0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}|[0-9a-f]{32})"
                  r"(?:\.slice(?::.*)?)?$")
_UNIT = re.compile(r".+\.(?:service|scope|socket|mount|swap)$")


class Place(NamedTuple):
    """A cgroup, and what its path says."""

    cgroup: str
    unit: Optional[str] = None
    container_id: Optional[str] = None
    runtime: Optional[str] = None
    pod_uid: Optional[str] = None


def place_of(path: str) -> Place:
    """Read a path from its end: with containers in containers, the innermost counts."""
    parts = path.split("/")
    depth, container_id, runtime = _container(parts)
    # What lies deeper than the container's own cgroup, the container named as it liked.
    outside = parts[:depth + 1]
    return Place(path, _unit(outside), container_id, runtime, _pod(outside))


def _container(parts: List[str]) -> Tuple[int, Optional[str], Optional[str]]:
    """(index of its part, id, runtime)"""
    for index in range(len(parts) - 1, 0, -1):
        match = _NAMED.match(parts[index]) or _COLONS.match(parts[index])
        if match:
            return index, match.group(2), _PREFIXES[match.group(1)]
        if _BARE.match(parts[index]):
            return index, parts[index], _BARE_PARENTS.get(parts[index - 1])
    return len(parts), None, None


def _unit(parts: List[str]) -> Optional[str]:
    for part in reversed(parts):
        if _UNIT.match(part):
            # systemd puts _ before a name that the kernel would take for one of its files.
            return part[1:] if part.startswith("_") else part
    return None


def _pod(parts: List[str]) -> Optional[str]:
    """Below user@UID.service cgroups have the names that the user gives them."""
    if not any("kubepods" in part for part in parts) or any(part.startswith("user@") for part in parts):
        return None
    for part in reversed(parts):
        match = _POD.search(part)
        if match:
            return match.group(1).replace("_", "-")
    return None


def with_runtime(place: Place, tasks: str) -> Place:
    """Where the path has only the id, containerd's own list tells; docker's is called moby there."""
    if place.container_id is None or place.runtime is not None:
        return place
    for namespace, runtime in _TASKS.items():
        if os.path.isdir(os.path.join(tasks, namespace, place.container_id)):
            return place._replace(runtime=runtime)
    return place
