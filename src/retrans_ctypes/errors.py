"""What can go wrong, as one tree.

    RetransError               exit code 1
    ├── UsageError             2   an option that cannot be (also a ValueError)
    │   └── FilterError        2   a filter that cannot be
    ├── PermissionDenied       3   the kernel wants more rights
    ├── UnsupportedKernel      4   this kernel cannot do it
    ├── LibraryError           5   libtcpretrans.so is missing, damaged or of another release
    ├── OutputError            6   output could not be written
    │   └── OutputClosed     141   whoever read the output went away
    ├── RecordingError         7   a recording cannot be read, or another process writes it
    ├── ExtraMissing           8   a library is missing that an extra of this package brings
    ├── ClosedError            1   the tracer was closed before
    └── ForkedError            1   the tracer is another process's, from which this one was forked

Every message says what happened, why, and what to do. ``exit_code`` is what the command line ends
with; cli/exits.py explains the codes to users.
"""

import errno as _errno
import os
from typing import Dict, Optional, Type


class RetransError(Exception):
    """Base of everything this package raises on purpose. ``errno`` is the kernel's, if it had one."""

    exit_code = 1

    def __init__(self, message: str, errno: Optional[int] = None) -> None:
        super().__init__(message)
        self.errno = errno


class UsageError(RetransError, ValueError):
    """An option or argument that cannot be."""

    exit_code = 2


class FilterError(UsageError):
    """A filter that cannot be."""


class PermissionDenied(RetransError):
    """The kernel wants more rights than this process has."""

    exit_code = 3


class UnsupportedKernel(RetransError):
    """This kernel lacks something that tracing needs."""

    exit_code = 4


class LibraryError(RetransError):
    """libtcpretrans.so is missing, damaged, for another machine, or of another release."""

    exit_code = 5


class OutputError(RetransError):
    """Output could not be written."""

    exit_code = 6


class OutputClosed(OutputError):
    """Whoever read the output went away."""

    exit_code = 141


class RecordingError(RetransError):
    """A recording that cannot be read, or that another process writes."""

    exit_code = 7


class ExtraMissing(RetransError):
    """A command needs a library that an extra of this package brings."""

    exit_code = 8


class ClosedError(RetransError):
    """The tracer was closed before."""


class ForkedError(RetransError):
    """The tracer belongs to the process from which this one was forked."""


_BY_ERRNO: Dict[int, Type[RetransError]] = {
    _errno.EPERM: PermissionDenied,
    _errno.EACCES: PermissionDenied,
    _errno.EOPNOTSUPP: UnsupportedKernel,
    _errno.ENOSYS: UnsupportedKernel,
    _errno.EINVAL: UsageError,
    _errno.ECHILD: ForkedError,
}


def from_errno(code: int, sentence: str) -> RetransError:
    """The exception for error ``code`` of the native library; ``sentence`` is what it said."""
    if not sentence:
        sentence = "a call of libtcpretrans failed (%s): see whether the kernel's log (dmesg) says why" % (
            os.strerror(code))
    return _BY_ERRNO.get(code, RetransError)(sentence, code)
