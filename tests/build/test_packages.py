"""The wheel and the sdist."""
import os
import platform
import re
import shutil
import zipfile
from typing import Any, Iterator

import pytest
from building import BUILD, NATIVE, REPO, VENV_BIN, environment, make, read, run

LICENCES = ("LICENSE", "NOTICE", "libbpf/LICENSE.BSD-2-Clause", "libbpf/LICENSE.LGPL-2.1",
            "libelf/COPYING-GPLV2", "libelf/COPYING-LGPLV3", "zlib/LICENSE")

# Everything that an offline builder does not have; /dev/null over a command makes it no command.
HIDDEN = ("clang", "clang-14", "bpftool", "bzip2", "apt-get", "pkg-config")
HIDE = 'for tool in {}; do p=$(command -v $tool) && mount --bind /dev/null "$p"; done; exec "$@"'


def only_file(folder: str, end: str) -> str:
    (name,) = [name for name in os.listdir(folder) if name.endswith(end)]
    return os.path.join(folder, name)


@pytest.fixture(scope="module")
def wheel() -> str:
    make(NATIVE, "wheel")
    return only_file(os.path.join(BUILD, "wheel"), ".whl")


@pytest.fixture(scope="module")
def unpacked_sdist(tmp_path_factory: Any) -> Iterator[str]:
    make(NATIVE, "sdist")
    folder = str(tmp_path_factory.mktemp("sdist"))
    run(["tar", "-xf", only_file(os.path.join(BUILD, "sdist"), ".tar.gz"), "-C", folder])
    yield only_file(folder, "")
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def offline_wheel(unpacked_sdist: str) -> str:
    """Built from the sdist with no network, no clang, no bpftool, no apt."""
    out = os.path.join(unpacked_sdist, "made")
    hide = ["unshare", "--net", "--mount", "sh", "-c", HIDE.format(" ".join(HIDDEN)), "sh"]
    said = run(hide + [os.path.join(VENV_BIN, "python"), "-m", "build", "--wheel", "--no-isolation",
                       "--outdir", out, unpacked_sdist])
    assert "SHIPPED" in said and "FETCH" not in said and "CLANG" not in said
    return only_file(out, ".whl")


def test_tag(wheel: str) -> None:
    machine = platform.machine()
    assert os.path.basename(wheel) == (
        "retrans_ctypes-0.1.0-py3-none-manylinux_2_17_{0}.manylinux2014_{0}.whl".format(machine))


def test_auditwheel_agrees(wheel: str) -> None:
    said = run([os.path.join(VENV_BIN, "auditwheel"), "show", wheel])
    tag = re.search(r'platform tag:\s*"([^"]+)"', said)
    assert tag and tag.group(1) == "manylinux_2_17_" + platform.machine(), said


def test_wheel_holds_package_library_and_licences(wheel: str) -> None:
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read("retrans_ctypes/libtcpretrans.so") == read(os.path.join(BUILD, "libtcpretrans.so"))
        for name in LICENCES:
            assert len(archive.read("retrans_ctypes/licenses/" + name)) > 500, name
        notice = archive.read("retrans_ctypes/licenses/NOTICE").decode()
        assert not [name for name in archive.namelist() if "__pycache__" in name]
    for row in ("libbpf 1.5.0", "libelf 0.192", "zlib 1.3.1"):
        assert row in notice


def test_one_version_everywhere(wheel: str) -> None:
    header = read(os.path.join(NATIVE, "libtcpretrans.h")).decode()
    package = read(os.path.join(REPO, "src", "retrans_ctypes", "__init__.py")).decode()
    (version,) = re.findall(r'TCPRETRANS_VERSION "(.*)"', header)
    assert re.findall(r'^__version__ = "(.*)"', package, re.MULTILINE) == [version]
    assert "retrans_ctypes-{}-".format(version) in wheel


def test_second_wheel_is_the_first(wheel: str) -> None:
    before = os.stat(wheel).st_mtime_ns
    make(NATIVE, "wheel")
    assert os.stat(wheel).st_mtime_ns == before


@pytest.mark.full
def test_sdist_builds_offline_to_the_same_bytes(offline_wheel: str, wheel: str) -> None:
    assert os.path.basename(offline_wheel) == os.path.basename(wheel)
    assert read(offline_wheel) == read(wheel)


@pytest.mark.full
def test_skeleton_of_other_sources_is_refused(unpacked_sdist: str, offline_wheel: str) -> None:
    native = os.path.join(unpacked_sdist, "native")
    with open(os.path.join(native, "bpf", "tcpretrans.bpf.c"), "a") as program:
        program.write("/* changed */\n")
    said = make(native, code=2)
    assert "made from other BPF sources" in said and "delete it" in said




@pytest.fixture(scope="module")
def installed_wheel(wheel: str, tmp_path_factory: Any) -> str:
    """A virtual environment with the wheel in it, and nothing else."""
    folder = str(tmp_path_factory.mktemp("installed") / "venv")
    run([os.path.join(VENV_BIN, "python"), "-m", "venv", "--without-pip", folder])
    run([os.path.join(VENV_BIN, "python"), "-m", "pip", "--python", os.path.join(folder, "bin", "python"), "install",
         "--quiet", "--no-index", "--disable-pip-version-check", wheel])
    return folder


def test_installed_wheel_has_the_command(installed_wheel: str, tmp_path: Any) -> None:
    command = os.path.join(installed_wheel, "bin", "retrans")
    changed = {name: value for name, value in environment(COLUMNS="80").items()
               if name not in ("PYTHONPATH", "RETRANS_CTYPES_LIBRARY")}
    said = run([command, "--version"], env=changed, cwd=str(tmp_path))
    assert installed_wheel in said and said.endswith("/retrans_ctypes/libtcpretrans.so\n")
    assert "  retrans count --by remote" in run([command, "count", "--help"], env=changed)
    assert "did you mean 'count'?" in run([command, "cuont"], 2, env=changed)


def test_installed_wheel_has_manual_and_completions(installed_wheel: str) -> None:
    for name in ("man/man1/retrans.1", "bash-completion/completions/retrans", "zsh/site-functions/_retrans"):
        assert b"retrans" in read(os.path.join(installed_wheel, "share", name))
    # what `man retrans` looks at: the share folder beside the bin folder that is in PATH
    assert run(["man", "-w", "retrans"], env=environment(PATH=os.path.join(installed_wheel, "bin") + ":" + os.environ["PATH"])) \
        == os.path.join(installed_wheel, "share", "man", "man1", "retrans.1") + "\n"
