"""Which kernels Debian's archive has right now, and fetching their packages.

Versions vanish from the archive as new ones come, so nothing is pinned: apt is asked each time, and
verifies signatures and hashes as it does for any package.
"""
import os
import re
import shutil
import sys
import tempfile
from typing import Dict, List, Sequence

from . import places

sys.path.append(places.SCRIPTS)
import debian_source  # noqa: E402  (needs the path above)
from debian_source import NotFetched  # noqa: E402

# Not every one of them has to be there.
SUITES = ["bullseye-security", "bookworm-security", "bookworm-backports", "trixie-security",
          "trixie-backports", "sid"]
FLAVOUR = "cloud-amd64"
NAME = re.compile(r"^linux-image-\d+\.\d+\.\S*-" + FLAVOUR + "$")
PARTS = re.compile(r"\b(linux-(?:binary|modules)-\S+-" + FLAVOUR + r") \(= ")  # of a split image


class Package:
    """A paragraph of the archive's index."""

    def __init__(self, paragraph: str) -> None:
        fields = dict(re.findall(r"^(\S+): (.*)$", paragraph, re.MULTILINE))
        self.name = fields["Package"]
        self.version = fields["Version"]
        self.sha256 = fields["SHA256"]
        self.parts = PARTS.findall(fields.get("Depends", ""))

    @property
    def exact(self) -> str:
        return self.name + "=" + self.version

    @property
    def file(self) -> str:
        return "{}_{}_amd64.deb".format(self.name, self.version.replace(":", "%3a"))


class Archive:
    """A private apt, set up for all suites that may have kernels. Raises NotFetched."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        os.makedirs(folder, exist_ok=True)
        main = debian_source.mirrors(folder)
        if not main:
            raise NotFetched("apt on this machine knows no Debian archive (RETRANS_MIRROR can name one)")
        security = debian_source.mirrors(folder, "debian-security") or [main[0] + "-security"]
        lines = [debian_source.source_line(
            "deb", (security if suite.endswith("-security") else main)[0], suite) for suite in SUITES]
        # Nothing that is installed here matters, nor whether this machine is an amd64 one.
        self.options = debian_source.private_options(lines, folder) + [
            "-o", "Dir::State::status=/dev/null", "-o", "APT::Architecture=amd64",
            "-o", "APT::Architectures::=amd64"]
        _, _, self.errors = debian_source.apt_get(self.options + ["update"], folder)

    def _cache(self, *words: str) -> str:
        _, output, _ = debian_source.apt_get(self.options + list(words), self.folder, "apt-cache")
        return str(output)

    def _packages(self, names: Sequence[str]) -> List[Package]:
        text = self._cache("show", *names) if names else ""
        return [Package(paragraph) for paragraph in text.split("\n\n") if paragraph.strip()]

    def kernels(self) -> List[List[Package]]:
        """The packages of each kernel that can be had as a whole."""
        images = self._packages([name for name in self._cache("pkgnames", "linux-image-").split()
                                 if NAME.match(name)])
        if not images:
            raise NotFetched(debian_source.reason(self.errors))
        parts: Dict[str, Package] = {part.exact: part for part in self._packages(
            sorted({name for image in images for name in image.parts}))}
        found = []
        for image in images:
            wanted = [name + "=" + image.version for name in image.parts]
            if all(exact in parts for exact in wanted):
                found.append([parts[exact] for exact in wanted] or [image])
        return found

    def fetch(self, packages: Sequence[Package], target: str) -> None:
        """Download into a scratch folder, then move: a half-written file is never found later."""
        os.makedirs(target, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.folder) as scratch:
            status, _, errors = debian_source.apt_get(
                self.options + ["download"] + [package.exact for package in packages], scratch)
            if status != 0:
                raise NotFetched(debian_source.reason(errors))
            for package in packages:
                shutil.move(os.path.join(scratch, package.file), os.path.join(target, package.file))
