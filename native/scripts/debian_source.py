# SPDX-License-Identifier: BSD-2-Clause
"""Ask Debian's archive with a private apt configuration; download tarballs of source packages.

The machine's own sources.list stays as it is, and need not know the suite: only the mirror (and
proxies) that it names are used, so that nothing here has to name one. Works without root.
"""
import os
import re
import subprocess
from typing import List, Sequence, Tuple

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


class NotFetched(Exception):
    """Why there are no files, in one sentence."""


def apt_get(arguments: Sequence[str], folder: str, program: str = "apt-get") -> Tuple[int, str, str]:
    """Run apt-get (or apt-cache) in `folder`: exit status, output, errors."""
    try:
        process = subprocess.Popen(
            [program] + list(arguments), cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL, universal_newlines=True, env=dict(os.environ, LC_ALL="C"))
    except FileNotFoundError:
        raise NotFetched("this machine has no " + program)
    output, errors = process.communicate()
    return process.returncode, output, errors


def mirrors(folder: str, archive: str = "debian") -> List[str]:
    """Addresses of Debian archives that apt is set up to use; asks neither network nor lists.

    `archive` may also be debian-security, which by convention lies beside the main one.
    """
    override = os.environ.get("RETRANS_MIRROR")
    if override:
        return [override.rstrip("/") + archive[len("debian"):]]
    _, output, _ = apt_get(["--print-uris", "update"], folder)
    found = []  # type: List[str]
    for uri in re.findall(r"^'([^']+?)/+dists/", output, re.MULTILINE):
        if uri.endswith("/" + archive) and uri not in found:
            found.append(uri)
    return found


def source_line(kind: str, uri: str, suite: str) -> str:
    """A line of sources.list; `kind` is deb or deb-src."""
    trust = "[signed-by={}] ".format(KEYRING) if os.path.exists(KEYRING) else ""
    return "{} {}{} {} main\n".format(kind, trust, uri, suite)


def private_options(lines: Sequence[str], folder: str) -> List[str]:
    """apt options that confine it to these lines and to files below `folder`."""
    with open(os.path.join(folder, "sources.list"), "w", encoding="utf-8") as sources:
        sources.writelines(lines)
    for name in ("lists/partial", "cache/archives/partial"):
        os.makedirs(os.path.join(folder, name), exist_ok=True)
    settings = {
        "Dir::Etc::sourcelist": os.path.join(folder, "sources.list"),
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State::Lists": os.path.join(folder, "lists"),
        "Dir::Cache": os.path.join(folder, "cache"),
        "APT::Sandbox::User": "root",  # the sandbox user could not write below a private folder
        "Acquire::Languages": "none",
        "Acquire::Retries": "2",
        "Acquire::http::Timeout": "30",
        "Acquire::https::Timeout": "30",
        "Debug::NoLocking": "1",
    }
    return ["-q"] + [word for item in settings.items() for word in ("-o", "=".join(item))]


def reason(errors: str) -> str:
    """The line of apt's errors that tells most: the failed download, not its consequence."""
    lines = errors.strip().splitlines() or ["apt-get failed without a word"]
    for line in lines:
        if "Failed to fetch" in line:
            return re.sub(r"^[EW]: ", "", line).strip()
    return re.sub(r"^[EW]: ", "", lines[-1]).strip()


def download_from(uri: str, packages: Sequence[Tuple[str, str]], suite: str, folder: str) -> None:
    options = private_options([source_line("deb-src", uri, suite)], folder)
    _, _, update_errors = apt_get(options + ["update"], folder)
    for package, file in packages:
        # A point release may replace the pinned Debian revision; the original tarball stays.
        for name in (package, package.split("=")[0]):
            status, _, errors = apt_get(
                options + ["source", "--download-only", "--tar-only", name], folder)
            if status == 0 and os.path.exists(os.path.join(folder, file)):
                break
        else:
            raise NotFetched(reason(update_errors + errors) if status else
                             "{} of {} no longer has {}".format(name, suite, file))


def download(packages: Sequence[Tuple[str, str]], suite: str, folder: str) -> None:
    """Put the file of each (package=version, file) into `folder`. Raises NotFetched."""
    os.makedirs(folder, exist_ok=True)
    uris = mirrors(folder)
    if not uris:
        raise NotFetched("apt on this machine knows no Debian archive (RETRANS_MIRROR can name one)")
    for uri in uris:
        try:
            return download_from(uri, packages, suite, folder)
        except NotFetched as error:
            failure = error
    raise failure
