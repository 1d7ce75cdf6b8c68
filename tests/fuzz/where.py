"""Where the fuzzers find what they need, and where they may write."""
import os
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


def prepare() -> None:
    """Let the made-up recordings and hosts of the unit tests be imported."""
    for folder in ("../unit", "."):
        path = os.path.normpath(os.path.join(HERE, folder))
        if path not in sys.path:
            sys.path.insert(0, path)


def scratch() -> str:
    """A new folder in memory."""
    return tempfile.mkdtemp(prefix="retrans-fuzz-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
