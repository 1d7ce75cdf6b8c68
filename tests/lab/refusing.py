"""A kernel that refuses some of what is asked of it; see refusing.c."""
import os
import subprocess
from typing import Dict

from .commands import environment

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "refusing.c")

# enum bpf_prog_type and enum bpf_map_type
TRACEPOINT, RAW_TRACEPOINT, TRACING = 5, 17, 26
RINGBUF, SK_STORAGE, ARRAY = 27, 24, 2


def compiled(folder: str) -> str:
    path = os.path.join(folder, "refusing.so")
    subprocess.run(["gcc", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", SOURCE, "-o", path, "-ldl"],
                   check=True)
    return path


def refusing(library: str, *words: str) -> Dict[str, str]:
    """The environment of a command to whom the kernel refuses that."""
    return environment(LD_PRELOAD=library, RETRANS_TEST_REFUSE=",".join(words))
