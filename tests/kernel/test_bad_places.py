"""Wrong use and hostile places, end to end: one sentence, the documented exit code, nothing left."""
import json
import os
import shutil
import struct
import sys
from typing import Any, Dict, Iterator, List, Optional

import pytest
from lab import commands, interpreters, rights
from lab.link import V4, Lab
from lab.stage import LIBRARY_NAME, copy_package, open_folder
from lab.traffic import connecting

USAGE, RIGHTS, KERNEL, LIBRARY, OUTPUT, READER_GONE = 2, 3, 4, 5, 6, 141
AS_NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]
WITHOUT_CAPABILITIES = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--"]
BPF_AND_PERFMON = "+cap_39,+cap_38"  # by number: older setpriv does not know the names
E_MACHINE = 18  # where an ELF header names the processor
AARCH64 = 183


@pytest.fixture
def tree(nothing_left_behind: None) -> Iterator[str]:
    """A folder with a copy of the package, which every user may read."""
    with open_folder() as folder:
        copy_package(folder)
        yield folder


def run_copy(tree: str, *arguments: str, before: Optional[List[str]] = None, python: str = sys.executable,
             **variables: str) -> Any:
    """Run the copied package from its folder, with nothing of this process's environment."""
    environment: Dict[str, str] = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    environment.update(variables)
    return commands.run((before or []) + commands.module(*arguments, python=python),
                        cwd=tree, env=environment)


def damage(tree: str, content: bytes) -> None:
    with open(os.path.join(tree, "retrans_ctypes", LIBRARY_NAME), "wb") as library:
        library.write(content)


def good_library() -> bytes:
    with open(rights.LIBRARY, "rb") as library:
        return library.read()


def test_not_root(tree: str) -> None:
    code, _, err = run_copy(tree, before=AS_NOBODY, python=interpreters.anybodys())
    assert code == RIGHTS
    commands.one_sentence(err, "root", "CAP_BPF")


def test_root_without_capabilities(tree: str) -> None:
    code, _, err = run_copy(tree, before=WITHOUT_CAPABILITIES)
    assert code == RIGHTS
    commands.one_sentence(err, "CAP_BPF")


def test_two_capabilities_are_enough(tree: str) -> None:
    """What the sentence about missing rights asks for is all it takes, for any user."""
    as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                 "--inh-caps=" + BPF_AND_PERFMON, "--ambient-caps=" + BPF_AND_PERFMON, "--"]
    code, out, err = run_copy(tree, "--duration", "0.3", before=as_nobody, python=interpreters.anybodys())
    assert code == 0, err
    assert out[0].startswith(commands.BANNER)


def test_demo_not_root(tree: str) -> None:
    code, _, err = run_copy(tree, "demo", before=AS_NOBODY, python=interpreters.anybodys())
    assert code == RIGHTS
    commands.one_sentence(err, "root")


@pytest.mark.parametrize("limit", [6, 8, 10, 12])
def test_too_few_descriptors(tree: str, limit: int) -> None:
    code, _, err = run_copy(tree, before=["prlimit", "--nofile={}".format(limit), "--"])
    assert code == 1
    commands.one_sentence(err, "ulimit -n")


def test_no_sys(tree: str) -> None:
    hide = ["unshare", "--mount", "--propagation", "private", "sh", "-c",
            'mount -t tmpfs none /sys && exec "$@"', "sh"]
    code, _, err = run_copy(tree, before=hide)
    assert code == KERNEL
    commands.one_sentence(err, "BTF", "/sys")


def test_kernel_without_btf(tree: str) -> None:
    """An empty folder hides the kernel's BTF, in a mount namespace of its own."""
    empty = os.path.join(tree, "empty")
    os.mkdir(empty)
    hide = ["unshare", "--mount", "--propagation", "private", "sh", "-c",
            'mount --bind "$0" /sys/kernel/btf && exec "$@"', empty]
    code, _, err = run_copy(tree, before=hide)
    assert code == KERNEL
    commands.one_sentence(err, "BTF")


def test_library_missing(tree: str) -> None:
    os.remove(os.path.join(tree, "retrans_ctypes", LIBRARY_NAME))
    code, _, err = run_copy(tree)
    assert code == LIBRARY
    commands.one_sentence(err, LIBRARY_NAME)


def test_library_named_but_missing(tree: str) -> None:
    code, _, err = run_copy(tree, RETRANS_CTYPES_LIBRARY="/nowhere/libtcpretrans.so")
    assert code == LIBRARY
    commands.one_sentence(err, "/nowhere/libtcpretrans.so", "RETRANS_CTYPES_LIBRARY")


@pytest.mark.parametrize("share", [0.0, 0.0001, 0.05, 0.5, 0.9, 0.99])
def test_library_truncated(tree: str, share: float) -> None:
    """Cut anywhere, it is refused before the loader maps it: a mapped stump would be a bus error."""
    whole = good_library()
    damage(tree, whole[:int(len(whole) * share)])
    code, _, err = run_copy(tree)
    assert code == LIBRARY
    commands.one_sentence(err, LIBRARY_NAME)


