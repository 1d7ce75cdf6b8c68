"""Every Python of this machine that the package promises to run under."""
import glob
import os
import subprocess
from functools import lru_cache
from typing import Dict, List, NamedTuple, Tuple

OLDEST = (3, 6)
ASK = "import sys; print('.'.join(map(str, sys.version_info[:3])))"


class Interpreter(NamedTuple):
    version: Tuple[int, ...]
    path: str

    @property
    def name(self) -> str:
        return ".".join(map(str, self.version))


def candidates() -> List[str]:
    folders = [folder for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    folders += sorted(glob.glob(os.path.expanduser("~/.pyenv/versions/*/bin")))
    found = []
    for folder in folders:
        found += sorted(glob.glob(os.path.join(folder, "python3*")))
    return found


def is_program(path: str) -> bool:
    """An ELF file that may be executed; shims and python3-config are scripts."""
    if not (os.path.isfile(path) and os.access(path, os.X_OK)):
        return False
    with open(path, "rb") as head:
        return head.read(4) == b"\x7fELF"


def found() -> List[Interpreter]:
    """One entry for each installation, oldest first; virtual environments count as their base."""
    seen: Dict[Tuple[Tuple[int, ...], str], Interpreter] = {}
    for path in sorted(set(map(os.path.realpath, candidates()))):
        if not is_program(path):
            continue
        asked = subprocess.run([path, "-I", "-S", "-c", ASK], stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, universal_newlines=True)
        version = tuple(int(part) for part in asked.stdout.split(".") if part.strip().isdigit())
        if asked.returncode == 0 and version >= OLDEST:
            seen.setdefault((version, os.path.dirname(path)), Interpreter(version, path))
    return sorted(seen.values())


def pythons_2() -> List[str]:
    """Paths of those that are too old, and have to be told so."""
    paths = glob.glob(os.path.expanduser("~/.pyenv/versions/*/bin/python2.7")) + ["/usr/bin/python2.7"]
    return [path for path in paths if os.path.exists(path)]


@lru_cache()
def anybodys() -> str:
    """The newest one outside of root's own folders, for other users and for containers."""
    for interpreter in reversed(found()):
        folders = [interpreter.path[:at] or "/" for at, letter in enumerate(interpreter.path) if letter == "/"]
        if all(os.stat(folder).st_mode & 0o001 for folder in folders):
            return interpreter.path
    raise AssertionError("no Python here that every user may run; install the package python3")


def oldest_missing(interpreters: List[Interpreter]) -> bool:
    """Neither 3.6 nor 3.7 is there: nothing shows that the package still runs on old hosts."""
    return not any(interpreter.version[:2] in ((3, 6), (3, 7)) for interpreter in interpreters)
