"""The unpacked wheel traces a retransmit with nothing but a Python: no compiler, no site-packages,
no environment, no network but a namespace of its own. Under every interpreter of this machine."""
import json
import os
import shutil
from contextlib import ExitStack
from typing import Any, Dict, List, Tuple

import pytest
from lab import commands, interpreters, rights, summary
from lab.counters import Counters
from lab.interpreters import Interpreter
from lab.link import V4, Lab
from lab.stage import open_folder
from lab.traffic import connecting

FOUND = interpreters.found()
INTERPRETERS = FOUND if rights.FULL else sorted({FOUND[0], FOUND[-1]})
BARE = ["-B", "-E", "-S", "-s"]  # no environment variables, no site-packages
EVERY_MODULE = """
import importlib, pkgutil, sys, retrans_ctypes
for module in pkgutil.walk_packages(retrans_ctypes.__path__, "retrans_ctypes."):
    if not module.name.endswith(("__main__", "libtcpretrans")):  # the .so is no Python module
        importlib.import_module(module.name)
assert not [name for name in sys.path if "packages" in name], sys.path
"""

each_interpreter = pytest.mark.parametrize("interpreter", INTERPRETERS,
                                           ids=[interpreter.name for interpreter in INTERPRETERS])


def start(lab: Lab, folder: str, path: str, interpreter: Interpreter, *arguments: str) -> commands.Child:
    """`env -i PATH=<empty> python ...` in the folder, inside the lab's client namespace."""
    argv = lab.client.argv([interpreter.path] + BARE + list(arguments))
    return commands.Child(argv, cwd=folder, env={"PATH": path})


@pytest.fixture(scope="module")
def traced(unpacked: str) -> Dict[Interpreter, Tuple[int, List[str], List[str]]]:
    """All interpreters trace at once, so that one retransmit serves them all."""
    with ExitStack() as stack:
        lab = stack.enter_context(Lab())
        nothing = stack.enter_context(open_folder())
        children = {interpreter: stack.enter_context(
            start(lab, unpacked, nothing, interpreter, "-m", "retrans_ctypes", "--json"))
            for interpreter in INTERPRETERS}
        counters = Counters(lab.client)
        ready = [child for child in children.values() if tracing(child)]
        with connecting(lab.client, V4.dead, 4061):
            counters.wait("TCPSynRetrans", 1)
            for child in ready:
                child.wait_line("4061")
        for child in ready:
            child.interrupt()
        return {interpreter: child.end() for interpreter, child in children.items()}


def tracing(child: commands.Child) -> bool:
    """Whether it came up; where it did not, its own test shows why."""
    try:
        child.wait_tracing(30)
    except AssertionError:
        return False
    return True


@each_interpreter
def test_wheel_traces_without_anything_else(traced: Any, interpreter: Interpreter) -> None:
    code, out, err = traced[interpreter]
    assert code == 0, err
    assert "Traceback" not in "\n".join(err)
    records = [json.loads(line) for line in out]
    mine = [record for record in records
            if record["type"] == "event" and (record["daddr"], record["dport"]) == (V4.dead, 4061)]
    assert {(record["reason"], record["segs"]) for record in mine} == {("syn", 1)}
    summary.say("air gap: traced with Python {} ({})".format(interpreter.name, interpreter.path))


@each_interpreter
def test_every_module_imports(unpacked: str, interpreter: Interpreter) -> None:
    code, _, err = commands.run([interpreter.path] + BARE + ["-c", EVERY_MODULE], cwd=unpacked, env={})
    assert (code, err) == (0, [])


def test_old_interpreters_were_tried() -> None:
    """Not a failure where they are missing, but nobody shall overlook it."""
    assert FOUND
    if interpreters.oldest_missing(FOUND):
        summary.warn("NEITHER PYTHON 3.6 NOR 3.7 WAS FOUND: nothing shows that the package still runs on them")


def test_demo_under_the_oldest_interpreter(unpacked: str) -> None:
    """The demo starts programs of its own, which must run under the same Python."""
    argv = [INTERPRETERS[0].path] + BARE + ["-m", "retrans_ctypes", "demo", "--duration", "2"]
    code, out, err = commands.run(argv, cwd=unpacked, env={"PATH": os.environ["PATH"]})
    assert code == 0, err
    assert any("R> " in line for line in out)
    assert "Traceback" not in "\n".join(err)


def test_noexec_folder(unpacked: str) -> None:
    """The loader only says 'failed to map segment'; the sentence must say noexec."""
    with open_folder() as folder:
        mounted = ["unshare", "--mount", "--propagation", "private", "sh", "-c",
                   'mount -t tmpfs -o noexec none "$0" && cp -R "$1"/. "$0" && cd "$0" && shift && exec "$@"',
                   folder, unpacked]
        code, _, err = commands.run(mounted + commands.module(), env={"PATH": os.environ["PATH"]})
    assert code == 5
    commands.one_sentence(err, "noexec", "libtcpretrans.so")


def test_straight_from_the_zip(wheel: str) -> None:
    """The library comes out of it by itself; test_pyz.py shows how."""
    with open_folder() as folder:
        archive = shutil.copy(wheel, os.path.join(folder, "tracer.zip"))
        code, out, err = commands.run(commands.module("--duration", "0.3"), cwd=folder,
                                      env={"PATH": os.environ["PATH"], "PYTHONPATH": archive})
        assert os.listdir(folder) == ["tracer.zip"]
    assert code == 0, err
    assert out[0].startswith(commands.BANNER)
