"""BTF files that are missing, damaged or of something else, and the right one on a kernel without its own."""
import os
import struct
import subprocess
from typing import Any, Tuple

import pytest
from lab import commands
from lab.ways import KERNEL_BTF, copy_of_btf, shell

USAGE = 2
HIDDEN = "mount -t tmpfs none " + os.path.dirname(KERNEL_BTF)
SOURCE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lab", "other_kernel.c")


def refused(path: str, *words: str, options: Tuple[str, ...] = ()) -> None:
    """Whether the kernel has a BTF of its own or not, a file that was named must be good."""
    for before in ([], shell(HIDDEN)):
        code, out, err = commands.run(before + commands.module("--btf", path, "--duration", "0.2", *options))
        assert code == USAGE, (out, err)
        commands.one_sentence(err, *words)


@pytest.mark.parametrize("length", [
    24, 100000] + [pytest.param(length, marks=pytest.mark.full) for length in (0, 10, -1)])
def test_truncated(tmp_path: Any, nothing_left_behind: None, length: int) -> None:
    path = copy_of_btf(str(tmp_path))
    os.truncate(path, length if length >= 0 else os.path.getsize(path) - 1)
    refused(path, path, "is no BTF file, or a damaged one", "very kernel")


def test_types_that_go_in_circles(tmp_path: Any, nothing_left_behind: None) -> None:
    """Two typedefs of each other, which libbpf would follow for ever."""
    typedef, strings = 8 << 24, b"\0a\0"
    types = struct.pack("<6I", 1, typedef, 2, 1, typedef, 1)
    path = tmp_path / "circle"
    path.write_bytes(struct.pack("<HBB5I", 0xEB9F, 1, 0, 24, 0, len(types), len(types), len(strings)) + types + strings)
    refused(str(path), str(path), "is no BTF file, or a damaged one")


def test_no_btf_at_all(nothing_left_behind: None) -> None:
    refused(__file__, __file__, "is no BTF file")


@pytest.mark.parametrize("path", ["/dev/null", "/dev/zero", "/tmp"])
def test_no_file_at_all(nothing_left_behind: None, path: str) -> None:
    refused(path, path, "is no BTF file")


@pytest.mark.parametrize("start", [b"", struct.pack("<HBBI", 0xEB9F, 1, 0, 24), b"\x7fELF\2\1\1"], ids=["holes", "btf", "elf"])
def test_larger_than_memory(tmp_path: Any, nothing_left_behind: None, start: bytes) -> None:
    """A terabyte that takes no room on the disk."""
    path = tmp_path / "huge"
    path.write_bytes(start)
    os.truncate(str(path), 1 << 40)
    refused(str(path), str(path), "is no BTF file")


@pytest.mark.parametrize("kind, flags", [(8, 0), (1, 1 << 11)], ids=["no_content", "compressed"])
def test_elf_sections_that_libbpf_could_not_bear(
        tmp_path: Any, nothing_left_behind: None, kind: int, flags: int) -> None:
    """A section without content, which it would copy from address 0; one that would be unpacked."""
    names = b"\0.shstrtab\0.BTF\0\0\0\0\0\0\0\0"
    section = struct.Struct("<2I4Q2I2Q")
    sections = (section.pack(*[0] * 10) + section.pack(1, 3, 0, 0, 64, len(names), 0, 0, 1, 0)
                + section.pack(11, kind, flags, 0, 64, len(names), 0, 0, 1, 0))
    header = b"\x7fELF\2\1\1".ljust(16, b"\0") + struct.pack(
        "<HHIQQQIHHHHHH", 1, 62, 1, 0, 0, 64 + len(names), 0, 64, 0, 0, 64, 3, 1)
    path = tmp_path / "elf"
    path.write_bytes(header + names + sections)
    refused(str(path), str(path), "is no BTF file, or a damaged one")


