"""Rules that keep the package portable and easy to vendor."""
import ast
import os
import subprocess
import sys
from typing import Any, Iterator, List, Tuple

import pytest
from places import REPOSITORY

PACKAGE = os.path.join(REPOSITORY, "src", "retrans_ctypes")
EXTRAS = {"arrays.py": {"numpy"}}  # what only an extra brings; nothing else in the package imports these
STANDALONE = {"cli/traffic.py"}  # run as programs of their own


def modules() -> Iterator[str]:
    for folder, _, names in os.walk(PACKAGE):
        for name in names:
            if name.endswith(".py"):
                yield os.path.relpath(os.path.join(folder, name), PACKAGE)


MODULES = sorted(modules())


def imports(module: str) -> List[Tuple[int, str]]:
    """(dots, name) of each import."""
    with open(os.path.join(PACKAGE, module), encoding="utf-8") as file:
        tree = ast.parse(file.read())
    found: List[Tuple[int, str]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(0, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [(node.level, "%s.%s" % (node.module or "", alias.name)) for alias in node.names]
    return found


def test_the_package_was_found() -> None:
    assert len(MODULES) > 15 and "tracer.py" in MODULES


@pytest.mark.parametrize("module", MODULES)
def test_own_modules_are_imported_relatively(module: str) -> None:
    """So that it works under any name."""
    assert not [name for level, name in imports(module) if level == 0 and name.startswith("retrans_ctypes")]


@pytest.mark.parametrize("module", MODULES)
def test_standard_library_only(module: str) -> None:
    if not hasattr(sys, "stdlib_module_names"):
        pytest.skip("this Python does not list its own modules; 3.10 does")
    names = {name.split(".")[0] for level, name in imports(module) if level == 0}
    assert names - EXTRAS.get(module, set()) <= set(sys.stdlib_module_names)
    assert "__future__" not in names and "dataclasses" not in names, "Python 3.6 has neither as needed"


def test_nothing_needs_what_an_extra_brings() -> None:
    needing = {os.path.splitext(module)[0] for module in EXTRAS}
    assert not [(module, name) for module in MODULES for level, name in imports(module)
                if level and needing & set(name.split("."))]


def test_ctypes_stays_at_the_boundary() -> None:
    using = {module for module in MODULES for level, name in imports(module)
             if level == 0 and name.split(".")[0] == "ctypes"}
    assert using == {"_abi.py", "_library.py", "_unpack.py"}


def test_two_modules_touch_the_library() -> None:
    using = {module for module in MODULES for level, name in imports(module)
             if level and {"_library", "_abi"} & set(name.split("."))}
    assert using == {"_library.py", "ndjson.py", "tracer.py"}


@pytest.mark.parametrize("module", MODULES)
def test_imports_flow_one_way(module: str) -> None:
    """cli -> screen, report -> sinks -> the rest. A screen shows events in the columns that text lines have,
    a report is the sink of a whole recording; what testing says goes to a terminal, so it makes that safe as
    sinks do."""
    below: Any = {
        "cli": set(), "screen": {"cli", "report"}, "report": {"cli", "screen"}, "sinks": {"cli", "screen", "report"},
        "testing.py": {"cli", "screen", "report"},
    }.get(module.split("/")[0], {"cli", "sinks", "screen", "report"})
    if module == "__main__.py":
        below = set()
    used = {part for level, name in imports(module) if level for part in name.split(".")}
    assert not used & below


@pytest.mark.parametrize("module", MODULES)
def test_files_are_small_and_say_what_they_are(module: str) -> None:
    with open(os.path.join(PACKAGE, module), encoding="utf-8") as file:
        text = file.read()
    assert text.count("\n") < 450
    assert ast.get_docstring(ast.parse(text))


def test_importing_loads_no_library() -> None:
    """Import works everywhere; only opening a tracer needs the .so."""
    environment = dict(os.environ, RETRANS_CTYPES_LIBRARY="/nowhere/lib.so")
    subprocess.run([sys.executable, "-W", "error", "-c", "import retrans_ctypes, retrans_ctypes.cli"],
                   env=environment, check=True)


def test_typed() -> None:
    assert os.path.exists(os.path.join(PACKAGE, "py.typed"))
    done = subprocess.run([sys.executable, "-m", "mypy", "--strict", PACKAGE], cwd=REPOSITORY,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
    assert done.returncode == 0, done.stdout
