"""The command line: one module for each command. Only that one is loaded."""

import os
from importlib import import_module
from typing import List

from ..errors import OutputError, RetransError
from .follow import tell

COMMANDS = ("trace", "count", "top", "record", "replay", "report", "metrics", "demo", "doctor")
DEFAULT = "trace"


def main(arguments: List[str]) -> int:
    """Run a command and return the exit code. The only place that turns errors into sentences."""
    name, rest = DEFAULT, arguments
    if arguments and arguments[0] in COMMANDS:
        name, rest = arguments[0], arguments[1:]
    try:
        hold_standard_descriptors()
        exit_code: int = import_module("." + name, __name__).main(rest)
        return exit_code
    except RetransError as error:
        tell("retrans_ctypes: %s" % error)
        return error.exit_code


def hold_standard_descriptors() -> None:
    """Where the caller closed one, a BPF map must not get its number and our output with it."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
            if descriptor == 1:
                raise OutputError("standard output is closed: give it somewhere to go, /dev/null"
                                  " for nowhere")
