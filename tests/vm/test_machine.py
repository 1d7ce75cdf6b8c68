"""Running one command in a guest, and what is left after every kind of end."""
import glob
import os
import signal
import subprocess
import sys
import tempfile
import time
from typing import Any, List, Set

import pytest
from lab import commands

from . import image, kernels, places

pytestmark = pytest.mark.full
KERNEL = "5.10"


def argv(*words: str) -> List[str]:
    return [sys.executable, "-m", "vm"] + list(words)


def vm(*words: str) -> Any:
    return commands.run(argv(*words), 120, env=environment())


def environment() -> Any:
    return commands.environment(PYTHONPATH=os.pathsep.join(places.PYTHON_PATH))


def traces(folder: str) -> Set[str]:
    """Files, mounts and processes of runs that keep theirs in `folder`."""
    found = set(os.listdir(folder))
    with open("/proc/self/mounts") as table:
        found.update(line for line in table if folder in line)
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(path) as command:
                text = command.read()
        except OSError:
            continue  # it ended meanwhile
        if folder in text:
            found.add(text.replace("\0", " "))
    return found


@pytest.fixture(scope="module", autouse=True)
def kernel_there() -> None:
    """The first use of a kernel fetches it and says so; the tests begin after that."""
    image.of(kernels.Choice().get(KERNEL))


@pytest.fixture(autouse=True)
def nothing_left_behind(monkeypatch: pytest.MonkeyPatch) -> Any:
    with tempfile.TemporaryDirectory(prefix="retrans-test-") as folder:
        monkeypatch.setenv("TMPDIR", folder)
        yield
        assert traces(folder) == set()


def test_the_guest_sees_this_machine_and_changes_nothing(tmp_path: Any) -> None:
    for name in ("open", "closed"):
        (tmp_path / name).mkdir()
    code, out, err = vm("--writable", str(tmp_path / "open"), KERNEL, "--", "sh", "-c",
                        "uname -r; echo in >{0}/open/file; echo in >{0}/closed/file; cat {0}/closed/file; exit 7"
                        .format(tmp_path))
    assert (code, err) == (7, [])
    assert out[0].startswith("5.10.") and out[1] == "in"
    assert (tmp_path / "open" / "file").read_text() == "in\n"
    assert not (tmp_path / "closed" / "file").exists()


def test_btf_can_be_hidden() -> None:
    assert vm(KERNEL, "--", "ls", "/sys/kernel/btf")[1][-1] == "vmlinux"
    assert vm("--no-btf", KERNEL, "--", "ls", "/sys/kernel/btf")[1] == []


def test_a_guest_that_dies_leaves_its_last_words() -> None:
    code, _, err = vm(KERNEL, "--", "sh", "-c", "echo c >/proc/sysrq-trigger")
    assert code == 125
    assert "the guest ended without a word" in err[0] and any("sysrq triggered crash" in line for line in err)


def test_a_guest_that_hangs_is_ended() -> None:
    started = time.monotonic()
    code, _, err = vm("--timeout", "8", KERNEL, "--", "sleep", "1000")
    assert code == 124 and "not done after 8 s" in err[0]
    assert time.monotonic() - started < 60


@pytest.mark.parametrize("number, expected", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_that_is_interrupted(number: int, expected: int) -> None:
    with commands.Child(argv(KERNEL, "--", "sh", "-c", "echo up; sleep 1000"), env=environment()) as child:
        child.wait_line("up", seconds=60)
        assert len(traces(os.environ["TMPDIR"])) >= 3  # the folder and two processes: we would see them
        child.interrupt(number)
        assert child.end()[0] == expected


def test_a_kernel_that_is_not_there() -> None:
    code, out, err = vm("4.4", "--", "true")
    assert (code, out) == (1, [])
    commands.one_sentence(err, "no kernel 4.4", places.CACHE)


def test_a_run_needs_its_command() -> None:
    done = subprocess.run(argv(KERNEL), env=environment(), stderr=subprocess.PIPE, universal_newlines=True)
    assert done.returncode == 2 and "COMMAND" in done.stderr
