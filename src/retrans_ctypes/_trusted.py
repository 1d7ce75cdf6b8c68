"""Whether a library may be loaded, by who could have written it."""

import os
import stat
from typing import Optional


def problem(place: str) -> Optional[str]:
    """Who else could have written what is at ``place``. Whoever owns the package, whose Python runs already,
    is trusted; memory and a new folder of ours (_unpack) are never anybody else's."""
    path = os.path.realpath(place)
    if path.startswith("/proc/") or path.startswith("/memfd:"):
        return None
    file, folder = os.stat(path), os.stat(os.path.dirname(path))
    trusted = {0, os.geteuid(), _owner(__file__)}
    if file.st_uid not in trusted:
        return "it belongs to user %d" % file.st_uid
    if file.st_mode & stat.S_IWOTH:
        return "it can be written by everybody"
    if folder.st_mode & stat.S_IWOTH and not folder.st_mode & stat.S_ISVTX:
        return "its folder can be written by everybody"
    return None


def _owner(path: str) -> int:
    try:
        return os.stat(path).st_uid
    except OSError:  # in a zip file
        return 0
