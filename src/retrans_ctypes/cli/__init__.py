"""The command line: one module for each command, found in one table."""

import os
from typing import Callable, Dict, List

from ..errors import OutputError, RetransError
from . import count, demo, doctor, trace
from .follow import tell

COMMANDS: Dict[str, Callable[[List[str]], int]] = {
    "trace": trace.main,
    "count": count.main,
    "demo": demo.main,
    "doctor": doctor.main,
}
DEFAULT = "trace"


def main(arguments: List[str]) -> int:
    """Run a command and return the exit code. The only place that turns errors into sentences."""
    name, rest = DEFAULT, arguments
    if arguments and arguments[0] in COMMANDS:
        name, rest = arguments[0], arguments[1:]
    try:
        hold_standard_descriptors()
        return COMMANDS[name](rest)
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
