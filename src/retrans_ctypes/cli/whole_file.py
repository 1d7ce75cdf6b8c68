"""A file that is there as a whole, or not at all."""

import errno
import os
import stat
import tempfile

from ..errors import OutputError


def write_whole(path: str, data: bytes, mode: int) -> None:
    """Put ``data`` in place of what ``path`` has. Raises OutputError.

    ``mode``: who may read what it is made of may read it, as far as the umask lets; nobody may execute it.
    A device or a pipe is written to as it is.
    """
    try:
        if os.path.lexists(path) and not os.path.isdir(path) and not os.path.isfile(path):
            with open(path, "wb") as file:
                file.write(data)
            return
        _replace(os.path.realpath(path), data, mode)
    except OSError as error:
        raise OutputError("%s could not be written (%s): choose another place with -o" % (
            path, error.strerror), error.errno)


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
