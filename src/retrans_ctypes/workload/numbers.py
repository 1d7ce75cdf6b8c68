"""Names of pids and cgroups by themselves, where there is no event that they belong to."""

import os
from typing import Dict, Iterable, Optional

from ..roots import Roots, cgroup_mounts, host_roots
from .cgroups import find_paths, joined
from .host_text import text_of


def commands(pids: Iterable[int], roots: Optional[Roots] = None) -> Dict[int, str]:
    """pid -> what its process calls itself now; those that ended, or cannot be told, are left out.

    For pids as the kernel has them (in the initial pid namespace).
    """
    roots = host_roots() if roots is None else roots
    found: Dict[int, str] = {}
    if not roots.pids_are_the_kernels():
        return found
    for pid in pids:
        try:
            with open(os.path.join(roots.proc, str(pid), "comm"), "rb") as file:
                raw = file.read(64)
        except OSError:  # it ended
            continue
        name = text_of(raw[:-1])
        if name:
            found[pid] = name
    return found


def cgroup_paths(ids: Iterable[int], roots: Optional[Roots] = None) -> Dict[int, str]:
    """id -> path of the cgroup below its mount point; those that are gone are left out."""
    mounts = cgroup_mounts(host_roots() if roots is None else roots)
    if mounts.tree is None:
        return {}
    return {number: joined(mounts.above or "", path)
            for number, path in find_paths(mounts.tree, set(ids)).items()}
