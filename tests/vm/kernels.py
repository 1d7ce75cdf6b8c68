"""The newest kernel of a series, from Debian's archive or from the cache of those fetched before."""
import hashlib
import os
import re
import sys
from typing import Dict, List, NamedTuple, Optional, Tuple

from . import places
from .archive import FLAVOUR, Archive, NotFetched, Package

FILE = re.compile(r"^linux-(image|binary|modules)-(\S+)-" + FLAVOUR + r"_([^_]+)_amd64\.deb$")


class Kernel(NamedTuple):
    """One kernel, as packages in the cache."""

    release: str              # as uname -r says, without the flavour
    version: str              # of the packages
    debs: Tuple[str, ...]     # paths

    @property
    def name(self) -> str:
        """Upstream's version."""
        return self.version.split("-")[0]


def order(version: str) -> List[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


def cached(folder: str) -> List[Kernel]:
    """Every whole kernel in the cache."""
    parts: Dict[Tuple[str, str], Dict[str, str]] = {}
    for name in os.listdir(folder) if os.path.isdir(folder) else []:
        match = FILE.match(name)
        if match:
            kind, release, version = match.groups()
            parts.setdefault((release, version), {})[kind] = os.path.join(folder, name)
    return [Kernel(release, version, tuple(sorted(kinds.values())))
            for (release, version), kinds in parts.items()
            if set(kinds) in ({"image"}, {"binary", "modules"})]


def is_damaged(package: Package, path: str) -> bool:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return bool(digest.hexdigest() != package.sha256)


def series_of(version: str) -> str:
    return ".".join(version.split(".")[:2])


class Choice:
    """The kernels that can be had: the archive's, and those in the cache.

    Where the archive cannot be asked, `problem` says why, and the cache alone is used.
    """

    def __init__(self, folder: str = places.CACHE, ask: bool = True) -> None:
        self.folder = folder
        self.problem: Optional[str] = None
        self.cached = {kernel.version: kernel for kernel in cached(folder)}
        self.offered: Dict[str, List[Package]] = {}
        self.archive: Optional[Archive] = None
        if ask:
            try:
                self.archive = Archive(os.path.join(places.WORK, "apt"))
                self.offered = {packages[0].version: packages for packages in self.archive.kernels()}
            except NotFetched as error:
                self.problem = "Debian's archive cannot be asked ({})".format(error)

    def versions(self, series: str) -> List[str]:
        """Newest first."""
        found = [version for version in set(self.cached) | set(self.offered)
                 if series_of(version) == series]
        return sorted(found, key=order, reverse=True)

    def series(self) -> List[str]:
        """Oldest first."""
        return sorted({series_of(version) for version in set(self.cached) | set(self.offered)}, key=order)

    def get(self, series: str) -> Kernel:
        """The newest kernel of `series`, fetched where need be; "newest" is the newest of all.

        An index can be out of step with its pool: then it is the newest that is really there.
        """
        if series in self.cached:  # an exact version
            return self.cached[series]
        versions = self.versions(series)
        if series == "newest":
            versions = [version for one in reversed(self.series()) for version in self.versions(one)]
        failure = "there is none, neither in Debian's archive nor in {}".format(self.folder)
        for version in versions:
            try:
                return self._obtain(version)
            except NotFetched as error:
                failure = str(error)
        if self.problem:
            failure = "there is none in {}, and {}".format(self.folder, self.problem)
        raise NotFetched("no kernel {}: {}".format(series, failure))

    def _obtain(self, version: str) -> Kernel:
        packages = self.offered.get(version, [])
        missing = [package for package in packages if self._is_missing(package)]
        if missing:
            assert self.archive is not None
            names = " ".join(package.name for package in missing)
            print("  FETCH   {} (through apt)".format(names), file=sys.stderr, flush=True)
            self.archive.fetch(missing, self.folder)
        if packages:
            self.cached = {kernel.version: kernel for kernel in cached(self.folder)}
        return self.cached[version]

    def _is_missing(self, package: Package) -> bool:
        path = os.path.join(self.folder, package.file)
        return not os.path.exists(path) or is_damaged(package, path)
