"""Where tracefs is: the folder that lists the kernel's tracepoints, which `--attach tp` needs."""

import os
from typing import List, NamedTuple, Optional, Tuple

from .reading import because

_PLACES = ("/sys/kernel/tracing", "/sys/kernel/debug/tracing")
_HOSTS = ("", "/host")  # a debug container has the host's root folder at the latter
OURS = "events/tcp/tcp_retransmit_skb"


class Place(NamedTuple):
    """``state``: ``usable``, ``empty`` (nothing is mounted there), ``missing``, or ``closed`` (to
    us), with the kernel's ``problem``."""

    path: str
    state: str
    problem: Optional[str] = None


class Tracefs(NamedTuple):
    """``path``: the first usable place, after which nothing else is looked at (the kernel mounts some
    places by itself as soon as somebody looks). ``tracepoint``: whether tcp_retransmit_skb is there."""

    path: Optional[str]
    tracepoint: bool
    places: Tuple[Place, ...]


def tracefs(root: str = "") -> Tracefs:
    looked: List[Place] = []
    for path in [root + host + place for host in _HOSTS for place in _PLACES]:
        looked.append(_look(path))
        if looked[-1].state == "usable":
            there = os.access(os.path.join(path, OURS, "id"), os.R_OK)
            return Tracefs(path, there, tuple(looked))
    return Tracefs(None, False, tuple(looked))


def _look(path: str) -> Place:
    try:
        os.listdir(os.path.join(path, "events"))
        with open(os.path.join(path, "events", "header_page"), "rb"):
            return Place(path, "usable")
    except (FileNotFoundError, NotADirectoryError):
        # Without events/ it is the folder to mount it on. debugfs is often one nobody else enters.
        try:
            os.listdir(path)
            return Place(path, "empty")
        except FileNotFoundError:
            return Place(path, "missing")
        except OSError as error:
            return Place(path, "closed", because(error))
    except OSError as error:
        return Place(path, "closed", because(error))
