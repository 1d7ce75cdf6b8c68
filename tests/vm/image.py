"""What QEMU boots: a kernel's ELF, which needs no slow unpacking, and an initramfs with its modules."""
import glob
import hashlib
import os
import re
import shutil
import struct
import subprocess
import tempfile
from typing import Dict, List, NamedTuple, Set

from . import places
from .kernels import Kernel

GUEST_INIT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "guest-init.sh")

# What a guest may use; with what these depend on, as far as the kernel has them as modules.
MODULES = """
    virtio_pci virtiofs overlay veth inet_diag tcp_diag tcp_bbr tls
    nf_tables nft_numgen nft_counter nft_limit nft_reject nft_reject_inet sch_netem sch_fq sch_tbf
""".split()

APPLETS = "sh cat chroot cut echo grep ip mkdir modprobe mount poweroff stty sync uname".split()

# How a bzImage's payload begins, and what unpacks it
PACKED = {
    b"\x28\xb5\x2f\xfd": ["zstd", "-dcq"],
    b"\x02\x21\x4c\x18": ["lz4", "-dcq"],
    b"\xfd7zX": ["xz", "-dcq", "--single-stream"],
    b"\x1f\x8b\x08\x00": ["gzip", "-dcq"],
}


class Image(NamedTuple):
    """Paths of the two files."""

    kernel: str
    initramfs: str


class NoImage(Exception):
    """Why a kernel cannot be booted, in one sentence."""


def unpack_kernel(bzimage: str) -> bytes:
    """The ELF inside: its place is in the header (Documentation/arch/x86/boot.rst)."""
    with open(bzimage, "rb") as file:
        data = file.read()
    setup_sectors = data[0x1F1] or 4
    payload_offset, payload_length = struct.unpack_from("<II", data, 0x248)
    start = (setup_sectors + 1) * 512 + payload_offset
    payload = data[start:start + payload_length]
    if payload[:4] not in PACKED:
        raise NoImage("{} is packed in an unknown way ({!r})".format(bzimage, payload[:4]))
    size, = struct.unpack("<I", payload[-4:])  # appended, and no unpacker likes it
    done = subprocess.run(PACKED[payload[:4]], input=payload[:-4], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL)
    elf = done.stdout[:size]
    if elf[:4] != b"\x7fELF":
        raise NoImage("there is no ELF in {}".format(bzimage))
    return elf


def module_name(path: str) -> str:
    return re.sub(r"\.ko(\.\w+)?$", "", os.path.basename(path)).replace("-", "_")


def read_dependencies(modules: str) -> Dict[str, List[str]]:
    """Each module's path, and the paths of all it needs."""
    with open(os.path.join(modules, "modules.dep")) as file:
        rows = [line.split(":") for line in file]
    return {path: needs.split() for path, needs in rows}


def wanted_modules(modules: str) -> Set[str]:
    needs = read_dependencies(modules)
    wanted = {path for path in needs if module_name(path) in MODULES}
    return wanted.union(*(needs[path] for path in wanted))


def copy_module(source: str, target: str) -> None:
    """Unpacked, since busybox loads no others."""
    os.makedirs(os.path.dirname(target), exist_ok=True)
    unpacker = {".xz": ["xz", "-dc"], ".zst": ["zstd", "-dcq"]}.get(os.path.splitext(source)[1])
    if unpacker is None:
        shutil.copyfile(source, target)
        return
    with open(os.path.splitext(target)[0], "wb") as file:
        subprocess.run(unpacker + [source], stdout=file, check=True)


def depmod(root: str, release: str) -> None:
    subprocess.run(["depmod", "-b", root, release], stderr=subprocess.DEVNULL, check=True)


def add_modules(tree: str, unpacked: str) -> None:
    """The wanted modules of an unpacked kernel package, with an index of their own."""
    source, = glob.glob(unpacked + "/lib/modules/*") or glob.glob(unpacked + "/usr/lib/modules/*")
    release = os.path.basename(source)
    depmod(source[:source.rindex("/lib/modules/")], release)
    target = os.path.join(tree, "lib", "modules", release)
    for path in wanted_modules(source):
        copy_module(os.path.join(source, path), os.path.join(target, path))
    for name in os.listdir(source):
        if name.startswith(("modules.order", "modules.builtin")):
            shutil.copyfile(os.path.join(source, name), os.path.join(target, name))
    depmod(tree, release)


def fill_tree(tree: str, unpacked: str) -> None:
    """What the guest starts with: busybox, the init script, modules."""
    for name in ("bin", "sbin", "dev", "proc", "sys", "share", "writable", "root"):
        os.mkdir(os.path.join(tree, name))
    shutil.copy(str(shutil.which("busybox")), os.path.join(tree, "bin", "busybox"))
    for applet in APPLETS:
        os.symlink("busybox", os.path.join(tree, "bin", applet))
    os.symlink("../bin/busybox", os.path.join(tree, "sbin", "modprobe"))  # where the kernel looks
    shutil.copy(GUEST_INIT, os.path.join(tree, "init"))
    os.chmod(os.path.join(tree, "init"), 0o755)
    add_modules(tree, unpacked)


def write_archive(tree: str, target: str) -> None:
    names = sorted(os.path.relpath(os.path.join(folder, name), tree)
                   for folder, folders, files in os.walk(tree) for name in folders + files)
    with open(target, "wb") as file:
        subprocess.run(["cpio", "-o", "-H", "newc", "--quiet", "-R", "0:0"], cwd=tree, stdout=file,
                       input="\n".join(names).encode() + b"\n", check=True)


def make(kernel: Kernel, target: str) -> None:
    """Fill the folder `target`."""
    with tempfile.TemporaryDirectory(prefix="unpacking-", dir=os.path.dirname(target)) as scratch:
        unpacked, tree, ready = (os.path.join(scratch, name) for name in ("unpacked", "tree", "ready"))
        os.mkdir(tree)
        os.mkdir(ready)
        for deb in kernel.debs:
            subprocess.run(["dpkg-deb", "-x", deb, unpacked], check=True)
        images = glob.glob(unpacked + "/boot/vmlinuz-*") + glob.glob(unpacked + "/usr/lib/modules/*/vmlinuz")
        with open(os.path.join(ready, "vmlinux"), "wb") as file:
            file.write(unpack_kernel(images[0]))
        fill_tree(tree, unpacked)
        write_archive(tree, os.path.join(ready, "initramfs.cpio"))
        try:
            os.rename(ready, target)
        except OSError:
            if not os.path.isdir(target):  # else another run was faster
                raise


def recipe(kernel: Kernel) -> str:
    """Changes when what is made of a kernel would."""
    digest = hashlib.sha256(repr((MODULES, APPLETS)).encode())
    for path in (GUEST_INIT, os.path.abspath(__file__)):
        with open(path, "rb") as file:
            digest.update(file.read())
    return "{}-{}".format(kernel.version, digest.hexdigest()[:12])


def of(kernel: Kernel) -> Image:
    """Made once; as long as nothing changes it is used again. Raises NoImage."""
    folder = os.path.join(places.WORK, "images", recipe(kernel))
    if not os.path.isdir(folder):
        os.makedirs(os.path.dirname(folder), exist_ok=True)
        for outdated in glob.glob(os.path.join(os.path.dirname(folder), glob.escape(kernel.version) + "-*")):
            shutil.rmtree(outdated, ignore_errors=True)
        make(kernel, folder)
    return Image(os.path.join(folder, "vmlinux"), os.path.join(folder, "initramfs.cpio"))
