"""`make pyz`: one file that Python runs. Its library is loaded from memory, or through a private folder."""
import json
import os
import shutil
import subprocess
import zipfile
from contextlib import ExitStack
from typing import Any, Dict, Iterator, List, Set, Tuple

import pytest
from lab import commands, interpreters, rights, summary
from lab.counters import Counters
from lab.interpreters import Interpreter
from lab.link import V4, Lab
from lab.stage import open_folder
from lab.traffic import connecting
from test_bundle import make

FOUND = interpreters.found()
INTERPRETERS = FOUND if rights.FULL else sorted({FOUND[0], FOUND[-1]})
OLDEST = FOUND[0]
BARE = ["-E", "-S", "-s"]
LIBRARY = 5

each_interpreter = pytest.mark.parametrize("interpreter", INTERPRETERS,
                                           ids=[interpreter.name for interpreter in INTERPRETERS])

# Where memory refuses, as fapolicyd or SELinux may: /proc/self/fd is not there to be loaded from. What
# else the tracer looks for in /proc stays.
PRIVATE = ["unshare", "--mount", "--propagation", "private", "sh", "-c"]
NO_MEMORY = 'mkdir "$0/none" && mount --bind "$0/none" /proc/$$/fd && '


@pytest.fixture(scope="module")
def pyz(kernel_rights: None) -> Iterator[str]:
    """The archive in a folder that is otherwise empty."""
    with open_folder() as folder:
        yield shutil.copy(make("pyz"), os.path.join(folder, "retrans.pyz"))


def places() -> Set[str]:
    """What lies where something could have been unpacked."""
    folders = ["/tmp", "/var/tmp", "/dev/shm", "/run", os.path.expanduser("~")]
    return {os.path.join(folder, name) for folder in folders for name in os.listdir(folder)
            if name.startswith(".retrans-")}


@pytest.fixture(autouse=True)
def nothing_unpacked(pyz: str) -> Iterator[None]:
    yield
    assert places() == set()
    assert os.listdir(os.path.dirname(pyz)) == ["retrans.pyz"]


def run(argv: List[str], **variables: str) -> Tuple[int, List[str], List[str]]:
    return commands.run(argv, env=dict({"PATH": os.environ["PATH"]}, **variables))


@pytest.fixture(scope="module")
def traced(pyz: str) -> Dict[Interpreter, Tuple[int, List[str], List[str]]]:
    """All of them at once, from the same file."""
    with ExitStack() as stack:
        lab = stack.enter_context(Lab())
        children = {interpreter: stack.enter_context(commands.Child(
            lab.client.argv([interpreter.path] + BARE + [pyz, "--json"]), env={"PATH": "/nowhere"}))
            for interpreter in INTERPRETERS}
        for child in children.values():
            child.wait_tracing(40)
        counters = Counters(lab.client)
        with connecting(lab.client, V4.dead, 4091):
            counters.wait("TCPSynRetrans", 1)
        for child in children.values():
            child.wait_line("4091")
        for child in children.values():
            child.interrupt()
        return {interpreter: child.end() for interpreter, child in children.items()}


@each_interpreter
def test_traces(traced: Any, interpreter: Interpreter) -> None:
    code, out, err = traced[interpreter]
    assert code == 0, err
    mine = [record for record in map(json.loads, out) if record["type"] == "event" and record["dport"] == 4091]
    assert {record["reason"] for record in mine} == {"syn"}  # a busy machine may see a second one


@pytest.mark.full
def test_demo(pyz: str) -> None:
    code, out, err = run([OLDEST.path, pyz, "demo", "--duration", "2"])
    assert code == 0, err
    assert any("R> " in line for line in out)


def test_runs_by_itself_and_names_itself(pyz: str) -> None:
    code, _, err = run([pyz, "--no-such-flag"])
    assert code == 2
    commands.one_sentence(err, "'python3 retrans.pyz --help'")


