"""Running the build as a person would, here or in a copy of the tree elsewhere."""
import os
import shutil
import subprocess
import sys
from typing import Dict, List, Sequence

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NATIVE = os.path.join(REPO, "native")
BUILD = os.path.join(NATIVE, "build")
VENV_BIN = os.path.join(BUILD, "venv", "bin")

# What the make that started these tests hands down, and what would change a build.
INHERITED = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "RETRANS_DIST", "RETRANS_MIRROR",
             "SETUP", "ARGS", "FULL", "V", "CPPFLAGS", "CFLAGS", "LDFLAGS", "LIBBPF")


def environment(**changes: str) -> Dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in INHERITED}
    return dict(kept, **changes)


def run(argv: Sequence[str], code: int = 0, **options: object) -> str:
    """Run a command that must end with `code`; returns what it printed, errors included."""
    options.setdefault("env", environment())
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, universal_newlines=True, **options)
    assert done.returncode == code, "{} ended with {}:\n{}".format(argv, done.returncode, done.stdout)
    return done.stdout


def make(native: str, *arguments: str, code: int = 0, before: Sequence[str] = (), **options: object) -> str:
    """make in `native`, without its talk about folders; `before` are words to put before `make`."""
    argv = list(before) + ["make", "--no-print-directory", "-C", native, "PYTHON=" + sys.executable]
    return run(argv + list(arguments), code, **options)


def copy_tree(target: str) -> str:
    """A copy of the sources, without anything built; returns its native folder."""
    shutil.copytree(REPO, target, ignore=shutil.ignore_patterns("build", ".git", "__pycache__", "*.tar.*", "*.so"),
                    symlinks=True)
    return os.path.join(target, "native")


def read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def where_tarballs_are() -> Dict[str, str]:
    """Path of each pinned tarball of this checkout, by file name."""
    paths = run([sys.executable, os.path.join(NATIVE, "scripts", "sources.py"), "where"]).splitlines()
    return {os.path.basename(path): path for path in paths}


def dynamic(tag: str, library: str) -> List[str]:
    """Values of one tag, such as NEEDED, in the dynamic section."""
    lines = run(["readelf", "--wide", "--dynamic", library]).splitlines()
    return [line.split("[")[1].rstrip("]") for line in lines if "(" + tag + ")" in line]
