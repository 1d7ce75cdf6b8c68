"""Opening the file that a recording goes into, without harm to what is there.

Whoever writes a recording holds flock(2) on its file, which the kernel lets go when the process ends,
however it ends.
"""

import errno
import fcntl
import os
import stat
from typing import List, Optional, Type

from ..errors import OutputError, RecordingError, RetransError

# What SQLite lays beside a database.
BESIDE = ("-wal", "-shm", "-journal")

_LINKS = 40  # that a path may lead through, as in the kernel
_STRANGERS = ("%s belongs to another user, in a folder where everybody can write, so nothing is written there: name"
              " another file with -o")
_ANOTHER_NAME = ("%s has another name elsewhere, in a folder where everybody can give it one, so nothing is written"
                 " there: name another file with -o")


def create(path: str) -> bool:
    """Make the empty file ``path`` (mode 0600); False where something has that name already.

    Raises RecordingError where another user laid a link for us, OutputError where it cannot be made.
    """
    try:
        os.close(os.open(real_path(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return False
    except OSError as error:
        raise unwritable(path, error)
    return True


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
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise OutputError("%s is not a regular file: name another file with -o" % path)
        refuse_strangers(path)
        if about.st_nlink > 1 and is_everybodys(path):
            raise RecordingError(_ANOTHER_NAME % path)
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


def real_path(path: str, kind: Type[RetransError] = RecordingError) -> str:
    """``path`` without links, which may name nothing yet. Raises ``kind`` where another user laid one for us.

    Each link is judged and read through one descriptor, so nobody can put another in its place between.
    What /proc has stays as it is: those links belong to the kernel, and may lead to what has no path.
    """
    try:
        found = _walk(path, kind)
    except OSError as error:
        raise unwritable(path, error)
    refuse_strangers(found, kind)
    return found


def _walk(path: str, kind: Type[RetransError]) -> str:
    try:
        left = (path if os.path.isabs(path) else os.path.join(os.getcwd(), path)).split("/")[::-1]
    except FileNotFoundError:
        raise OSError(errno.ENOENT, "the current folder was removed")
    done: List[str] = []
    links = 0
    while left:
        name = left.pop()
        if name in ("", "."):
            continue
        if name == "..":
            del done[-1:]
            continue
        here = "/" + "/".join(done)
        target = None if done[:1] == ["proc"] else _link(here, name, kind)
        if target is None:
            done.append(name)
            continue
        links += 1
        if links > _LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        if target.startswith("/"):
            done = []
        left += target.split("/")[::-1]
    return "/" + "/".join(done)


def _link(folder: str, name: str, kind: Type[RetransError]) -> Optional[str]:
    """Where the link ``name`` leads to; None where it is none, or not there."""
    path = os.path.join(folder, name)
    try:
        descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        about = os.fstat(descriptor)
        if not stat.S_ISLNK(about.st_mode):
            return None
        place = os.stat(folder)
        if _everybodys(place) and about.st_uid not in (os.geteuid(), place.st_uid):
            raise kind(_STRANGERS % path)
        return os.readlink("", dir_fd=descriptor)
    finally:
        os.close(descriptor)


def refuse_strangers(path: str, kind: Type[RetransError] = RecordingError) -> None:
    """Raises ``kind`` where everybody can lay files at ``path``, and somebody else did.

    As fs.protected_symlinks, protected_regular and protected_hardlinks of sysctl have it, which not every
    host sets. What lies beside ``path`` is SQLite's, which writes into it whatever it is.
    """
    try:
        folder = _folder(path)
        if not _everybodys(folder):
            return
        trusted = (os.geteuid(), folder.st_uid)
        for name in [path] + [path + end for end in BESIDE]:
            about = _lstat(name)
            if about is None:
                continue
            if about.st_uid not in trusted:
                raise kind(_STRANGERS % name)
            if name != path and (about.st_nlink > 1 or not stat.S_ISREG(about.st_mode)):
                raise kind(_ANOTHER_NAME % name)
    except OSError as error:
        raise unwritable(path, error)


def is_ours(path: str) -> bool:
    """Whether the database ``path``, and what SQLite would use beside it, is of this process's user, and
    stays so: in a folder where everybody can write all of it must lie there already."""
    shared = is_everybodys(path)
    for name in (path, path + "-wal", path + "-shm"):
        about = _lstat(name)
        if about is None and not shared:
            continue
        if about is None or about.st_uid != os.geteuid() or about.st_nlink > 1 or not stat.S_ISREG(about.st_mode):
            return False
    return True


def is_everybodys(path: str) -> bool:
    """Whether everybody can lay files where ``path`` is."""
    return _everybodys(_folder(path))


def _lstat(path: str) -> Optional[os.stat_result]:
    try:
        return os.lstat(path)
    except FileNotFoundError:
        return None


def _folder(path: str) -> os.stat_result:
    return os.stat(os.path.dirname(path) or ".")


def _everybodys(folder: os.stat_result) -> bool:
    return folder.st_mode & stat.S_IWOTH != 0


def unwritable(path: str, error: OSError) -> OutputError:
    """The error that says so in a sentence."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return OutputError("%s could not be written (%s): free some space and start again" % (
            path, error.strerror), error.errno)
    return OutputError("%s cannot be written (%s): name another file with -o" % (
        path, error.strerror or error), error.errno)
