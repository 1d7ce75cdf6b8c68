# SPDX-License-Identifier: BSD-2-Clause
"""Find or fetch a pinned Python package of vendor/wheels.lock, verify it and unpack it.

    wheels.py NAME FOLDER

Files are looked for where those of sources.lock are; what is missing comes through the pip of the
Python that runs this.
"""
import os
import platform
import shutil
import signal
import subprocess
import sys
import zipfile
from typing import List, NamedTuple

import sources

LOCK = os.path.join(sources.NATIVE, "vendor", "wheels.lock")


class Wheel(NamedTuple):
    """One row of wheels.lock."""

    name: str
    version: str
    file: str
    sha256: str
    licence: str


def fail(message: str) -> None:
    sys.exit("wheels: " + message)


def read_lock() -> List[Wheel]:
    with open(LOCK, encoding="utf-8") as lock:
        return [Wheel(*line.split()) for line in lock if line.strip() and not line.startswith("#")]


def pinned(name: str) -> Wheel:
    """The row that fits this machine."""
    fitting = [wheel for wheel in read_lock() if wheel.name == name
               and wheel.file.endswith(("-any.whl", platform.machine() + ".whl"))]
    if not fitting:
        fail("{} pins no {} for {}".format(LOCK, name, platform.machine()))
    return fitting[0]


def fetch(wheel: Wheel) -> str:
    """Download into a scratch folder, verify, then move: a half-written file is never found later."""
    target = sources.user_folder() or sources.FETCHED
    scratch = os.path.join(sources.BUILD, "fetching", wheel.name)
    print("  FETCH   {} (through pip)".format(wheel.file), flush=True)
    try:
        status = subprocess.call(
            [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--retries", "2",
             "--no-deps", "--only-binary=:all:", "--dest", scratch, "{}=={}".format(wheel.name, wheel.version)],
            stdin=subprocess.DEVNULL)
        path = os.path.join(scratch, wheel.file)
        if status != 0 or not os.path.exists(path):
            fail("the pinned {} could not be fetched (pip's reason is above).\n"
                 "Put the following into {}, then run make again:\n  {}\n    sha256 {} (from PyPI)".format(
                     wheel.name, target, wheel.file, wheel.sha256))
        sources.verify(wheel.name, wheel.version, wheel.sha256, path)
        os.makedirs(target, exist_ok=True)
        return str(shutil.move(path, os.path.join(target, wheel.file)))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def obtain(wheel: Wheel) -> str:
    for folder in filter(None, (sources.user_folder(), sources.VENDOR, sources.FETCHED)):
        path = os.path.join(folder, wheel.file)
        if os.path.exists(path):
            sources.verify(wheel.name, wheel.version, wheel.sha256, path)
            return path
    return fetch(wheel)


def unpack(path: str, folder: str) -> None:
    scratch = folder + ".unpacking"
    for old in (folder, scratch):
        shutil.rmtree(old, ignore_errors=True)
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            unpacked = archive.extract(entry, scratch)
            if not entry.is_dir() and entry.external_attr >> 16 & 0o111:
                os.chmod(unpacked, 0o755)
    os.rename(scratch, folder)


def main(argv: List[str]) -> None:
    if len(argv) != 2:
        fail("usage: wheels.py NAME FOLDER")
    name, folder = argv
    wheel = pinned(name)
    path = obtain(wheel)
    print("  UNPACK  {} {}".format(wheel.name, wheel.version), flush=True)
    unpack(path, folder)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a traceback
    try:
        main(sys.argv[1:])
    except (OSError, zipfile.BadZipFile) as error:
        fail("{}; mend that, then run make again".format(error))
