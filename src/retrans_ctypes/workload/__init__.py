"""Whose retransmit it is: container, pod, systemd unit, namespace, user and command line.

    from retrans_ctypes import Tracer
    from retrans_ctypes.workload import Lookups, enrich

    with Tracer() as tracer, Lookups() as lookups:
        for event in tracer:
            print(enrich(event, lookups).workload.pod_name)

The kernel gives numbers (a cgroup id, a namespace's inode, a uid, a pid); the names come from this
host's files. They are right or None: a name is given only where it belonged to that number when the
event happened.
"""

from ..roots import Roots, host_roots
from .lookups import Lookups
from .record import UNKNOWN, Enriched, Workload, enrich

__all__ = ["Enriched", "Lookups", "Roots", "UNKNOWN", "Workload", "enrich", "host_roots"]
