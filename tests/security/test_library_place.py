"""Which code is loaded: never what the current folder, the loader's search path or a stranger offers."""
import os
import shutil
import subprocess
import sys
from typing import Any, Dict, Iterator, List

import pytest
from lab import commands, interpreters, tried
from lab.rights import NOBODY
from lab.stage import LIBRARY_NAME, copy_package, open_folder

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LOAD = ["-c", "from retrans_ctypes import _library; print(_library.load().path)"]
# Whatever loads this tells by a file that it did.
CANARY = """
#include <fcntl.h>
#include <stdlib.h>
__attribute__((constructor)) static void loaded(void)
{
	open(getenv("CANARY"), O_CREAT | O_WRONLY, 0666);
}
"""
SING = "import os; open(os.environ['CANARY'], 'w')\n"


@pytest.fixture(scope="module")
def canary(tmp_path_factory: Any) -> str:
    folder = tmp_path_factory.mktemp("canary")
    (folder / "canary.c").write_text(CANARY)
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", str(folder / LIBRARY_NAME), str(folder / "canary.c")], check=True)
    return str(folder / LIBRARY_NAME)


@pytest.fixture
def tree(kernel_rights: None) -> Iterator[str]:
    with open_folder() as folder:
        copy_package(folder)
        yield folder


def load(tree: str, argv: List[str] = LOAD, cwd: str = "/", **variables: str) -> Any:
    """(exit code, stdout, stderr) of a Python that imports the package from `tree`, and nothing else of ours."""
    environment: Dict[str, str] = {"PATH": os.environ["PATH"], "PYTHONPATH": tree, "PYTHONDONTWRITEBYTECODE": "1",
                                   "CANARY": os.path.join(tree, "sang")}
    environment.update(variables)
    return commands.run([sys.executable] + argv, cwd=cwd, env=environment)


@pytest.mark.parametrize("complete", [True, False])
def test_neither_the_current_folder_nor_the_search_path(tree: str, canary: str, complete: bool) -> None:
    """Not even where the package has no library of its own."""
    folder = os.path.dirname(canary)
    own = os.path.join(tree, "retrans_ctypes", LIBRARY_NAME)
    if not complete:
        os.remove(own)
    code, out, err = load(tree, cwd=folder, LD_LIBRARY_PATH=folder)
    assert (code, out) == ((0, [own]) if complete else (1, [])), err
    assert complete or "LibraryError" in err[-1] and own + " is not there" in err[-1]
    assert not os.path.exists(os.path.join(tree, "sang"))
    tried.count("security", "library in the current folder or in LD_LIBRARY_PATH", "not loaded")


def test_the_canary_sings(tree: str, canary: str) -> None:
    """As it does where it is named, so that its silence elsewhere tells something."""
    code, _, err = load(tree, RETRANS_CTYPES_LIBRARY=canary)
    assert code == 1 and "LibraryError" in "".join(err) and os.path.exists(os.path.join(tree, "sang"))


@pytest.mark.parametrize("where", ["libtcpretrans.so", "./libtcpretrans.so", "../x/libtcpretrans.so"])
def test_a_relative_path(tree: str, canary: str, where: str) -> None:
    code, _, err = load(tree, cwd=os.path.dirname(canary), RETRANS_CTYPES_LIBRARY=where)
    assert code == 1 and "must be an absolute path" in err[-1] and not os.path.exists(os.path.join(tree, "sang"))
    tried.count("security", "library by a relative path", "not loaded")


def another_users(folder: str) -> str:
    path = os.path.join(folder, LIBRARY_NAME)
    os.chown(path, NOBODY, NOBODY)
    return "belongs to user %d" % NOBODY


def for_everybody(folder: str) -> str:
    os.chmod(os.path.join(folder, LIBRARY_NAME), 0o777)
    return "can be written by everybody"


def in_everybodys_folder(folder: str) -> str:
    os.chmod(folder, 0o777)
    return "folder can be written by everybody"


