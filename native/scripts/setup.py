# SPDX-License-Identifier: BSD-2-Clause
"""Check that what the build needs is on this machine, and install what is missing.

    setup.py GROUP...      groups: build bpf system lab venv portable test vm bench fuzz full

As root, with apt-get or dnf, the missing packages are named and installed. Otherwise, and with
SETUP=print, the exact command is printed and the build stops.
"""
import glob
import importlib.util
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from typing import Callable, Iterator, List, NamedTuple


class Need(NamedTuple):
    """Something that has to be there."""

    group: str
    what: str
    present: Callable[[], bool]
    apt: str
    dnf: str


def command(name: str) -> Callable[[], bool]:
    return lambda: shutil.which(name) is not None


def there(path: str) -> Callable[[], bool]:
    return lambda: os.path.exists(path)


def compiles(include: str) -> Callable[[], bool]:
    """Whether the C compiler finds a header (true while there is no compiler to ask)."""

    def check() -> bool:
        compiler = shlex.split(os.environ.get("CC", "gcc"))
        if not shutil.which(compiler[0]):
            return True
        with tempfile.NamedTemporaryFile("w", suffix=".c") as source:
            source.write("#include <{}>\n".format(include))
            source.flush()
            return subprocess.call(compiler + ["-fsyntax-only", source.name],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0

    return check


def virtiofs_daemon() -> bool:
    return any(map(os.path.exists, ("/usr/lib/qemu/virtiofsd", "/usr/libexec/virtiofsd")))


def python_has(*modules: str) -> Callable[[], bool]:
    return lambda: all(importlib.util.find_spec(module) for module in modules)


def a_python_has_numpy() -> bool:
    """This Python, or the system's own."""
    return python_has("numpy")() or subprocess.call(
        ["/usr/bin/python3", "-c", "import numpy"], stderr=subprocess.DEVNULL) == 0


def clang_says(option: str) -> str:
    """What clang prints about itself; nothing while it is not here."""
    try:
        return subprocess.run(["clang", option], stdout=subprocess.PIPE, universal_newlines=True).stdout.strip()
    except OSError:
        return ""


def clang_fuzzes() -> bool:
    resources = clang_says("-print-resource-dir")
    return bool(resources and glob.glob(os.path.join(resources, "lib", "*", "libclang_rt.fuzzer*")))


def clang_runtime() -> str:
    """The package goes with the version of clang."""
    version = clang_says("-dumpversion").split(".")[0]
    return "libclang-rt-{}-dev".format(version) if version else "libclang-rt-dev"


NEEDS = [
    Need("build", "C compiler", lambda: command(shlex.split(os.environ.get("CC", "gcc"))[0])(),
         "gcc", "gcc"),
    Need("build", "C library headers", compiles("stdio.h"), "libc6-dev", "glibc-devel"),
    Need("build", "kernel headers", compiles("linux/types.h"), "linux-libc-dev", "kernel-headers"),
    Need("build", "objcopy and readelf", command("objcopy"), "binutils", "binutils"),
    Need("bpf", "clang", command("clang"), "clang", "clang"),
    Need("bpf", "bpftool", command("bpftool"), "bpftool", "bpftool"),
    Need("system", "libbpf", compiles("bpf/libbpf.h"), "libbpf-dev", "libbpf-devel"),
    Need("system", "pkg-config", command("pkg-config"), "pkg-config", "pkgconf-pkg-config"),
    Need("lab", "ip", command("ip"), "iproute2", "iproute"),
    Need("lab", "nft", command("nft"), "nftables", "nftables"),
    Need("lab", "ethtool", command("ethtool"), "ethtool", "ethtool"),
    Need("venv", "Python's venv", python_has("venv", "ensurepip"), "python3-venv", "python3-pip"),
    Need("portable", "binutils for aarch64", command("aarch64-linux-gnu-objcopy"),
         "binutils-aarch64-linux-gnu", "binutils-aarch64-linux-gnu"),
    Need("test", "unshare and setpriv", command("setpriv"), "util-linux", "util-linux"),
    Need("test", "setcap", command("setcap"), "libcap2-bin", "libcap"),
    Need("test", "valgrind", command("valgrind"), "valgrind", "valgrind"),
    Need("test", "man and lexgrog", command("lexgrog"), "man-db", "man-db"),
    Need("vm", "QEMU", command("qemu-system-x86_64"), "qemu-system-x86", "qemu-system-x86-core"),
    Need("vm", "virtiofsd", virtiofs_daemon, "qemu-system-common", "virtiofsd"),
    Need("vm", "busybox", command("busybox"), "busybox-static", "busybox"),
    Need("vm", "depmod", command("depmod"), "kmod", "kmod"),
    Need("vm", "cpio", command("cpio"), "cpio", "cpio"),
    Need("vm", "zstd", command("zstd"), "zstd", "zstd"),
    Need("vm", "lz4", command("lz4"), "lz4", "lz4"),
    Need("vm", "xz", command("xz"), "xz-utils", "xz"),
    Need("bench", "bpftrace", command("bpftrace"), "bpftrace", "bpftrace"),
    Need("bench", "perf", command("perf"), "linux-perf", "perf"),
    Need("bench", "numpy", a_python_has_numpy, "python3-numpy", "python3-numpy"),
    Need("full", "emulation of aarch64", command("qemu-aarch64"), "qemu-user", "qemu-user"),
    Need("full", "glibc for aarch64", there("/usr/aarch64-linux-gnu/lib/libc.so.6"),
         "libc6-arm64-cross", "glibc-aarch64-linux-gnu"),
    Need("full", "musl", there("/lib/ld-musl-x86_64.so.1"), "musl", "musl-libc"),
    Need("full", "crun", command("crun"), "crun", "crun"),
    Need("full", "systemd-analyze", command("systemd-analyze"), "systemd", "systemd"),
    Need("full", "Prometheus and promtool", command("promtool"), "prometheus", "golang-github-prometheus"),
    Need("full", "zsh", command("zsh"), "zsh", "zsh"),
    Need("full", "mandoc", command("mandoc"), "mandoc", "mandoc"),
    Need("full", "Chromium", command("chromium"), "chromium", "chromium"),
    Need("full", "Go", command("go"), "golang-go", "golang"),
    Need("fuzz", "libFuzzer of clang", clang_fuzzes, clang_runtime(), "compiler-rt"),
]

SERVICES = {"prometheus"}  # packages that start what they bring
POLICY = "/usr/sbin/policy-rc.d"  # what Debian asks whether a service may start

# A group may bring others.
IMPLIED = {"test": ["venv", "lab", "system", "bpf"], "bench": ["lab", "bpf"], "fuzz": ["bpf"],
           "full": ["test", "portable", "vm", "fuzz"]}


def wanted_groups(names: List[str]) -> List[str]:
    groups = list(names)
    for group in groups:
        groups += [more for more in IMPLIED.get(group, []) if more not in groups]
    return groups


def missing(groups: List[str]) -> List[Need]:
    return [need for need in NEEDS if need.group in groups and not need.present()]


def install_commands(needs: List[Need]) -> List[List[str]]:
    """What installs them here, most often one or two commands; none if we do not know the system."""
    if shutil.which("apt-get"):
        packages = sorted({need.apt for need in needs})
        return [["apt-get", "-qq", "update"],
                ["apt-get", "-qq", "install", "-y", "--no-install-recommends"] + packages]
    if shutil.which("dnf"):
        packages = sorted({need.dnf for need in needs})
        return [["dnf", "-q", "install", "-y"] + packages]
    return []


def run(argv: List[str]) -> int:
    """Show errors and warnings only, not the hundreds of lines about each package."""
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    return subprocess.call(argv, env=environment, stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL)


@contextmanager
def no_services() -> Iterator[None]:
    """What a package brings is for the tests to start: until the end, Debian starts no service of it.

    A policy that is there already stays.
    """
    if not os.path.isdir(os.path.dirname(POLICY)) or os.path.lexists(POLICY) or not shutil.which("apt-get"):
        yield
        return
    with open(POLICY, "x") as file:
        file.write("#!/bin/sh\nexit 101\n")
    try:
        os.chmod(POLICY, 0o755)
        yield
    finally:
        os.remove(POLICY)


def disable(needs: List[Need]) -> None:
    """Services that came with what was installed must not come up with the machine."""
    for name in sorted({need.apt for need in needs} & SERVICES):
        if shutil.which("update-rc.d"):
            run(["update-rc.d", name, "disable"])


def say(text: str) -> None:
    print("setup: " + text, file=sys.stderr, flush=True)


def main(names: List[str]) -> int:
    groups = wanted_groups(names)
    needs = missing(groups)
    if not needs:
        return 0
    names_of = ", ".join(need.what for need in needs)
    commands = install_commands(needs)
    if not commands:
        say("missing: {}. This system has neither apt-get nor dnf; install them its own way, "
            "then run make again.".format(names_of))
        return 1
    line = "; ".join(" ".join(argv) for argv in commands)
    if os.geteuid() != 0 or os.environ.get("SETUP") == "print":
        say("missing: {}. Install them as root, then run make again:\n  {}".format(names_of, line))
        return 1
    say("missing: {}. Installing them now, which can take a minute:\n  {}".format(names_of, line))
    # An update that fails may be one source out of several; installing tells whether it matters.
    with no_services():
        for argv in commands:
            status = run(argv)
    disable(needs)
    importlib.invalidate_caches()
    left = missing(groups)
    if left:
        say("still missing: {} (the last command ended with status {}). Install them by hand, "
            "then run make again.".format(", ".join(need.what for need in left), status))
        return 1
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a traceback
    sys.exit(main(sys.argv[1:]))
