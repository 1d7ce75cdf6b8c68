"""Small files of this host, any of which may be missing, closed to us, or hold anything."""

import os
import stat
from typing import NamedTuple, Optional

_MOST = 65536


class Text(NamedTuple):
    """``text`` is None where ``problem`` says why."""

    text: Optional[str]
    problem: Optional[str] = None


def read(path: str) -> Text:
    """The file's text without the blanks around it."""
    try:
        with open(path, "rb") as file:
            raw = file.read(_MOST)
    except OSError as error:
        return Text(None, because(error))
    return Text(raw.decode("utf-8", "backslashreplace").strip())


def number(path: str) -> Optional[int]:
    """The file's decimal number, None where there is none."""
    text = read(path).text
    try:
        return None if text is None else int(text)
    except ValueError:
        return None


def because(error: OSError) -> str:
    """The reason alone, in small letters, to go on with in a sentence."""
    return (error.strerror or str(error)).lower()


def is_file(path: str) -> bool:
    """Whether it is a regular file, which ends at some time when it is read."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return False
