"""Running the build as a person would, here or in a copy of the tree elsewhere."""
import os
import shutil
import subprocess
import sys
from typing import Dict, List, Sequence, Set

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NATIVE = os.path.join(REPO, "native")
BUILD = os.path.join(NATIVE, "build")
VENV_BIN = os.path.join(BUILD, "venv", "bin")

# What the make that started these tests hands down, and what would change a build.
INHERITED = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "RETRANS_DIST", "RETRANS_MIRROR",
             "SETUP", "ARGS", "FULL", "V", "CPPFLAGS", "CFLAGS", "LDFLAGS", "LIBBPF", "SOURCE_DATE_EPOCH")

# Words to put before a command, for it to run on a machine of another name, as another user, who lets nobody
# read what he makes. The files are still ours, so that this needs no right to any other.
AS_ANOTHER = ["unshare", "--uts", "sh", "-ec",
              'hostname another; umask 077; exec unshare --user --map-user=4242 --map-group=4242 "$@"', "sh"]


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
    patterns = shutil.ignore_patterns(".git", "__pycache__", "*.tar.*", "*.so")

    def left_out(folder: str, names: List[str]) -> Set[str]:
        return set(patterns(folder, names)) | ({"build"} if folder == NATIVE else set())

    shutil.copytree(REPO, target, ignore=left_out, symlinks=True)
    return os.path.join(target, "native")


def disguise(tree: str) -> None:
    """Other times, and nobody else may read it."""
    for folder, _, names in os.walk(tree):
        for path in [folder] + [os.path.join(folder, name) for name in names]:
            if not os.path.islink(path):
                os.chmod(path, 0o700 if os.stat(path).st_mode & 0o111 else 0o600)
                os.utime(path, (1000000000, 1000000000))


def make_as_another(native: str, *arguments: str) -> str:
    """make where all is different that must not matter: user, machine, umask, time zone, language, home, jobs."""
    home = os.path.join(os.path.dirname(native), "home")
    os.makedirs(home, exist_ok=True)
    return make(native, "-j3", *arguments, before=AS_ANOTHER, env=environment(
        HOME=home, USER="another", LOGNAME="another", LANG="C", LC_ALL="C", TZ="Pacific/Kiritimati"))


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
