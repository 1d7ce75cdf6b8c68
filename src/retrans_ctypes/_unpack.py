"""Load a shared library that lies in a zip file, from which the loader itself cannot.

In memory where the kernel lets us: then nothing is written anywhere. Otherwise in a new folder that
nobody else can reach, below one where nobody else can rename it; it is gone as soon as the library is
loaded. No name is ever used twice, so there is nothing to find there, and nothing to trust.
"""

import ctypes
import errno
import os
import shutil
import signal
import stat
import tempfile
from contextlib import contextmanager
from typing import Callable, Iterator, List, Optional, TypeVar
from zipimport import zipimporter

Loaded = TypeVar("Loaded")

_MEMFD_CREATE = {"x86_64": 319, "aarch64": 279}
_CLOEXEC, _EXEC = 1, 0x10  # MFD_EXEC came with 6.3; older kernels know no other kind

_SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


class CannotUnpack(Exception):
    """Each place that was tried, and why it did not do."""


def content(name: str, loader: object) -> Optional[bytes]:
    """What ``name`` holds, in the folder that ``loader`` imports from if that is in a zip file, else None.

    Raises FileNotFoundError where the zip file has nothing of that name.
    """
    if not isinstance(loader, zipimporter):
        return None
    # Named as in the zip file: with a path in front it would have to be written as it was when Python
    # was started ('./x.pyz', 'a//x.pyz').
    inside = loader.prefix + name
    try:
        return loader.get_data(inside)
    except OSError:  # before Python 3.8 with whatever errno there was last
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), inside)


def load(data: bytes, name: str, loader: Callable[[str], Loaded]) -> Loaded:
    """The result of ``loader``, called with a path at which ``data`` can be loaded.

    Where it raises OSError, another place is tried.
    """
    refusals: List[str] = []
    with _no_signals():
        try:
            return _from_memory(data, name, loader)
        except OSError as error:
            refusals.append("memory (%s)" % _reason(error))
        for folder in _folders():
            place = os.path.realpath(folder) if os.path.isabs(folder) else folder
            wrong = problem(place)
            try:
                if wrong is None:
                    return _from_folder(data, name, place, loader)
            except OSError as error:
                wrong = _reason(error)
            refusals.append("%s (%s)" % (folder, wrong))
    raise CannotUnpack("; ".join(refusals))


def problem(place: str) -> Optional[str]:
    """Why nothing should be unpacked in a new folder below ``place``, or None. A link anywhere in there
    is one more reason: who made it could let it point elsewhere now."""
    if not os.path.isabs(place):
        return "not an absolute path"
    try:
        if os.statvfs(place).f_flag & os.ST_NOEXEC:
            return "mounted noexec"
        while True:
            found = os.lstat(place)
            if not stat.S_ISDIR(found.st_mode):
                return "no folder"
            if found.st_uid not in (0, os.geteuid()):
                return "%s belongs to another user" % place
            if found.st_mode & 0o022 and not found.st_mode & stat.S_ISVTX:
                return "others may rename what is in %s" % place
            if place == os.path.dirname(place):
                return None
            place = os.path.dirname(place)
    except OSError as error:
        return _reason(error)


def _folders() -> List[str]:
    named = [os.environ.get("TMPDIR"), os.environ.get("XDG_RUNTIME_DIR"), "/tmp", "/var/tmp", "/dev/shm",
             "/run", os.path.expanduser("~")]
    return [folder for place, folder in enumerate(named) if folder and folder not in named[:place]]


def _reason(error: OSError) -> str:
    return error.strerror or str(error)


def _from_memory(data: bytes, name: str, loader: Callable[[str], Loaded]) -> Loaded:
    descriptor = _memory_file(name)
    try:
        _write(descriptor, data)
        # It stays open: the loader takes two libraries of one name for the same, and the next one
        # in this process must not get this number.
        return loader("/proc/self/fd/%d" % descriptor)
    except BaseException:
        os.close(descriptor)
        raise


def _memory_file(name: str) -> int:
    """memfd_create(), which Python has since 3.8 and glibc since 2.27."""
    number = _MEMFD_CREATE.get(os.uname().machine)
    if number is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    call = ctypes.CDLL(None, use_errno=True).syscall
    call.restype = ctypes.c_long
    for flags in (_CLOEXEC | _EXEC, _CLOEXEC):
        descriptor = call(ctypes.c_long(number), ctypes.c_char_p(os.fsencode(name)), ctypes.c_uint(flags))
        if descriptor >= 0:
            return int(descriptor)
        code = ctypes.get_errno()
        if code != errno.EINVAL:
            break
    raise OSError(code, os.strerror(code))


def _from_folder(data: bytes, name: str, folder: str, loader: Callable[[str], Loaded]) -> Loaded:
    private = tempfile.mkdtemp(prefix=".retrans-", dir=folder)  # 0700, and ours
    try:
        path = os.path.join(private, name)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o500)
        try:
            _write(descriptor, data)
        finally:
            os.close(descriptor)
        return loader(path)
    finally:
        shutil.rmtree(private, ignore_errors=True)


def _write(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left):]


@contextmanager
def _no_signals() -> Iterator[None]:
    """Ctrl-C waits until what was written is removed again."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
