# SPDX-License-Identifier: BSD-2-Clause
"""Find, fetch, verify and unpack the pinned third-party sources of vendor/libbpf/sources.lock.

    sources.py unpack   fill build/src and build/licenses
    sources.py where    print the path of each verified tarball

Only the standard library and, where a file has to be fetched, apt-get: no tar, bzip2 or sha256sum.
"""
import hashlib
import os
import shutil
import signal
import sys
import tarfile
from typing import Dict, List, NamedTuple, Optional

import debian_source

NATIVE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENDOR = os.path.join(NATIVE, "vendor", "libbpf")
BUILD = os.path.join(NATIVE, "build")
FETCHED = os.path.join(BUILD, "tarballs")


class Source(NamedTuple):
    """One row of sources.lock."""

    name: str
    version: str
    file: str
    sha256: str
    licence: str
    package: str
    suite: str


def fail(message: str) -> None:
    sys.exit("sources: " + message)


def read_lock() -> List[Source]:
    path = os.path.join(VENDOR, "sources.lock")
    with open(path, encoding="utf-8") as lock:
        rows = [line.split() for line in lock if line.strip() and not line.startswith("#")]
    for row in rows:
        if len(row) != len(Source._fields):
            fail("{}: a row needs {}: {}".format(path, " ".join(Source._fields), " ".join(row)))
    return [Source(*row) for row in rows]


def user_folder() -> Optional[str]:
    """Where RETRANS_DIST says that the user keeps the files."""
    folder = os.environ.get("RETRANS_DIST")
    return os.path.abspath(folder) if folder else None


def sha256_of(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def verify(name: str, version: str, sha256: str, path: str) -> None:
    found = sha256_of(path)
    if found != sha256:
        fail("{} is not the pinned {} {}: wrong sha256.\n"
             "  expected {}\n  found    {}\n"
             "Put the right file there, or delete it to have it fetched."
             .format(path, name, version, sha256, found))


def locate(sources: List[Source]) -> Dict[str, str]:
    """The verified path of each source that is on this machine, by file name."""
    found = {}
    for source in sources:
        for folder in filter(None, (user_folder(), VENDOR, FETCHED)):
            path = os.path.join(folder, source.file)
            if os.path.exists(path):
                verify(source.name, source.version, source.sha256, path)
                found[source.file] = path
                break
    return found


def fetch(missing: List[Source]) -> Dict[str, str]:
    """Download into a scratch folder, verify, then move: a half-written file is never found later."""
    target = user_folder() or FETCHED
    scratch = os.path.join(BUILD, "fetching")
    found = {}
    try:
        for suite in sorted({source.suite for source in missing}):
            wanted = [source for source in missing if source.suite == suite]
            print("  FETCH   {} (Debian {}, through apt)".format(
                " ".join(source.file for source in wanted), suite), flush=True)
            debian_source.download(
                [(source.package, source.file) for source in wanted], suite, scratch)
        os.makedirs(target, exist_ok=True)
        for source in missing:
            path = os.path.join(scratch, source.file)
            verify(source.name, source.version, source.sha256, path)
            found[source.file] = shutil.move(path, os.path.join(target, source.file))
    except debian_source.NotFetched as error:
        ask_for_files(missing, str(error))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return found


def ask_for_files(missing: List[Source], reason: str) -> None:
    rows = "".join("\n  {}\n    sha256 {} (Debian source package {}, {})".format(
        source.file, source.sha256, source.package, source.suite) for source in missing)
    fail("the pinned sources could not be fetched: {}\n"
         "Put the following into {}, then run make again:{}".format(
             reason, user_folder() or VENDOR + " (or a folder that RETRANS_DIST names)", rows))


def obtain() -> Dict[str, str]:
    sources = read_lock()
    found = locate(sources)
    missing = [source for source in sources if source.file not in found]
    if missing:
        found.update(fetch(missing))
    return found


def unpack_one(source: Source, tarball: str) -> str:
    """Unpack to build/src/NAME, without the top folder whose name holds the version."""
    target = os.path.join(BUILD, "src", source.name)
    scratch = target + ".unpacking"
    for folder in (target, scratch):
        shutil.rmtree(folder, ignore_errors=True)
    print("  UNPACK  {} {}".format(source.name, source.version), flush=True)
    with tarfile.open(tarball) as tar:
        if hasattr(tarfile, "data_filter"):
            tar.extractall(scratch, filter="data")
        else:
            tar.extractall(scratch)
    (top,) = os.listdir(scratch)
    os.rename(os.path.join(scratch, top), target)
    os.rmdir(scratch)
    return target


def collect_licences(sources: List[Source]) -> None:
    """The licence texts, and one page that says which belongs to what, for wheel and install."""
    target = os.path.join(BUILD, "licenses")
    shutil.rmtree(target, ignore_errors=True)
    contents = ""
    for source in sources:
        tree = os.path.join(BUILD, "src", source.name)
        os.makedirs(os.path.join(target, source.name))
        for name in sorted(os.listdir(tree)):
            if name.startswith(("LICENSE", "COPYING")):
                shutil.copyfile(os.path.join(tree, name), os.path.join(target, source.name, name))
        contents += "{:<19} {} ({}/)\n{:<19} from {}\n{:<19} sha256 {}\n".format(
            source.name + " " + source.version, source.licence.replace("_", " "), source.name,
            "", source.file, "", source.sha256)
    with open(os.path.join(VENDOR, "NOTICE.in"), encoding="utf-8") as template:
        text = template.read().replace("@CONTENTS@\n", contents)
    with open(os.path.join(target, "NOTICE"), "w", encoding="utf-8") as notice:
        notice.write(text)


def main(argv: List[str]) -> None:
    if argv == ["where"]:
        print("\n".join(obtain().values()))
    elif argv == ["unpack"]:
        found = obtain()
        sources = read_lock()
        for source in sources:
            unpack_one(source, found[source.file])
        collect_licences(sources)
    else:
        fail("usage: sources.py unpack | where")


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a traceback
    try:
        main(sys.argv[1:])
    except OSError as error:
        fail("{}; mend that, then run make again".format(error))
