"""The cross-compiled libraries: each is loaded by the C library that it is for, and called."""
import glob
import os
import platform
import re
from typing import Any, Dict, List

import aarch64_kernel
import pytest
from building import BUILD, NATIVE, REPO, VENV_BIN, environment, make, read, run
from lab import commands, tried
from lab.link import V4, Lab
from lab.traffic import connecting

pytestmark = pytest.mark.full

TRACER = os.path.join(REPO, "docs", "examples", "c", "first_retransmit.c")
TARGETS = ("x86_64-glibc2.17", "aarch64-glibc2.17", "x86_64-musl")
FOREIGN = {"aarch64-glibc2.17": ["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu"]}
TAGS = {"x86_64-glibc2.17": "manylinux_2_17_x86_64", "aarch64-glibc2.17": "manylinux_2_17_aarch64",
        "x86_64-musl": "musllinux_1_2_x86_64"}

LOADER = """
#include <dlfcn.h>
#include <stdio.h>
int main(int argc, char **argv)
{
	void *library = argc == 2 ? dlopen(argv[1], RTLD_NOW) : NULL;
	const char *(*version)(void);

	if (!library || !(version = (const char *(*)(void))dlsym(library, "tcpretrans_version"))) {
		puts(dlerror());
		return 1;
	}
	puts(version());
	return 0;
}
"""

each_target = pytest.mark.parametrize("target", TARGETS)


@pytest.fixture(scope="module")
def table() -> List[str]:
    """What `make portable` prints at its end."""
    return [line for line in make(NATIVE, "portable").splitlines() if line.startswith("|")]


def made(target: str, *name: str) -> str:
    return os.path.join(BUILD, "portable", target, *name)


def compile_for(target: str, source: str, program: Any, *arguments: str) -> str:
    run([made(target, "cc"), "-O2", "-I", NATIVE, source, "-o", str(program)] + list(arguments), cwd=NATIVE,
        env=environment(ZIG_GLOBAL_CACHE_DIR=os.path.join(BUILD, "zig", "cache")))
    return str(program)


@each_target
def test_loaded_by_its_own_libc(table: List[str], tmp_path: Any, target: str) -> None:
    """aarch64 in emulation; musl by its own loader, which most machines with glibc can have too."""
    (tmp_path / "loader.c").write_text(LOADER)
    # zig links a program for musl statically unless it is told otherwise, and such a one cannot dlopen.
    shared = ["-dynamic"] if target.endswith("musl") else ["-ldl"]
    program = compile_for(target, str(tmp_path / "loader.c"), tmp_path / "loader", *shared)
    said = run(FOREIGN.get(target, []) + [program, made(target, "libtcpretrans.so")])
    assert said == "0.1.0 abi 2\n"


@pytest.mark.parametrize("target", [target for target in TARGETS if target not in FOREIGN])
def test_traces_a_retransmit(table: List[str], lab: Lab, tmp_path: Any, target: str) -> None:
    assert platform.machine() == "x86_64"
    program = compile_for(target, TRACER, tmp_path / "tracer", made(target, "libtcpretrans.a"))
    with commands.Child([program, "4075"], env=environment()) as child:
        child.wait_tracing()
        with connecting(lab.client, V4.dead, 4075):
            code, out, err = child.end()
    assert code == 0, err
    assert "{} port 4075: 1 segment(s)".format(V4.dead) in out[0]


def test_package_with_the_portable_library(table: List[str], lab: Lab) -> None:
    env = environment(RETRANS_CTYPES_LIBRARY=made("x86_64-glibc2.17", "libtcpretrans.so"))
    with commands.Child(commands.module("--json"), env=env) as child:
        child.wait_tracing()
        with connecting(lab.client, V4.dead, 4076):
            assert '"syn"' in child.wait_line(V4.dead, "4076")
        child.interrupt()
        assert child.end()[0] == 0


def test_aarch64_says_what_the_kernel_refuses(table: List[str], tmp_path: Any) -> None:
    """The emulation has no bpf(): the library runs up to there, and ends with a sentence."""
    target = "aarch64-glibc2.17"
    program = compile_for(target, TRACER, tmp_path / "tracer", made(target, "libtcpretrans.a"))
    code, out, err = commands.run(FOREIGN[target] + [program, "4077"], env=environment())
    assert code != 0 and out == []
    commands.one_sentence(err)


