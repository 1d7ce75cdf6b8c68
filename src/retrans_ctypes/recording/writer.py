"""What all that write a recording have in common, and what they write about it."""

import os
import time
from typing import Any, Dict, Optional

from .. import __version__
from ..capabilities import Capabilities
from ..records import Buffer
from ..workload import Workload
from .session import Session

BOOT_ID = "/proc/sys/kernel/random/boot_id"


class Writer:
    """Writes one session into one file."""

    path = ""
    events = 0
    """Written so far, in this session."""
    kept = 0
    """Of these, those that outlive this process."""

    def write(self, batch: Buffer, offset_ns: int, same: Optional[Workload] = None) -> None:
        """Packed events, and what the wall clock is ahead of CLOCK_MONOTONIC. ``same``: names that all of
        them have, where nobody looks them up."""
        raise NotImplementedError

    def size(self) -> int:
        """Bytes that the file has, with those that wait to be written."""
        raise NotImplementedError

    def keep(self, stats: Dict[str, Any], ledger: Optional[Dict[str, Any]]) -> None:
        """From here on, what was written outlives this process. ``ledger`` None: as it was."""
        raise NotImplementedError

    def end(
        self, stats: Dict[str, Any], ledger: Optional[Dict[str, Any]], ended_ns: Optional[int] = None,
    ) -> None:
        """End the session, now or ``ended_ns`` after the epoch, and close the file."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the file, whatever state it is in; again: nothing."""
        raise NotImplementedError


def this_session(able: Capabilities, chosen: Optional[str]) -> Session:
    """A session of this host that begins now. ``chosen``: the filter, as it was typed."""
    about = os.uname()
    return Session(
        number=0, host=clean(about.nodename), kernel=clean("%s %s" % (about.release, about.machine)),
        boot_id=_boot_id(), version=__version__, attach=able.attach, buffer=able.buffer, missing=able.missing,
        filter=None if chosen is None else clean(chosen), started_ns=None, ended_ns=None, stats=None, ledger=None)


def now_ns() -> int:
    """Since the epoch."""
    return int(time.time() * 1e9)


def clean(text: str) -> str:
    """What is no UTF-8 as \\udcNN: an option or a name of the host may hold anything."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _boot_id() -> Optional[str]:
    try:
        with open(BOOT_ID, encoding="ascii") as file:
            return file.read().strip()
    except (OSError, ValueError):
        return None
