"""The table of mounts, as this process sees it. See proc(5), /proc/PID/mountinfo."""

import os
import re
from typing import Iterator, Match, NamedTuple


class Mount(NamedTuple):
    """``root``: what of the file system is mounted there; a cgroup's path is told from our own."""

    folder: str
    kind: str
    root: str
    options: str


def mounts(table: str) -> Iterator[Mount]:
    """Each mount in ``table``; none where that cannot be read."""
    try:
        with open(table, "rb") as file:
            for line in file:
                own, _, of_all = line.partition(b" - ")
                words, more = own.split(b" "), of_all.split()
                if len(words) > 5 and len(more) > 2:
                    yield Mount(_text(words[4]), _text(more[0]), _text(words[3]), _text(more[2]))
    except OSError:
        return


def _text(word: bytes) -> str:
    """Blanks and the like are written in octal there."""
    return os.fsdecode(re.sub(rb"\\([0-7]{3})", _unescaped, word))


def _unescaped(code: "Match[bytes]") -> bytes:
    return bytes((int(code.group(1), 8) & 0xff,))