def test_library_is_no_library(tree: str) -> None:
    damage(tree, b"#!/bin/sh\necho not a library\n" * 1000)
    code, _, err = run_copy(tree)
    assert code == LIBRARY
    commands.one_sentence(err, LIBRARY_NAME)


def test_library_of_another_architecture(tree: str) -> None:
    foreign = bytearray(good_library())
    machine = AARCH64 if os.uname().machine != "aarch64" else 62
    struct.pack_into("<H", foreign, E_MACHINE, machine)
    damage(tree, bytes(foreign))
    code, _, err = run_copy(tree)
    assert code == LIBRARY
    commands.one_sentence(err, "aarch64" if machine == AARCH64 else "x86_64", os.uname().machine)


def test_library_of_another_abi(tree: str) -> None:
    whole = good_library()
    assert b"0.1.0 abi 2\0" in whole
    damage(tree, whole.replace(b"0.1.0 abi 2\0", b"0.1.0 abi 9\0"))
    code, _, err = run_copy(tree)
    assert code == LIBRARY
    commands.one_sentence(err, "ABI", "9", "1")


@pytest.mark.parametrize("arguments", [
    ["--no-such-flag"], ["-4", "-6"], ["--duration", "-1"], ["--duration", "soon"],
    ["--duration", "nan"], ["no-such-command"], ["demo", "--no-such-flag"],
], ids=" ".join)
def test_wrong_usage(tree: str, arguments: List[str]) -> None:
    code, out, err = run_copy(tree, *arguments)
    assert code == USAGE
    assert out == []
    commands.one_sentence(err)


@pytest.mark.parametrize("option", ["--json", "-s"])
def test_reader_goes_away(lab: Lab, tree: str, option: str) -> None:
    """`| head -1`: the pipe breaks at the first line that nobody reads."""
    lines = 1 if option == "--json" else 3  # text begins with the banner and the header
    shell = ["bash", "-c", 'n=$0; "$@" | head -n "$n" >/dev/null; exit "${PIPESTATUS[0]}"', str(lines)]
    with connecting(lab.client, V4.dead, count=3):
        code, _, err = run_copy(tree, option, before=shell)
    assert code == READER_GONE
    text = "\n".join(err)
    assert "Traceback" not in text and "BrokenPipe" not in text and "Exception ignored" not in text


@pytest.mark.parametrize("arguments", [["--json"], ["-s"], ["-c", "--duration", "2"]], ids=" ".join)
def test_disk_full(lab: Lab, tree: str, arguments: List[str]) -> None:
    shell = ["sh", "-c", 'exec "$@" > /dev/full', "sh"]
    with connecting(lab.client, V4.dead):
        code, _, err = run_copy(tree, *arguments, before=shell)
    assert code == OUTPUT
    assert "Traceback" not in "\n".join(err)
    commands.one_sentence(err[-2:-1], "space")


def test_disk_fills_up_on_the_way(lab: Lab, tree: str) -> None:
    """A real file system of one page; what fits is whole lines that went before."""
    mounted = os.path.join(tree, "small")
    os.mkdir(mounted)
    shell = ["unshare", "--mount", "--propagation", "private", "sh", "-c",
             'mount -t tmpfs -o size=4k none "$0" && head -c 4000 /dev/zero > "$0"/out && exec "$@" >> "$0"/out',
             mounted]
    with connecting(lab.client, V4.dead, count=10):
        code, _, err = run_copy(tree, "--json", before=shell)
    assert code == OUTPUT
    commands.one_sentence(err[-2:-1], "space")


def test_no_stdout_at_all(lab: Lab, tree: str) -> None:
    shell = ["sh", "-c", 'exec "$@" >&-', "sh"]
    with connecting(lab.client, V4.dead):
        code, _, err = run_copy(tree, "--json", before=shell)
    assert code == OUTPUT
    commands.one_sentence(err)


def test_no_stderr_either(lab: Lab, tree: str) -> None:
    """With both closed there is nobody to tell, but the exit code still says it."""
    shell = ["sh", "-c", 'exec "$@" >/dev/full 2>&-', "sh"]
    with connecting(lab.client, V4.dead):
        code, _, _ = run_copy(tree, "--json", before=shell)
    assert code == OUTPUT


def test_without_stderr_only_json_is_on_stdout(lab: Lab, tree: str) -> None:
    """The banner and the last line belong to stderr; without one they must not go elsewhere."""
    shell = ["sh", "-c", 'exec "$@" 2>&-', "sh"]
    with connecting(lab.client, V4.dead):
        code, out, _ = run_copy(tree, "--json", "--duration", "1.5", before=shell)
    assert code == 0
    assert out and all(json.loads(line) for line in out)


def test_current_folder_is_never_searched(tree: str) -> None:
    """A library that lies in the current folder is somebody else's."""
    package = os.path.join(tree, "retrans_ctypes")
    shutil.move(os.path.join(package, LIBRARY_NAME), os.path.join(tree, LIBRARY_NAME))
    code, _, err = run_copy(tree)
    assert code == LIBRARY
    commands.one_sentence(err, LIBRARY_NAME)
