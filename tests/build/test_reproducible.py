"""The same sources give the same bytes, wherever and by whomever they are built."""
import os
import zipfile
from typing import Any, Dict

import pytest
from building import AS_ANOTHER, BUILD, NATIVE, environment, make, make_as_another, read, run
from lab import tried

pytestmark = pytest.mark.reliability

BUILT = ("libtcpretrans.so", "libtcpretrans.a", "bpf/tcpretrans.skel.h")
PACKED = {"wheel": ".whl", "sdist": ".tar.gz", "bundle": (".tar.gz", ".pyz"), "sbom": ".cdx.json"}
# A copy without git, and no SOURCE_DATE_EPOCH: the oldest time that a zip file knows.
WITHOUT_GIT = "315619200"


def same(here: str, there: str) -> None:
    assert read(here) == read(there), here
    tried.count("security", "file built again in another folder", "same bytes")


def test_library_archive_and_programs(elsewhere: str) -> None:
    for name in BUILT:
        same(os.path.join(BUILD, name), os.path.join(elsewhere, "build", name))


def packed(native: str) -> Dict[str, str]:
    """Path of each packed file of this version, by folder and name."""
    found = {}
    for folder, ends in PACKED.items():
        place = os.path.join(native, "build", folder)
        for name in os.listdir(place):
            if name.endswith(ends) and "-metrics" not in name:
                found[folder + "/" + name] = os.path.join(place, name)
    return found


@pytest.fixture(scope="module")
def packed_elsewhere(elsewhere: str, tarballs: str) -> str:
    link = os.path.join(elsewhere, "build", "venv")
    if not os.path.lexists(link):
        os.symlink(os.path.join(BUILD, "venv"), link)
    make_as_another(elsewhere, "RETRANS_DIST=" + tarballs, "wheel", "sdist", "bundle", "pyz", "sbom")
    return elsewhere


@pytest.mark.full
def test_what_is_packed(packed_elsewhere: str) -> None:
    make(NATIVE, "wheel", "sdist", "sbom")
    make(NATIVE, "bundle", "pyz", env=environment(SOURCE_DATE_EPOCH=WITHOUT_GIT))
    here, there = packed(NATIVE), packed(packed_elsewhere)
    assert len(there) == 6 and set(there) <= set(here)
    for name in there:
        same(here[name], there[name])


@pytest.mark.full
def test_the_time_is_in_what_is_packed(packed_elsewhere: str) -> None:
    """So that the comparison above would find it if it were another."""
    (name,) = [name for name in packed(packed_elsewhere) if name.endswith(".pyz")]
    make(NATIVE, "pyz", env=environment(SOURCE_DATE_EPOCH="1700000000"))
    assert read(packed(NATIVE)[name]) != read(packed(packed_elsewhere)[name])
    with zipfile.ZipFile(packed(NATIVE)[name]) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(2023, 11, 14, 22, 13, 20)}


def test_another_user_is_one(tmp_path: Any) -> None:
    """What builds elsewhere: not this user, not this host, and its files are its own."""
    script = "id -u; hostname; umask; touch {0}; stat -c %a {0}".format(tmp_path / "made")
    assert run(AS_ANOTHER + ["sh", "-c", script]).split() == ["4242", "another", "0077", "600"]


def test_installed_files_are_for_everybody(tmp_path: Any) -> None:
    """Root's umask does not hide the licences of what root installs."""
    run(["sh", "-c", 'umask 077; exec make -C "$1" install MANUAL=no DESTDIR="$2" PREFIX=/usr', "sh", NATIVE, str(tmp_path)],
        env=environment())
    modes = {oct(os.stat(os.path.join(folder, name)).st_mode & 0o777)
             for folder, _, names in os.walk(str(tmp_path / "usr")) for name in names}
    assert modes == {"0o644", "0o755"}
