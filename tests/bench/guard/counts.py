"""What is counted.

BPF programs: the bytes that the kernel made of each (`xlated`), as tp_btf on this kernel. Branches that
the settings rule out are gone by then, so it is what can run, not what does.
Paths: instructions (Ir) for each event, by callgrind; what start and end cost falls out, as the
difference of two runs. Both are for x86_64.
"""
import json
import os
import platform
import re
import subprocess
from typing import Dict, List, NamedTuple

from lab.host import tool

from .. import bpf, places

LIMITS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "limits.json")
MACHINE = "x86_64"

# Of a limit: BPF programs differ between kernels by what the verifier puts in for helpers, paths
# between compilers, and drain also between the C library's ways of copying.
TOLERANCE = {"bpf": 0.08, "drain": 0.15, "ndjson": 0.10}

FEW, MANY = 2560, 25600
NAME_KEPT = 15  # characters that the kernel keeps of a program's name


def bpf_bytes() -> Dict[str, int]:
    """Bytes of our programs by name; programs of one name, as far as it is kept, are added up."""
    from retrans_ctypes import Tracer

    found: Dict[str, int] = {}
    with Tracer(attach="tp_btf", buffer="ring"):
        held = bpf.programs_of(os.getpid())
        for row in json.loads(tool("bpftool", "-j", "prog")):
            if row["id"] in held:
                name = row["name"][:NAME_KEPT]
                found[name] = found.get(name, 0) + row["bytes_xlated"]
    return found


def instructions(path: str, count: int) -> int:
    argv = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", places.program("paths"), path,
            str(count)]
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
    found = re.search(r"Collected : (\d+)", done.stdout)
    if done.returncode or not found:
        raise OSError("`{}` failed ({}): {}".format(" ".join(argv), done.returncode, done.stdout[-500:]))
    return int(found.group(1))


def per_event(path: str) -> float:
    return round((instructions(path, MANY) - instructions(path, FEW)) / (MANY - FEW), 1)


class Excess(NamedTuple):
    """Something that is heavier than its limit allows."""

    what: str
    found: float
    limit: float

    def sentence(self) -> str:
        return "{} is {:g}, its limit {:g}; make it lighter, or `make -C native limits` if that is meant".format(
            self.what, self.found, self.limit)


def excesses(found: Dict[str, float], limits: Dict[str, float], tolerance: float) -> List[Excess]:
    """What is above its limit and the tolerance, or has no limit yet."""
    return [Excess(what, number, limits.get(what, 0.0)) for what, number in sorted(found.items())
            if number > limits.get(what, 0.0) * (1 + tolerance)]


def read_limits() -> Dict[str, Dict[str, float]]:
    with open(LIMITS, encoding="utf-8") as file:
        limits: Dict[str, Dict[str, float]] = json.load(file)["limits"]
    return limits


def limits_series() -> str:
    """Of which kernels the limits of BPF programs are."""
    with open(LIMITS, encoding="utf-8") as file:
        return str(json.load(file)["linux"])


def series() -> str:
    return ".".join(os.uname().release.split(".")[:2])


def measured() -> Dict[str, Dict[str, float]]:
    return {"bpf": dict(bpf_bytes()), "paths": {path: per_event(path) for path in ("drain", "ndjson")}}


def is_comparable() -> bool:
    return platform.machine() == MACHINE
