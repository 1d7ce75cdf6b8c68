"""The pinned sources in bad places, and that nothing is made twice."""
import hashlib
import os
import shutil
import sys
from contextlib import contextmanager
from typing import Any, Iterator

import pytest
from building import BUILD, NATIVE, VENV_BIN, copy_tree, environment, make, read, run, where_tarballs_are

LIBBPF = "libbpf_1.5.0.orig.tar.gz"
LIBBPF_SHA256 = "53492aff6dd47e4da04ef5e672d753b9743848bdb38e9d90eafbe190b7983c44"
ELFUTILS = "elfutils_0.192.orig.tar.bz2"


def test_wrong_hash_stops_with_both_hashes(tmp_path: Any, tree: str) -> None:
    (tmp_path / LIBBPF).write_bytes(b"not libbpf")
    wrong = hashlib.sha256(b"not libbpf").hexdigest()
    said = make(tree, "deps", "RETRANS_DIST={}".format(tmp_path), code=2)
    assert LIBBPF in said and LIBBPF_SHA256 in said and wrong in said
    assert "Traceback" not in said
    assert not os.path.exists(os.path.join(tree, "build", "src"))


def test_file_beside_the_pins_is_used_and_checked(tree: str) -> None:
    with open(os.path.join(tree, "vendor", "libbpf", ELFUTILS), "wb") as file:
        file.write(read(where_tarballs_are()[ELFUTILS])[:-1])
    said = make(tree, "deps", code=2)
    assert os.path.join(tree, "vendor", "libbpf", ELFUTILS) in said and "expected" in said


@pytest.mark.parametrize("why", ["no network", "no apt"])
def test_without_files_says_which_to_put_where(tree: str, tmp_path: Any, why: str) -> None:
    before, settings = ["unshare", "--net"], environment()
    if why == "no apt":
        settings["PATH"] = path_without(tmp_path, "apt-get")
    said = make(tree, "deps", code=2, before=before, env=settings)
    for name, sha256 in pins():
        assert name in said and sha256 in said
    assert os.path.join(tree, "vendor", "libbpf") in said and "RETRANS_DIST" in said
    assert "Traceback" not in said


def pins() -> Any:
    with open(os.path.join(NATIVE, "vendor", "libbpf", "sources.lock")) as lock:
        return [tuple(line.split()[2:4]) for line in lock if line.strip() and not line.startswith("#")]


def path_without(folder: Any, *hidden: str) -> str:
    """A PATH of one folder with links to every command but some."""
    commands = folder / "commands"
    commands.mkdir()
    for place in os.environ["PATH"].split(os.pathsep) + ["/usr/sbin", "/sbin"]:
        for name in os.listdir(place) if os.path.isdir(place) else []:
            link = commands / name
            if name not in hidden and not link.is_symlink():
                link.symlink_to(os.path.join(place, name))
    return str(commands)


def test_second_build_does_nothing(elsewhere: str, tarballs: str) -> None:
    assert make(elsewhere, "RETRANS_DIST=" + tarballs) == ""
    assert make(elsewhere) == ""


@contextmanager
def appended(path: str, text: str) -> Iterator[None]:
    """A change that no result shows, taken back afterwards."""
    before, times = read(path), os.stat(path)
    with open(path, "a") as file:
        file.write(text)
    yield
    with open(path, "wb") as restored:
        restored.write(before)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_changed_header_rebuilds_what_includes_it(elsewhere: str) -> None:
    with appended(os.path.join(elsewhere, "tcpretrans_event.h"), "/* changed */\n"):
        said = make(elsewhere)
    for step in ("CLANG ", "SKEL ", "CC      libtcpretrans.c", "LINK ", "AR      build/libtcpretrans.a"):
        assert step in said
    assert "BUILD" not in said and "UNPACK" not in said


def test_changed_map_links_again(elsewhere: str) -> None:
    with appended(os.path.join(elsewhere, "libtcpretrans.map"), "/* changed */\n"):
        said = make(elsewhere)
    assert "LINK " in said and "CC " not in said and "BUILD" not in said


def test_changed_flag_rebuilds_what_uses_it(elsewhere: str) -> None:
    make(elsewhere, "LIBBPF=system")
    said = make(elsewhere, "LIBBPF=system", "CPPFLAGS=-DCHANGED")
    assert "CC      libtcpretrans.c" in said and "LINK " in said and "CLANG" not in said
    assert make(elsewhere) == ""  # another build, with flags of its own


def test_clean_removes_everything(elsewhere: str, tmp_path: Any) -> None:
    native = copy_tree(str(tmp_path / "tree"))
    before = sorted(os.walk(native))
    shutil.copytree(os.path.join(elsewhere, "build", "licenses"), os.path.join(native, "build", "licenses"))
    make(native, "clean")
    assert sorted(os.walk(native)) == before


def test_the_build_writes_below_one_folder(elsewhere: str, tmp_path: Any) -> None:
    fresh = copy_tree(str(tmp_path / "tree"))

    def files(native: str) -> Any:
        top = os.path.dirname(native)
        return {os.path.relpath(os.path.join(folder, name), top)
                for folder, _, names in os.walk(top) for name in names
                if not os.path.relpath(folder, top).startswith("native/build")}
    assert files(elsewhere) == files(fresh)


def test_help_names_every_target() -> None:
    said = make(NATIVE, "help")
    for target in ("deps", "all", "run", "test", "check", "install", "wheel", "sdist", "portable",
                   "bundle", "pyz", "manual", "clean"):
        assert "\n  {} ".format(target) in said


WHEEL = "prometheus_client-0.17.1-py3-none-any.whl"


def wheel_of(tree: str, dist: Any) -> str:
    """Unpack one that cannot be had, without network."""
    return run(["unshare", "--net", os.path.join(VENV_BIN, "python"), os.path.join(tree, "scripts", "wheels.py"),
                "prometheus-client", os.path.join(tree, "unpacked")], 1, env=environment(RETRANS_DIST=str(dist)))


def test_wheel_with_a_wrong_hash_is_refused(tree: str, tmp_path: Any) -> None:
    (tmp_path / WHEEL).write_bytes(b"not prometheus-client")
    said = wheel_of(tree, tmp_path)
    assert WHEEL in said and "expected" in said and hashlib.sha256(b"not prometheus-client").hexdigest() in said
    assert not os.path.exists(os.path.join(tree, "unpacked"))


def test_wheel_without_network_says_what_to_put_where(tree: str, tmp_path: Any) -> None:
    said = wheel_of(tree, tmp_path)
    assert WHEEL in said and str(tmp_path) in said and "sha256" in said and "Traceback" not in said


def test_unknown_libbpf_is_refused() -> None:
    assert "neither 'pinned'" in make(NATIVE, "LIBBPF=mine", code=2)
    for goal in ("bundle", "PORTABLE=x86_64-musl"):
        assert "for this machine alone" in make(NATIVE, "LIBBPF=system", goal, code=2)
    assert run([sys.executable, os.path.join(NATIVE, "scripts", "sources.py")], code=1).startswith("sources: usage")
