"""Opening the file that a recording goes into, without harm to what is there.

Whoever writes a recording holds flock(2) on its file, which the kernel lets go when the process ends,
however it ends.
"""

import errno
import fcntl
import os
import stat

from ..errors import OutputError, RecordingError

# What SQLite lays beside a database.
BESIDE = ("-wal", "-shm", "-journal")


def open_locked(path: str) -> int:
    """A descriptor of the regular file ``path``, made where there is none (mode 0600), locked.

    ``path`` has no links in it (real_path()). Raises RecordingError where another process writes it,
    OutputError where it cannot be written.
    """
    try:
        descriptor = os.open(
            path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise unwritable(path, error)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OutputError("%s is not a regular file: name another file with -o" % path)
        refuse_strangers(path)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not os.path.samestat(os.fstat(descriptor), os.lstat(path)):
            raise RecordingError("%s was put in another's place at this moment: start again" % path)
    except OSError as error:
        os.close(descriptor)
        if error.errno == errno.EWOULDBLOCK:
            raise RecordingError("another process is recording into %s: wait for its end, or name another file"
                                 " with -o" % path, error.errno)
        raise unwritable(path, error)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def real_path(path: str) -> str:
    """``path`` without links. Raises RecordingError where another user laid one for us."""
    refuse_strangers(path)
    return os.path.realpath(path)


def refuse_strangers(path: str) -> None:
    """Raises RecordingError where everybody can lay files at ``path``, and somebody else did.

    As fs.protected_symlinks and fs.protected_regular of sysctl have it, which not every host sets.
    """
    try:
        folder = os.stat(os.path.dirname(path) or ".")
        if not folder.st_mode & stat.S_IWOTH:
            return
        trusted = (os.geteuid(), folder.st_uid)
        for name in [path] + [path + end for end in BESIDE]:
            if os.path.lexists(name) and os.lstat(name).st_uid not in trusted:
                raise RecordingError("%s belongs to another user, in a folder where everybody can write, so"
                                     " nothing is written there: name another file with -o" % name)
    except OSError as error:
        raise unwritable(path, error)


def unwritable(path: str, error: OSError) -> OutputError:
    """The error that says so in a sentence."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return OutputError("%s could not be written (%s): free some space and start again" % (
            path, error.strerror), error.errno)
    return OutputError("%s cannot be written (%s): name another file with -o" % (
        path, error.strerror or error), error.errno)