@each_target
def test_wheel_is_what_its_name_says(table: List[str], target: str) -> None:
    (name,) = [name for name in os.listdir(made(target, "wheel")) if name.endswith(".whl")]
    assert TAGS[target] in name
    said = run([os.path.join(VENV_BIN, "auditwheel"), "show", made(target, "wheel", name)])
    assert re.findall(r'platform tag:\s*"([^"]+)"', said) == [TAGS[target]]


def test_table(table: List[str]) -> None:
    """A row for each build, and in it what the file itself says."""
    rows: Dict[str, List[str]] = {line.split(" | ")[0][2:]: line.split(" | ") for line in table[2:]}
    assert sorted(rows) == sorted(TARGETS)
    for target, cells in rows.items():
        assert cells[1] == "{} KB".format(os.path.getsize(made(target, "libtcpretrans.so")) // 1000)
        assert cells[-1] == TAGS[target] + " |"
    assert rows["x86_64-musl"][2:4] == ["libc.musl-x86_64.so.1", "musl 1.2"]
    assert rows["aarch64-glibc2.17"][3] == "GLIBC_2.17"


@each_target
def test_one_bpf_object_for_all(table: List[str], target: str) -> None:
    """The very bytes that this machine's library holds: nothing in them knows the processor."""
    own = read(os.path.join(BUILD, "libtcpretrans.so"))
    objects = [read(path) for path in glob.glob(os.path.join(BUILD, "bpf", "*.bpf.o"))]
    packed = [content for content in objects if content in own]
    assert len(packed) == 3
    library = read(made(target, "libtcpretrans.so"))
    assert all(content in library for content in packed)


# Each asked for with bpf_core_field_exists() or in a branch after it.
NOT_IN_6_1 = {"file.f_ref.refcnt.counter", "io_kiocb.tctx", "io_uring_task.task"}
OLDER_THAN_6_1 = {"kernfs_node___union.id.id", "sock_cgroup_data___tagged.val", "cgroup___ids.ancestor_ids",
                  "cgroup___ids.ancestor_ids[0]"}
NOT_ON_AARCH64 = {"pt_regs___x86.di", "pt_regs___x86.si"}


def test_types_of_the_kernel_on_aarch64(tmp_path: Any) -> None:
    """What the programs read is there in a kernel for aarch64; the registers have names for each machine."""
    types = aarch64_kernel.btf(str(tmp_path))
    objects = [path for path in glob.glob(os.path.join(BUILD, "bpf", "*typed.bpf.o"))]
    assert len(objects) == 2
    missing = {os.path.basename(path): aarch64_kernel.unmatched(types, path) for path in objects}
    assert missing["typed.bpf.o"] == NOT_IN_6_1 | OLDER_THAN_6_1
    assert missing["untyped.bpf.o"] == NOT_IN_6_1 | OLDER_THAN_6_1 | NOT_ON_AARCH64


@each_target
def test_check_knows_the_target(table: List[str], target: str) -> None:
    """Checked as another target, each is refused."""
    other = TARGETS[(TARGETS.index(target) + 1) % len(TARGETS)]
    said = run(["python3", os.path.join(NATIVE, "scripts", "check.py"), "--target", other, "--header",
                os.path.join(NATIVE, "libtcpretrans.h"), "--map", os.path.join(NATIVE, "libtcpretrans.map"),
                made(target, "libtcpretrans.so")], code=1)
    assert "it is for" in said or "it needs" in said


@pytest.mark.reliability
@each_target
def test_two_folders_give_the_same_bytes(table: List[str], elsewhere: str, tarballs: str, target: str) -> None:
    for tools in ("zig", "venv"):
        link = os.path.join(elsewhere, "build", tools)
        if not os.path.lexists(link):
            os.symlink(os.path.join(BUILD, tools), link)
    make(elsewhere, "PORTABLE=" + target, "all", "RETRANS_DIST=" + tarballs)
    for name in ("libtcpretrans.so", "libtcpretrans.a"):
        assert read(os.path.join(elsewhere, "build", "portable", target, name)) == read(made(target, name)), name
        tried.count("security", "file built again in another folder", "same bytes")


def test_unknown_target_is_refused() -> None:
    said = make(NATIVE, "PORTABLE=sparc-glibc2.17", code=2)
    assert "is none of" in said and "x86_64-musl" in said
