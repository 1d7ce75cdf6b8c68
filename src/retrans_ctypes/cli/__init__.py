"""The command line: one module for each command. Only that one is loaded."""

import os
from difflib import get_close_matches
from importlib import import_module
from typing import List, Tuple

from ..errors import OutputError, RetransError, UsageError
from .commands import COMMANDS, DEFAULT
from .ending import tell_error
from .options import program


def main(arguments: List[str]) -> int:
    """Run a command and return the exit code. The only place that turns errors into sentences."""
    try:
        hold_standard_descriptors()
        name, rest = chosen(arguments)
        exit_code: int = import_module("." + name, __name__).main(rest)
        return exit_code
    except (RetransError, OSError, MemoryError) as error:
        return tell_error(error)


def chosen(arguments: List[str]) -> Tuple[str, List[str]]:
    """The command, and its arguments. Raises UsageError."""
    if not arguments or arguments[0].startswith("-"):
        return DEFAULT, arguments
    name, *rest = arguments
    if name == "help":
        return chosen([word for word in rest if word != "help"][:1] + ["--help"])
    if name in COMMANDS:
        return name, rest
    near = get_close_matches(name, list(COMMANDS) + ["help"], 1)
    raise UsageError("there is no command '%s'%s '%s --help' names all" % (
        name, ": did you mean '%s'?" % near[0] if near else ";", program()))


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
