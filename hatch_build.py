# SPDX-License-Identifier: BSD-2-Clause
"""What hatchling cannot know: the native library in the wheel, the pinned sources in the sdist."""
import os
import re
import shlex
import shutil
import subprocess
import sys
from typing import Any, Dict, List

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGE = "retrans_ctypes"
MANUAL = {"retrans.1": "share/man/man1/retrans.1", "retrans.bash": "share/bash-completion/completions/retrans",
          "_retrans": "share/zsh/site-functions/_retrans"}
MACHINES = {"Advanced Micro Devices X86-64": "x86_64", "AArch64": "aarch64"}


class NativeBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Runs native/Makefile, then adds what it made to the archive."""

    def initialize(self, version: str, build_data: Dict[str, Any]) -> None:
        if self.target_name == "sdist":
            self.add_sources(build_data["force_include"])
        else:
            self.add_library(version, build_data)

    def native(self, *path: str) -> str:
        return os.path.join(self.root, "native", *path)

    def make(self, *arguments: str) -> None:
        """Run make as a person would: no flags or job server of a make that may have called us."""
        environment = {name: value for name, value in os.environ.items()
                       if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")}
        subprocess.check_call(
            ["make", "-C", self.native(), "PYTHON=" + this_python()] + list(arguments), env=environment)

    def add_library(self, version: str, build_data: Dict[str, Any]) -> None:
        """PORTABLE in the environment: the library of `make portable` for that target."""
        target = os.environ.get("PORTABLE", "")
        self.make("all", "PORTABLE=" + target)
        library = self.native("build", *(["portable", target] if target else []), "libtcpretrans.so")
        build_data["pure_python"] = False
        build_data["tag"] = "py3-none-" + platform_tag(library)
        if version == "editable":
            # An editable install imports from the source tree, and the library lies beside it.
            shutil.copy2(library, os.path.join(self.root, "src", PACKAGE, "libtcpretrans.so"))
            return
        include = build_data["force_include"]
        include[library] = PACKAGE + "/libtcpretrans.so"
        # In the package, so that the texts stay with the library wherever the folder is copied.
        include[self.native("build", "licenses")] = PACKAGE + "/licenses"
        include[os.path.join(self.root, "LICENSE")] = PACKAGE + "/licenses/LICENSE"
        self.make("sbom", "PORTABLE=" + target)
        include[os.path.join(os.path.dirname(library), "sbom", PACKAGE + ".cdx.json")] = (
            "{}-{}.dist-info/sboms/{}.cdx.json".format(PACKAGE, self.metadata.version, PACKAGE))  # as in PEP 770
        self.make("manual", "MANUAL_PYTHON=" + this_python())
        for name, place in MANUAL.items():
            build_data["shared_data"][self.native("build", "manual", name)] = place

    def add_sources(self, include: Dict[str, str]) -> None:
        """The pinned tarballs and the BPF skeleton: the builder then needs no network, no clang."""
        self.make("skeleton")
        include[self.native("build", "bpf", "tcpretrans.skel.h")] = "native/vendor/bpf/tcpretrans.skel.h"
        for tarball in self.tarballs():
            include[tarball] = "native/vendor/libbpf/" + os.path.basename(tarball)

    def tarballs(self) -> List[str]:
        output = subprocess.check_output(
            [sys.executable, self.native("scripts", "sources.py"), "where"],
            universal_newlines=True)
        return output.split("\n")[:-1]


def this_python() -> str:
    """As a word in make's recipes: its path may hold a space."""
    return shlex.quote(sys.executable).replace("$", "$$")


def readelf(what: str, library: str) -> str:
    return subprocess.check_output(
        ["readelf", "--wide", what, library], universal_newlines=True, env=dict(os.environ, LC_ALL="C"))


def platform_tag(library: str) -> str:
    """The wheel tag that the library's machine, C library and newest glibc symbol allow."""
    machine = MACHINES[re.findall(r"Machine: +(.*\S)", readelf("--file-header", library))[0]]
    if "[libc.musl-" in readelf("--dynamic", library):
        return "musllinux_1_2_" + machine
    newest = max(tuple(int(n) for n in version.split("."))
                 for version in re.findall(r"\bGLIBC_([0-9.]+)", readelf("--version-info", library)))
    if newest <= (2, 17):
        return "manylinux_2_17_{0}.manylinux2014_{0}".format(machine)
    return "manylinux_{}_{}_{}".format(newest[0], newest[1], machine)
