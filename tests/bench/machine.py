"""Which machine, kernel and versions the figures are from."""
import os
import platform
import re
import shutil
import subprocess
from typing import Dict, List


def said(argv: List[str]) -> str:
    """What a command says first, or that it is not there."""
    if shutil.which(argv[0]) is None:
        return "none"
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
    return (done.stdout.splitlines() or [""])[0]


def number(text: str) -> str:
    found = re.search(r"\d+(\.[0-9A-Za-z~-]+)+", text)
    return found.group() if found else text


def processor() -> str:
    with open("/proc/cpuinfo") as cpus:
        names = re.findall(r"^(?:model name|CPU part)\s*: (.*)$", cpus.read(), re.M)
    return names[0] if names else platform.machine()


def attached() -> str:
    """How ours is attached here: by another way than the best one it costs more."""
    from retrans_ctypes import Tracer

    with Tracer() as tracer:
        return tracer.capabilities.attach


def describe() -> Dict[str, str]:
    import retrans_ctypes

    return {
        "CPU": "{}, {} cores".format(processor(), os.cpu_count()),
        "Linux": os.uname().release,
        "retrans_ctypes": "{}, attached by {}".format(retrans_ctypes.__version__, attached()),
        "bpftrace": number(said(["bpftrace", "--version"])),
        "perf": number(said(["perf", "--version"])),
        "Python": platform.python_version(),
        "gcc": number(said(["gcc", "-dumpfullversion"])),
    }
