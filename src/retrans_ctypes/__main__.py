"""``python3 -m retrans_ctypes``"""

import sys


def _start() -> int:
    try:
        from .cli import main
        return main(sys.argv[1:])
    except KeyboardInterrupt:  # before, or after, the command line listens for it
        return 130


sys.exit(_start())
