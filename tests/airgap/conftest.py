"""The wheel as a person carries it to another host: unpacked by hand, nothing else."""
import glob
import os
import subprocess
import zipfile
from typing import Iterator

import pytest
from lab.stage import open_folder

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


@pytest.fixture(autouse=True)
def each_leaves_nothing_behind(nothing_left_behind: None) -> None:
    """Every test here, whether it asks for that or not."""


@pytest.fixture(scope="session")
def wheel(kernel_rights: None) -> str:
    """The wheel that `make wheel` builds; where it is up to date this takes no time."""
    environment = {name: value for name, value in os.environ.items()
                   if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")}
    made = subprocess.run(["make", "-C", os.path.join(ROOT, "native"), "wheel"], env=environment,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
    if made.returncode != 0:
        pytest.fail("`make -C native wheel` failed:\n" + made.stdout, pytrace=False)
    built = glob.glob(os.path.join(ROOT, "native", "build", "wheel", "*.whl"))
    assert len(built) == 1, "expected one wheel in native/build/wheel, found {}".format(built)
    return built[0]


@pytest.fixture(scope="session")
def unpacked(wheel: str) -> Iterator[str]:
    """An empty folder into which the wheel, a zip file, was unpacked."""
    with open_folder() as folder:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
        yield folder