def behind_a_link(folder: str) -> str:
    real = os.path.join(folder, "real.so")
    os.rename(os.path.join(folder, LIBRARY_NAME), real)
    os.symlink(real, os.path.join(folder, LIBRARY_NAME))
    os.chown(real, NOBODY, NOBODY)
    return "belongs to user %d" % NOBODY


@pytest.mark.parametrize("spoil", [another_users, for_everybody, in_everybodys_folder, behind_a_link])
def test_what_somebody_else_could_have_written(tree: str, canary: str, spoil: Any) -> None:
    with open_folder() as folder:
        shutil.copy(canary, folder)
        words = spoil(folder)
        code, _, err = load(tree, RETRANS_CTYPES_LIBRARY=os.path.join(folder, LIBRARY_NAME))
    assert code == 1 and "is not loaded" in err[-1] and words in err[-1], err
    assert not os.path.exists(os.path.join(tree, "sang"))
    tried.count("security", "library that another user owns or can write", "not loaded")


def test_a_sticky_folder_and_the_packages_owner_are_fine(tree: str) -> None:
    """A bundle that a person unpacked in /tmp, and runs with sudo."""
    os.chmod(tree, 0o1777)
    for folder, _, names in os.walk(os.path.join(tree, "retrans_ctypes")):
        for name in names:
            os.chown(os.path.join(folder, name), NOBODY, NOBODY)
    code, out, err = load(tree)
    assert (code, out) == (0, [os.path.join(tree, "retrans_ctypes", LIBRARY_NAME)]), err


@pytest.mark.parametrize("name", ["json.py", "sqlite3.py", "retrans_ctypes/__init__.py", "sitecustomize.py"])
def test_the_bundle_imports_nothing_from_elsewhere(tree: str, name: str) -> None:
    """Neither the current folder nor PYTHONPATH, nor what PYTHONSTARTUP and PYTHONHOME say."""
    lib = os.path.join(tree, "lib")
    os.mkdir(lib)
    shutil.move(os.path.join(tree, "retrans_ctypes"), lib)
    shutil.copy(os.path.join(ROOT, "native", "bundle", "__main__.py"), lib)
    shutil.copy(os.path.join(ROOT, "native", "bundle", "retrans"), tree)
    with open_folder() as hostile:
        path = os.path.join(hostile, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(SING)
        code, out, err = commands.run(
            [os.path.join(tree, "retrans"), "doctor", "--json"], cwd=hostile,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": hostile, "PYTHONSTARTUP": path, "PYTHONHOME": hostile,
                 "CANARY": os.path.join(tree, "sang")})
    assert out and not os.path.exists(os.path.join(tree, "sang")), err
    tried.count("security", "module in the current folder or in PYTHONPATH (bundle)", "not imported")


def test_file_capabilities_and_preloads(tree: str, canary: str) -> None:
    """The loader drops them where a program brings rights of its own (AT_SECURE). Without, it takes them."""
    python = os.path.join(tree, "python3")
    shutil.copy(interpreters.anybodys(), python)
    library = os.path.join(tree, "canary.so")
    shutil.copy(canary, library)
    os.chmod(library, 0o755)
    os.chmod(tree, 0o777)
    environment = {"PATH": os.environ["PATH"], "LD_PRELOAD": library, "CANARY": os.path.join(tree, "sang")}
    heard = []
    for capabilities in ("", "cap_bpf,cap_perfmon+ep"):
        if capabilities:
            subprocess.run(["setcap", capabilities, python], check=True)
        code, _, err = commands.run(["setpriv", "--reuid=%d" % NOBODY, "--regid=%d" % NOBODY, "--clear-groups", "env",
                                     "CANARY=" + environment["CANARY"], "LD_PRELOAD=" + library, python, "-c", "pass"],
                                    env={"PATH": os.environ["PATH"]})
        assert code == 0, err
        heard.append(os.path.exists(environment["CANARY"]))
        if heard[-1]:
            os.remove(environment["CANARY"])
    assert heard == [True, False]
    tried.count("security", "LD_PRELOAD for an interpreter with file capabilities", "not loaded")
