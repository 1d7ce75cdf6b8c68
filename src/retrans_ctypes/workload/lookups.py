"""All lookups together: from an event's numbers to its Workload."""

from types import TracebackType
from typing import Any, Container, Dict, List, Optional, Set, Type

from ..event import Event
from ..roots import Roots, cgroup_mounts, host_roots
from .cgroups import find_paths, joined
from .containers import Place, place_of, with_runtime
from .finder import Finder, Patience
from .namespaces import NamespaceName, NamespaceNames
from .pods import Pod, find_pods
from .processes import Key, Process, Processes
from .record import UNKNOWN, Workload
from .users import find_users

ALL = frozenset(field.name for field in Workload.FIELDS)
PLACE_NAMES = {"cgroup", "unit", "container_id", "runtime", "pod_uid", "pod_namespace", "pod_name"}
POD_NAMES = {"pod_namespace", "pod_name"}
NETNS_NAMES = {"netns_name", "netns_pid"}

# Owners that held the socket, so were alive, when the event happened. Of the others (who closed it,
# who listens) the pid may have been somebody else's by then. A last user holds it as long as anybody
# does, which the state tells: closing a socket takes it out of these.
_HOLDS = {"waiting", "lock", "file", "iterator"}
_HELD_STATES = {"ESTABLISHED", "CLOSE_WAIT", "SYN_SENT"}
_ORPHANS_END_NS = 3600 * 1000000000  # a closed socket is given up long before

_FOREVER = float("inf")
_EMPTY: Place = Place("")


class Lookups:
    """Finds the names for events; a context manager, since its threads need an end.

    ``names``: which fields of Workload are wanted; the others cost nothing, and are None unless
    they are known by the way. Memory is bounded: each kind of name has a cache of ``size`` entries.
    Not more than 50 ms at once and 2 % of the time is spent waiting for names; what takes longer is
    None first and known later.
    """

    def __init__(
        self, roots: Optional[Roots] = None, names: Container[str] = ALL, size: int = 4096,
        patience: Optional[Patience] = None,
    ) -> None:
        self._roots = host_roots() if roots is None else roots
        self._wanted = {name for name in ALL if name in names}
        mounts = cgroup_mounts(self._roots)
        self._above = mounts.above or ""
        # The socket's own cgroup id is right only where there is cgroup v2 alone.
        self._tree = None if mounts.v1 or mounts.above is None else mounts.tree
        of_owner = mounts.v1 and self._roots.sees_all_cgroups()
        self._from_process = {"cmdline"} | (PLACE_NAMES if of_owner else set())
        self._pids_match = self._roots.pids_are_the_kernels()
        self._hosts_files = self._roots.are_the_hosts()
        self._finders: List[Finder[Any, Any]] = []
        waits = patience or Patience()

        def finder(find: Any, **options: Any) -> Any:
            made = Finder(find, waits, size, **options)
            self._finders.append(made)
            return made

        namespaces = NamespaceNames(
            self._roots.netns, self._roots.proc if self._pids_match else None)
        processes = Processes(self._roots, places=of_owner)
        self._places: Finder[int, Place] = finder(self._find_places, fresh=_FOREVER)
        self._pods: Finder[str, Pod] = finder(self._find_pods, fresh=_FOREVER)
        self._namespaces: Finder[int, NamespaceName] = finder(
            namespaces.find, still=namespaces.still)
        self._users: Finder[int, str] = finder(self._find_users)
        self._processes: Finder[Key, Process] = finder(processes.find, still=processes.still)

    def workload(self, event: Event) -> Workload:
        """The names for ``event``. Quick; what is not known at this moment is None."""
        wanted = self._wanted
        if not wanted:
            return UNKNOWN
        process = self._process(event) if wanted & self._from_process else None
        place = (self._place(event, process) if wanted & PLACE_NAMES else None) or _EMPTY
        pod = self._pod(event, place) if wanted & POD_NAMES else None
        namespace = self._namespace(event) if wanted & NETNS_NAMES else None
        user = self._user(event) if "user" in wanted else None
        return Workload((
            place.cgroup or None, place.unit, place.container_id, place.runtime, place.pod_uid,
            pod.namespace if pod else None, pod.name if pod else None,
            namespace.name if namespace else None, namespace.pid if namespace else None,
            user, process.cmdline if process else None))

    def close(self) -> None:
        """End the threads."""
        for finder in self._finders:
            finder.close()

    def __enter__(self) -> "Lookups":
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.close()

    def _process(self, event: Event) -> Optional[Process]:
        pid = event.owner_pid
        if pid is None or not self._pids_match:
            return None
        process = self._processes.get((pid, event.owner_comm), event.ts_ns)
        if process is None:
            return None
        how = event.owner_how
        if how in _HOLDS or how == "last_user" and event.state in _HELD_STATES:
            since = event.ts_ns
        elif how in ("close", "last_user"):
            since = event.ts_ns - _ORPHANS_END_NS
        else:
            return None
        return process if process.existed_at(since) else None

    def _place(self, event: Event, process: Optional[Process]) -> Optional[Place]:
        if self._tree is None:
            return process.place if process else None
        cgroup_id = event.cgroup_id
        return None if cgroup_id is None else self._places.get(cgroup_id, event.ts_ns)

    def _pod(self, event: Event, place: Place) -> Optional[Pod]:
        return self._pods.get(place.pod_uid, event.ts_ns) if place.pod_uid else None

    def _namespace(self, event: Event) -> Optional[NamespaceName]:
        netns = event.netns
        return None if netns is None else self._namespaces.get(netns, event.ts_ns)

    def _user(self, event: Event) -> Optional[str]:
        uid = event.uid
        return None if uid is None else self._users.get(uid, event.ts_ns)

    def _find_places(self, ids: Set[int]) -> Dict[int, Place]:
        assert self._tree is not None
        return {number: with_runtime(place_of(joined(self._above, path)), self._roots.tasks)
                for number, path in find_paths(self._tree, ids).items()}

    def _find_pods(self, uids: Set[str]) -> Dict[str, Pod]:
        return find_pods(self._roots.pods, uids)

    def _find_users(self, uids: Set[int]) -> Dict[int, str]:
        if self._roots.passwd is None and not self._hosts_files:
            return {}  # a container's own users
        return find_users(self._roots.passwd, uids)
