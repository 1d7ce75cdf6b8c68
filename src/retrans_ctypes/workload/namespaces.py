"""Network namespace -> its name, or a process in it."""

import os
import re
from typing import Dict, Iterator, NamedTuple, Optional, Set

from .host_text import text_of

HOST = "host"
_FIRST = 4026531833  # NET_NS_INIT_INO since Linux 6.17; before, the number was not fixed
_LINK = re.compile(r"net:\[([0-9]{1,20})\]\Z")
_PID = re.compile(r"[1-9][0-9]{0,19}\Z")


class NamespaceNames:
    """Looks below ``folder`` (/run/netns), then through the processes in ``proc``, if given."""

    def __init__(self, folder: str, proc: Optional[str]) -> None:
        self._folder = os.fsencode(folder)
        self._proc = proc
        self._hosts = self._of_process("1")  # now, as it may be hidden once rights are dropped

    def find(self, inodes: Set[int]) -> Dict[int, "NamespaceName"]:
        found: Dict[int, NamespaceName] = {}
        for first in (_FIRST, self._hosts):
            if first in inodes:
                found[first] = NamespaceName(HOST, None, b"")
        for file in self._files():
            inode = self._of_file(file)
            # Somebody may have called another namespace 'host'; that would be mistaken.
            if inode in inodes and inode not in found and file != HOST.encode():
                found[inode] = NamespaceName(text_of(file), None, file)
        left = inodes - set(found)
        for process in self._processes() if left else ():
            inode = self._of_process(process)
            if inode in left:
                left.discard(inode)
                found[inode] = NamespaceName(None, int(process), b"")
                if not left:
                    break
        return found

    def still(self, inode: int, name: "NamespaceName") -> bool:
        """Whether the name or process stands for that namespace at this moment."""
        if name.pid is not None:
            return self._of_process(str(name.pid)) == inode
        if name.file:
            return self._of_file(name.file) == inode
        return True  # that of process 1 never ends

    def _files(self) -> Iterator[bytes]:
        try:
            yield from sorted(os.listdir(self._folder))
        except OSError:
            return

    def _of_file(self, file: bytes) -> Optional[int]:
        try:
            return os.stat(os.path.join(self._folder, file)).st_ino
        except OSError:
            return None

    def _processes(self) -> Iterator[str]:
        if self._proc is None:
            return
        try:
            yield from sorted(filter(_PID.match, os.listdir(self._proc)), key=int)
        except OSError:
            return

    def _of_process(self, process: str) -> Optional[int]:
        if self._proc is None:
            return None
        try:
            link = os.readlink(os.path.join(self._proc, process, "ns/net"))
        except OSError:
            return None
        found = _LINK.match(link)
        return int(found.group(1)) if found else None


class NamespaceName(NamedTuple):
    """``name``, or the ``pid`` of a process in there; ``file``: what it is called in /run/netns."""

    name: Optional[str]
    pid: Optional[int]
    file: bytes
