"""Pod uid -> Kubernetes namespace and name, from the folders that kubelet keeps for the pods' logs."""

import os
from typing import Dict, NamedTuple, Set

from .host_text import text_of


class Pod(NamedTuple):
    namespace: str
    name: str


def find_pods(folder: str, uids: Set[str]) -> Dict[str, Pod]:
    """The folders are called NAMESPACE_NAME_UID; none of the three can hold an underscore."""
    found: Dict[str, Pod] = {}
    for raw in os.listdir(os.fsencode(folder)):
        parts = text_of(raw).split("_")
        if len(parts) == 3 and all(parts) and parts[2] in uids:
            found[parts[2]] = Pod(parts[0], parts[1])
    return found
