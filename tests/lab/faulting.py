"""Calls that fail at the N-th time; see faulting.c."""
import os
import subprocess
from typing import Dict, Optional

from .commands import environment

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "faulting.c")
SHORT_WRITE = 1000  # in place of an errno: half of it is written


def compiled(folder: str) -> str:
    path = os.path.join(folder, "faulting.so")
    subprocess.run(["gcc", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", SOURCE, "-o", path, "-ldl"],
                   check=True)
    return path


def faulting(
    library: str, kind: str, position: int, error: int, reached: str, since: Optional[str] = None,
) -> Dict[str, str]:
    """The environment of a command whose call number ``position`` of that kind fails; then ``reached`` is there.

    They count from the first call of bpf() on, or from when the file ``since`` is opened."""
    return environment(LD_PRELOAD=library, RETRANS_TEST_FAULT="{}:{}:{}".format(kind, position, error),
                       RETRANS_TEST_FAULT_REACHED=reached, RETRANS_TEST_FAULT_FROM=since)
