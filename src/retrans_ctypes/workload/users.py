"""uid -> user name."""

import os
import pwd
from typing import Dict, Optional, Set

from .host_text import text_of

NOBODY = 0xffffffff  # what the kernel says where a uid has no number here


def find_users(passwd: Optional[str], uids: Set[int]) -> Dict[int, str]:
    """From the file ``passwd``, or as the C library answers: that may ask a directory server."""
    return _from_library(uids) if passwd is None else _from_file(passwd, uids)


def _from_library(uids: Set[int]) -> Dict[int, str]:
    found: Dict[int, str] = {}
    for uid in uids:
        try:
            if uid != NOBODY:
                found[uid] = text_of(os.fsencode(pwd.getpwuid(uid).pw_name))
        except (KeyError, OverflowError):
            pass
    return found


def _from_file(passwd: str, uids: Set[int]) -> Dict[int, str]:
    """The first entry of a number counts, as for the C library."""
    found: Dict[int, str] = {}
    with open(passwd, "rb") as file:
        for line in file:
            words = line.split(b":")
            if len(words) > 2 and words[0] and words[2].isdigit() and int(words[2]) in uids:
                found.setdefault(int(words[2]), text_of(words[0]))
    return found
