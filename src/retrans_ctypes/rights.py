"""Users and capabilities, for dropping rights."""

import grp
import pwd
import re
from typing import NamedTuple, Tuple

from .errors import UsageError

# include/uapi/linux/capability.h: those that tracing may need
CAPABILITIES = {"CAP_BPF": 39, "CAP_PERFMON": 38, "CAP_SYS_ADMIN": 21, "CAP_SYS_PTRACE": 19}
_NOBODY = 0xffffffff  # what the kernel takes for 'none given'


class Account(NamedTuple):
    """Whom to become."""

    uid: int
    gid: int


def account(text: str) -> Account:
    """``NAME``, ``NAME:GROUP``, ``UID`` or ``UID:GID``; without a group, that of the user."""
    user, colon, group = text.partition(":")
    if colon:
        return Account(_uid(user), _gid(group))
    return Account(_uid(user), _group_of(user))


def capability_names(bits: int) -> Tuple[str, ...]:
    """Those in ``bits``, by name; by number where they have none here."""
    names = {bit: name for name, bit in CAPABILITIES.items()}
    return tuple(names.get(bit, "capability %d" % bit) for bit in range(64) if bits >> bit & 1)


def _number(text: str, what: str) -> int:
    number = int(text)
    if number >= _NOBODY:
        raise UsageError("there is no %s %s: numbers end at %d" % (what, text, _NOBODY - 1))
    return number


def _is_number(text: str) -> bool:
    return re.match(r"[0-9]{1,40}\Z", text) is not None


def _uid(user: str) -> int:
    if _is_number(user):
        return _number(user, "user")
    try:
        return pwd.getpwnam(user).pw_uid
    except (KeyError, ValueError):
        raise UsageError("there is no user %r here; give another, or UID:GID" % user)


def _gid(group: str) -> int:
    if _is_number(group):
        return _number(group, "group")
    try:
        return grp.getgrnam(group).gr_gid
    except (KeyError, ValueError):
        raise UsageError("there is no group %r here; give another, or UID:GID" % group)


def _group_of(user: str) -> int:
    try:
        entry = pwd.getpwuid(_uid(user)) if _is_number(user) else pwd.getpwnam(user)
    except (KeyError, ValueError):
        _uid(user)
        raise UsageError("user %s has no entry here that names a group; give UID:GID" % user)
    return entry.pw_gid