def test_a_bit_field_of_nothing(tmp_path: Any, nothing_left_behind: None) -> None:
    """Its number has no bytes, and libbpf would divide by that."""
    strings, bits_of_members = b"\0n\0", 1 << 31
    types = struct.pack("<4I", 1, 1 << 24, 0, 0) + struct.pack("<6I", 1, bits_of_members | 4 << 24 | 1, 4, 1, 1, 3 << 24)
    path = tmp_path / "bits"
    path.write_bytes(struct.pack("<HBB5I", 0xEB9F, 1, 0, 24, 0, len(types), len(types), len(strings)) + types + strings)
    refused(str(path), str(path), "is no BTF file, or a damaged one")


def test_a_pipe_is_not_waited_for(tmp_path: Any, nothing_left_behind: None) -> None:
    path = str(tmp_path / "pipe")
    os.mkfifo(path)
    refused(path, "is no BTF file")


@pytest.mark.parametrize("path, reason", [
    ("/nowhere/vmlinux", "No such file"), (__file__ + "/vmlinux", "Not a directory")], ids=["missing", "below_a_file"])
def test_missing(nothing_left_behind: None, path: str, reason: str) -> None:
    refused(path, path, "cannot be read", reason)


def test_unreadable(tmp_path: Any, nothing_left_behind: None) -> None:
    """Root reads everything, but not without its capabilities."""
    path = copy_of_btf(str(tmp_path))
    os.chmod(path, 0)
    drop = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all", "--"]
    code, _, err = commands.run(drop + commands.module("--btf", path))
    assert code == USAGE
    commands.one_sentence(err, path, "cannot be read", "Permission denied")


def compiled(folder: Any, *options: str) -> str:
    path = str(folder / "other.btf")
    subprocess.run(["clang", "-target", "bpf", "-g", "-O2", *options, "-c", SOURCE, "-o", path], check=True)
    return path


def test_of_another_kernel(tmp_path: Any, nothing_left_behind: None) -> None:
    refused(compiled(tmp_path), "other.btf", "not that of this very kernel")


def test_of_another_architecture(tmp_path: Any, nothing_left_behind: None) -> None:
    refused(compiled(tmp_path, "-DOTHER_MACHINE"), "other.btf", "another architecture", "very kernel")


def moved(path: str) -> None:
    """Make struct sock_common of this BTF file that of a kernel with other offsets: all one word further."""
    with open(path, "r+b") as file:
        content = bytearray(file.read())
        header, type_off, _, str_off, str_len = struct.unpack_from("<4xIIIII", content)
        strings = bytes(content[header + str_off:header + str_off + str_len])
        at = content.find(struct.pack("<I", strings.index(b"\0skc_family\0") + 1), header + type_off)
        while not 0 <= struct.unpack_from("<I", content, at + 8)[0] <= 4096:
            at = content.find(content[at:at + 4], at + 4)
        struct.pack_into("<I", content, at + 8, struct.unpack_from("<I", content, at + 8)[0] + 64)
        file.seek(0)
        file.write(content)


def test_of_this_kernel_built_otherwise(tmp_path: Any, nothing_left_behind: None) -> None:
    """Everything that is read has its name in there, but one thing lies elsewhere."""
    path = copy_of_btf(str(tmp_path))
    moved(path)
    refused(path, path, "not that of this very kernel", "something else")


@pytest.mark.parametrize("attach", ["tp_btf", "tp"])
def test_goes_with_no_other_way(nothing_left_behind: None, attach: str) -> None:
    code, _, err = commands.run(commands.module("--btf", KERNEL_BTF, "--attach", attach))
    assert code == USAGE
    commands.one_sentence(err, attach, "type information")


def test_the_right_one(tmp_path: Any, nothing_left_behind: None) -> None:
    """What it then tells is in test_ladder_truth.py."""
    path = copy_of_btf(str(tmp_path))
    code, _, err = commands.run(shell(HIDDEN) + commands.module("--btf", path, "--duration", "0.2", "-v"))
    assert code == 0, err
    assert "attached by raw_tp, ring buffer" in err[0]
    assert any(line.startswith("ledger: kernel ") for line in err)