@each_interpreter
@pytest.mark.parametrize("name", ["retrans.pyz", "./retrans.pyz", "..//{}/./retrans.pyz"])
def test_runs_however_its_path_is_written(pyz: str, interpreter: Interpreter, name: str) -> None:
    folder = os.path.dirname(pyz)
    code, out, err = commands.run(
        ["sh", "-c", 'cd "$0" && exec "$@"', folder, interpreter.path, name.format(os.path.basename(folder)),
         "--version"], env={"PATH": os.environ["PATH"]})
    assert (code, err) == (0, [])
    assert out[1].startswith("libtcpretrans ") and " abi " in out[1]


def in_hostile_places(pyz: str, before: str, *arguments: str, **variables: str) -> Any:
    """Run it in a mount namespace of its own, after the shell commands `before`."""
    with open_folder() as scratch:
        return run(PRIVATE + [before + 'exec "$@"', scratch, OLDEST.path, pyz] + list(arguments), **variables)


@pytest.mark.parametrize("tmp", ["", "mount -t tmpfs -o noexec none /tmp && "])
def test_without_memory_a_private_folder(pyz: str, tmp: str) -> None:
    """And the next one, where /tmp is mounted noexec."""
    shutil.copy(pyz, "/var/tmp/retrans-test.pyz")
    try:
        code, out, err = in_hostile_places("/var/tmp/retrans-test.pyz", NO_MEMORY + tmp, "--duration", "0.3")
    finally:
        os.remove("/var/tmp/retrans-test.pyz")
    assert code == 0, err
    assert out[0].startswith(commands.BANNER)


def test_no_place_at_all_is_one_sentence(pyz: str) -> None:
    mounts = "".join('mount -t tmpfs -o noexec none "{}" && '.format(folder) for folder in (
        "/var/tmp", "/dev/shm", "/run"))
    with open_folder() as home:
        mounts += ("mount -o bind /tmp /tmp && mount -o remount,bind,noexec /tmp && "
                   "mount -t tmpfs -o uid=65534 none '{}' && ".format(home))
        code, out, err = in_hostile_places(pyz, NO_MEMORY + mounts, HOME=home)
    assert (code, out) == (LIBRARY, [])
    said = commands.one_sentence(err, "memory (", "/tmp (mounted noexec)", "/dev/shm (mounted noexec)", "TMPDIR")
    assert "belongs to another user" in said


@pytest.mark.full
def test_two_at_once_without_memory(pyz: str) -> None:
    with ExitStack() as stack:
        children = []
        for _ in range(4):
            scratch = stack.enter_context(open_folder())
            argv = PRIVATE + [NO_MEMORY + 'exec "$@"', scratch, OLDEST.path, pyz, "--duration", "1"]
            children.append(stack.enter_context(commands.Child(argv, env={"PATH": os.environ["PATH"]})))
        ended = [child.end(30) for child in children]
    assert [code for code, _, _ in ended] == [0, 0, 0, 0], ended


@pytest.mark.parametrize("damage", ["library missing", "library cut short"])
def test_damaged_archive(pyz: str, tmp_path: Any, damage: str) -> None:
    bad = str(tmp_path / "bad.pyz")
    with zipfile.ZipFile(pyz) as source, zipfile.ZipFile(bad, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name.endswith(".so"):
                if damage == "library missing":
                    continue
                data = data[:len(data) // 2]
            target.writestr(name, data)
    code, _, err = run([OLDEST.path, bad])
    assert code == LIBRARY
    commands.one_sentence(err, "bad.pyz/retrans_ctypes/libtcpretrans.so",
                          "not there" if damage == "library missing" else "cut short")


@pytest.mark.full
def test_same_bytes_twice(pyz: str) -> None:
    with open(pyz, "rb") as first, open(make("pyz"), "rb") as second:
        assert first.read() == second.read()


def test_python_2_gets_a_sentence(pyz: str) -> None:
    found = interpreters.pythons_2()
    if not found:
        summary.warn("NO PYTHON 2.7 HERE: what the .pyz tells it was not tried")
    for python in found:
        done = subprocess.run([python, pyz], stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
        assert done.returncode == 127
        commands.one_sentence(done.stderr.splitlines(), "Python 2.7", "3.6")
