# SPDX-License-Identifier: BSD-2-Clause
"""Pack what a host needs to trace into one file: the same bytes from the same sources.

    bundle.py tar|pyz --library FILE --licences FOLDER --sbom FILE --version V --target NAME
              [--extra FOLDER]... [--manual FOLDER] OUT

tar: a folder with the start script, a README, share/ with man page and completions, and lib/ with the package,
its library, licences and bill of materials.
pyz: the same lib/ as a zip file that Python runs. An extra is an unpacked wheel, put into lib/ too.
"""
import argparse
import gzip
import io
import os
import subprocess
import sys
import tarfile
import time
import zipfile
from typing import Dict, Iterator, Tuple

NATIVE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
REPO = os.path.dirname(NATIVE)
PACKAGE = "retrans_ctypes"
MANUAL = {"retrans.1": "share/man/man1/retrans.1", "retrans.bash": "share/bash-completion/completions/retrans",
          "_retrans": "share/zsh/site-functions/_retrans"}
SBOM = PACKAGE + "/sboms/retrans_ctypes.cdx.json"
OLDEST_ZIP_TIME = 315619200  # 1980-01-02: a zip file knows no earlier time, and no time zone


def epoch() -> int:
    """SOURCE_DATE_EPOCH, else the time of the last commit, else of the oldest zip."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if not given and os.path.exists(os.path.join(REPO, ".git")):
        try:
            given = subprocess.check_output(["git", "-C", REPO, "log", "-1", "--format=%ct"],
                                            stderr=subprocess.DEVNULL, universal_newlines=True)
        except (OSError, subprocess.CalledProcessError):
            pass  # no git here, or no commit yet
    return max(int((given or "0").strip() or 0), OLDEST_ZIP_TIME)


def files_below(folder: str) -> Iterator[Tuple[str, str]]:
    """(path inside, path here) of each file that belongs to a release."""
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for name in names:
            if not name.endswith((".pyc", ".so")):
                path = os.path.join(place, name)
                yield os.path.relpath(path, folder), path


def content(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def library_folder(arguments: argparse.Namespace) -> Dict[str, bytes]:
    """What lies in lib/, by path."""
    packed = {os.path.join(PACKAGE, inside): content(path)
              for inside, path in files_below(os.path.join(REPO, "src", PACKAGE))}
    packed[PACKAGE + "/libtcpretrans.so"] = content(arguments.library)
    packed[PACKAGE + "/licenses/LICENSE"] = content(os.path.join(REPO, "LICENSE"))
    for inside, path in files_below(arguments.licences):
        packed[PACKAGE + "/licenses/" + inside] = content(path)
    packed[SBOM] = content(arguments.sbom)
    packed["__main__.py"] = content(os.path.join(NATIVE, "bundle", "__main__.py"))
    for extra in arguments.extra:
        packed.update((inside, content(path)) for inside, path in files_below(extra))
    return packed


def readme(arguments: argparse.Namespace, packed: Dict[str, bytes]) -> bytes:
    licences = ["lib/{}/licenses".format(PACKAGE)] + sorted(
        "lib/" + os.path.dirname(path) for path in packed if path.endswith(".dist-info/LICENSE"))
    text = content(os.path.join(NATIVE, "bundle", "README.in")).decode("utf-8")
    for name, value in (("version", arguments.version), ("target", arguments.target),
                        ("licences", " and ".join(licences))):
        text = text.replace("@{}@".format(name), value)
    return text.encode("utf-8")


def tar_entry(name: str, kind: bytes, size: int, mode: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.size, entry.mode, entry.mtime = kind, size, mode, epoch()
    return entry


def write_tar(arguments: argparse.Namespace) -> bytes:
    top = "retrans-ctypes-{}-{}".format(arguments.version, arguments.target)
    packed = library_folder(arguments)
    files = {"lib/" + path: data for path, data in packed.items()}
    files["README"] = readme(arguments, packed)
    files["retrans"] = content(os.path.join(NATIVE, "bundle", "retrans"))
    if arguments.manual:
        files.update((place, content(os.path.join(arguments.manual, name))) for name, place in MANUAL.items())
    folders = {os.path.dirname(path) for path in files}
    while any(os.path.dirname(folder) not in folders for folder in folders):
        folders |= {os.path.dirname(folder) for folder in folders}
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for folder in sorted(folders):
            tar.addfile(tar_entry(os.path.join(top, folder).rstrip("/"), tarfile.DIRTYPE, 0, 0o755))
        for path, data in sorted(files.items()):
            mode = 0o755 if path == "retrans" or path.endswith(".so") else 0o644
            tar.addfile(tar_entry(os.path.join(top, path), tarfile.REGTYPE, len(data), mode), io.BytesIO(data))
    return gzip_bytes(out.getvalue())


def gzip_bytes(data: bytes) -> bytes:
    out = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=out, mtime=epoch()) as packed:
        packed.write(data)
    return out.getvalue()


def write_pyz(arguments: argparse.Namespace) -> bytes:
    """What zipapp makes, without the times and the order of files here."""
    out = io.BytesIO()
    out.write(b"#!/usr/bin/env python3\n")
    moment = time.gmtime(epoch())[:6]
    with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as archive:
        for path, data in sorted(library_folder(arguments).items()):
            entry = zipfile.ZipInfo(path, moment)
            entry.external_attr = 0o644 << 16
            entry.create_system = 3  # Unix
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return out.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("kind", choices=("tar", "pyz"))
    parser.add_argument("--library", required=True)
    parser.add_argument("--licences", required=True)
    parser.add_argument("--sbom", required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--target", required=True)
    parser.add_argument("--extra", action="append", default=[])
    parser.add_argument("--manual")
    parser.add_argument("out")
    arguments = parser.parse_args()
    data = (write_tar if arguments.kind == "tar" else write_pyz)(arguments)
    os.makedirs(os.path.dirname(arguments.out), exist_ok=True)
    with open(arguments.out + ".new", "wb") as file:
        file.write(data)
    os.chmod(arguments.out + ".new", 0o755 if arguments.kind == "pyz" else 0o644)
    os.replace(arguments.out + ".new", arguments.out)
    print("native/{}: {} bytes".format(os.path.relpath(arguments.out, NATIVE), len(data)))


if __name__ == "__main__":
    try:
        main()
    except OSError as error:
        sys.exit("bundle: {}; mend that, then run make again".format(error))
