"""Lines that the end of a test run shall say, collected while it goes."""
from typing import List

said: List[str] = []
warned: List[str] = []


def say(line: str) -> None:
    if line not in said:
        said.append(line)


def compared(what: str, kernel: int, seen: int) -> None:
    """A kernel counter beside what the tracer saw."""
    say("{}: {} segments by the kernel's RetransSegs, {} traced".format(what, kernel, seen))


def warn(line: str) -> None:
    """A line that nobody may overlook."""
    if line not in warned:
        warned.append(line)
