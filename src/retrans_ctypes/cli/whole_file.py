"""A file that is there as a whole, or not at all."""

import errno
import os
import stat
import tempfile

from ..errors import OutputError
from ..recording.place import real_path, refuse_strangers, unwritable


def write_whole(path: str, data: bytes, mode: int) -> None:
    """Put ``data`` in place of what ``path`` has. Raises OutputError.

    ``mode``: who may read what it is made of may read it, as far as the umask lets; nobody may execute it.
    A device or a pipe is written to as it is.
    """
    real = real_path(path, OutputError)
    try:
        if os.path.isdir(real) or os.path.isfile(real) or not os.path.lexists(real):
            _replace(real, data, mode)
        else:
            _into(real, data)
    except OSError as error:
        raise unwritable(path, error)


def _into(path: str, data: bytes) -> None:
    """Write to a device or a pipe. Where it became anything else meanwhile, nothing is made nor cut off."""
    descriptor = os.open(path, os.O_WRONLY | os.O_NOCTTY | os.O_CLOEXEC | (
        0 if path.startswith("/proc/") else os.O_NOFOLLOW))
    with os.fdopen(descriptor, "wb") as file:
        refuse_strangers(path, OutputError)
        file.write(data)


def _replace(path: str, data: bytes, mode: int) -> None:
    if os.path.isdir(path):
        raise IsADirectoryError(errno.EISDIR, "it is a folder")
    descriptor, temporary = tempfile.mkstemp(prefix=".retrans-", dir=os.path.dirname(path))
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(descriptor, stat.S_IMODE(mode) & 0o666 & ~_umask() | 0o600)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _umask() -> int:
    """It can only be asked by setting it."""
    before = os.umask(0o077)
    os.umask(before)
    return before
