"""``python3 -m retrans_ctypes``, and the console script ``retrans``"""

import sys


def main() -> int:
    """Run the command line; returns the exit code."""
    try:
        from .cli import main as run
        return run(sys.argv[1:])
    except KeyboardInterrupt:  # before, or after, the command line listens for it
        return 130


if __name__ == "__main__":
    sys.exit(main())
