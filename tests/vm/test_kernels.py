"""Which kernel is taken, from an archive that is made up and a cache in a folder of the test."""
import hashlib
import os
from typing import Any, List, Sequence

import pytest

from . import archive, kernels
from .archive import NotFetched, Package

PARAGRAPH = "Package: {}\nVersion: {}\nSHA256: {}\nDepends: kmod{}\n"


def package(name: str, version: str, *parts: str) -> Package:
    depends = "".join(", {} (= {})".format(part, version) for part in parts)
    digest = hashlib.sha256((name + version).encode()).hexdigest()
    return Package(PARAGRAPH.format(name, version, digest, depends))


def put(folder: Any, one: Package) -> None:
    (folder / one.file).write_bytes((one.name + one.version).encode())


OLD = package("linux-image-5.10.0-45-cloud-amd64", "5.10.251-1")
NEW = package("linux-image-5.10.0-46-cloud-amd64", "5.10.262-1")
IMAGE = package("linux-image-7.3.4+deb13-cloud-amd64", "7.3.4-1~bpo13+1",
                "linux-binary-7.3.4+deb13-cloud-amd64", "linux-modules-7.3.4+deb13-cloud-amd64")
SPLIT = [package(name, IMAGE.version) for name in IMAGE.parts]


class FakeArchive:
    """Offers packages, of which some cannot be fetched."""

    offered: Sequence[List[Package]] = ()
    gone: Sequence[Package] = ()
    unreachable = False

    def __init__(self, folder: str) -> None:
        if self.unreachable:
            raise NotFetched("no network")

    def kernels(self) -> Sequence[List[Package]]:
        return self.offered

    def fetch(self, packages: Sequence[Package], target: str) -> None:
        for one in packages:
            if one in self.gone:
                raise NotFetched("404 Not Found")
            with open(os.path.join(target, one.file), "wb") as file:
                file.write((one.name + one.version).encode())


@pytest.fixture
def offer(monkeypatch: pytest.MonkeyPatch) -> Any:
    def set_up(*offered: List[Package], gone: Sequence[Package] = (), unreachable: bool = False) -> None:
        monkeypatch.setattr(kernels, "Archive", type("Offering", (FakeArchive,), {
            "offered": offered, "gone": gone, "unreachable": unreachable}))

    return set_up


def test_a_split_image_names_its_parts() -> None:
    assert IMAGE.parts == [part.name for part in SPLIT] and not NEW.parts
    assert archive.NAME.match(NEW.name) and not archive.NAME.match("linux-image-cloud-amd64")


def test_the_newest_is_fetched_once(offer: Any, tmp_path: Any, capfd: pytest.CaptureFixture[str]) -> None:
    offer([OLD], [NEW], SPLIT)
    for times in (1, 0):
        choice = kernels.Choice(str(tmp_path))
        assert choice.series() == ["5.10", "7.3"]
        assert choice.get("5.10") == kernels.Kernel("5.10.0-46", "5.10.262-1", (str(tmp_path / NEW.file),))
        assert len(choice.get("newest").debs) == 2
        assert capfd.readouterr().err.count("FETCH") == 2 * times


def test_an_archive_out_of_step_with_its_index(offer: Any, tmp_path: Any) -> None:
    offer([OLD], [NEW], SPLIT, gone=[NEW, SPLIT[1]])
    for series in ("5.10", "newest"):
        assert kernels.Choice(str(tmp_path)).get(series).version == OLD.version


def test_what_vanished_from_the_archive_is_in_the_cache(offer: Any, tmp_path: Any) -> None:
    offer(SPLIT)
    put(tmp_path, NEW)
    assert kernels.Choice(str(tmp_path)).get("5.10").version == NEW.version


def test_without_the_archive(offer: Any, tmp_path: Any) -> None:
    offer(unreachable=True)
    put(tmp_path, OLD)
    put(tmp_path, SPLIT[0])  # half a kernel is none
    choice = kernels.Choice(str(tmp_path))
    assert choice.problem and "no network" in choice.problem
    assert choice.series() == ["5.10"] and choice.get("newest").version == OLD.version
    with pytest.raises(NotFetched, match="no kernel 6.1: .*no network"):
        choice.get("6.1")


def test_a_damaged_file_is_fetched_again(offer: Any, tmp_path: Any) -> None:
    offer([NEW])
    (tmp_path / NEW.file).write_bytes(b"half")
    kernels.Choice(str(tmp_path)).get("5.10")
    assert not kernels.is_damaged(NEW, str(tmp_path / NEW.file))
