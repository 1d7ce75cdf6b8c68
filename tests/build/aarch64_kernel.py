"""The types of a real aarch64 kernel: the BTF inside the newest 6.1 that Debian 12 has for it."""
import glob
import gzip
import os
import re
import shutil
import struct
import sys
from typing import List, Set

from building import BUILD, NATIVE, run

sys.path.append(os.path.join(NATIVE, "scripts"))
import debian_source  # noqa: E402  (needs the path above)

SUITE = "bookworm"
NAME = re.compile(r"^linux-image-6\.1\.0-(\d+)-cloud-arm64$", re.MULTILINE)
CACHE = os.environ.get("RETRANS_KERNEL_CACHE") or os.path.join(BUILD, "kernels")
BTF_HEADER = struct.Struct("<HBBIIIII")  # magic version flags hdr_len type_off type_len str_off str_len
BTF_START = struct.pack("<HBBI", 0xEB9F, 1, 0, BTF_HEADER.size)


def fetch(folder: str) -> str:
    """Download the package with a private apt, as the sources are; returns its path."""
    found = sorted(glob.glob(os.path.join(CACHE, "linux-image-6.1.*-cloud-arm64_*.deb")))
    if found:
        return found[-1]
    mirrors = debian_source.mirrors(folder)
    assert mirrors, "apt on this machine knows no Debian archive (RETRANS_MIRROR can name one)"
    options = debian_source.private_options([debian_source.source_line("deb", mirrors[0], SUITE)], folder) + [
        "-o", "Dir::State::status=/dev/null", "-o", "APT::Architecture=arm64", "-o", "APT::Architectures::=arm64"]
    debian_source.apt_get(options + ["update"], folder)
    _, names, _ = debian_source.apt_get(options + ["pkgnames", "linux-image-6.1.0-"], folder, "apt-cache")
    revisions = sorted(map(int, NAME.findall(names)))
    assert revisions, "{} has no kernel 6.1 for arm64".format(SUITE)
    status, _, errors = debian_source.apt_get(
        options + ["download", "linux-image-6.1.0-{}-cloud-arm64".format(revisions[-1])], folder)
    assert status == 0, debian_source.reason(errors)
    os.makedirs(CACHE, exist_ok=True)
    (package,) = glob.glob(os.path.join(folder, "*.deb"))
    target = os.path.join(CACHE, os.path.basename(package))
    shutil.move(package, target)
    return target


def btf(folder: str) -> str:
    """Path of a file with the kernel's BTF, below `folder`."""
    run(["dpkg-deb", "-x", fetch(folder), os.path.join(folder, "unpacked")])
    (image,) = glob.glob(os.path.join(folder, "unpacked", "boot", "vmlinuz-*"))
    with open(image, "rb") as file:
        content = file.read()
    if content.startswith(b"\x1f\x8b"):
        content = gzip.decompress(content)
    path = os.path.join(folder, "aarch64.btf")
    with open(path, "wb") as out:
        out.write(largest_btf(content))
    return path


def largest_btf(content: bytes) -> bytes:
    """The image holds a few tests' BTF too."""
    found: List[bytes] = [b""]
    for match in re.finditer(re.escape(BTF_START), content):
        header = BTF_HEADER.unpack_from(content, match.start())
        found.append(content[match.start():match.start() + header[3] + header[6] + header[7]])
    return max(found, key=len)


def unmatched(types: str, program: str) -> Set[str]:
    """What a BPF object names of the kernel, and these types have not."""
    said = run(["bpftool", "-d", "gen", "min_core_btf", types, "/dev/null", program])
    wanted, missing = {}, set()
    for where, words in re.findall(r"(prog '[^']+': relo #\d+): (.*)", said):
        if words.startswith("<"):
            wanted[where] = re.sub(r"^<\w+> \[\d+\] (\w+ )?| \(.*", "", words)
        elif words.startswith("no matching"):
            missing.add(wanted[where])
    assert wanted, said
    return missing
