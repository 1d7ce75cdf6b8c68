"""Every TCP retransmission of this host, from the kernel's own tracepoints.

    from retrans_ctypes import Tracer

    with Tracer() as tracer:
        for event in tracer:
            print(event.local, event.remote, event.state, event.reason)

Needs root (or CAP_BPF and CAP_PERFMON) and libtcpretrans.so beside this package.
"""

from .capabilities import Capabilities
from .counts import Count, Counts
from .errors import (
    ClosedError, ExtraMissing, FilterError, ForkedError, LibraryError, OutputClosed, OutputError, PermissionDenied,
    RecordingError, RetransError, UnsupportedKernel, UsageError,
)
from .event import Event
from .filters import Filter
from .ledger import Ledger, LedgerRow
from .stats import Stats
from .tracer import Tracer

__version__ = "0.1.0"

__all__ = [
    "Capabilities", "ClosedError", "Count", "Counts", "Event", "ExtraMissing", "Filter", "FilterError",
    "ForkedError", "Ledger", "LedgerRow", "LibraryError", "OutputClosed", "OutputError",
    "PermissionDenied", "RecordingError", "RetransError", "Stats", "Tracer", "UnsupportedKernel", "UsageError",
    "__version__",
]
