"""What the built libraries contain, need and export."""
import os
import re
import sys
from typing import Any, List

import pytest
from building import BUILD, NATIVE, dynamic, make, read, run

CHECK = [sys.executable, os.path.join(NATIVE, "scripts", "check.py"),
         "--header", os.path.join(NATIVE, "libtcpretrans.h"),
         "--map", os.path.join(NATIVE, "libtcpretrans.map")]
SO = os.path.join(BUILD, "libtcpretrans.so")
ARCHIVE = os.path.join(BUILD, "libtcpretrans.a")

with open(os.path.join(NATIVE, "tcpretrans_event.h")) as header:
    ABI, = re.findall(r"#define TCPRETRANS_ABI_VERSION (\d+)", header.read())

BESIDE = """
#include <bpf/libbpf.h>
#include <libtcpretrans.h>
#include <stdio.h>
int main(void)
{
	printf("%s beside libbpf %s\\n", tcpretrans_version(), libbpf_version_string());
	return tcpretrans_open(NULL, NULL) < 0 ? 0 : 1;
}
"""


def compile_program(folder: Any, source: str, *arguments: str) -> str:
    program = str(folder / "program")
    (folder / "program.c").write_text(source)
    run(["gcc", "-Wall", "-Wextra", "-Werror", str(folder / "program.c"), "-o", program] + list(arguments))
    return program


def test_check_passes() -> None:
    said = make(NATIVE, "check")
    assert "NEEDED" in said and "GLIBC_2." in said


def test_check_refuses_another_library(system_library: str) -> None:
    said = run(CHECK + [system_library], code=1)
    assert "it needs libbpf.so.1" in said


def build_bad(folder: Any, *flags: str) -> List[str]:
    """Sentences of `check` about a library of one function, linked with `flags`."""
    source, library = str(folder / "bad.c"), str(folder / "bad.so")
    with open(source, "w") as file:
        file.write("#define _GNU_SOURCE\n#include <unistd.h>\nint tcpretrans_open(void) { return 0; }\n"
                   "int stray(void) { char b[1]; return (int)getentropy(b, 1); }\n")
    run(["gcc", "-shared", "-fPIC", source, "-o", library] + list(flags))
    return run(CHECK + [library], code=1).splitlines()


@pytest.mark.parametrize("flags, sentence", [
    ((), "does not declare: stray"),
    ((), "lacks what libtcpretrans.h declares: tcpretrans_capabilities, tcpretrans_close"),
    ((), "it needs GLIBC_2.25, newer than 2.17"),
])
def test_check_finds(tmp_path: Any, flags: List[str], sentence: str) -> None:
    assert any(sentence in line for line in build_bad(tmp_path, *flags))


def test_check_compares_header_and_map(tmp_path: Any) -> None:
    (tmp_path / "one.map").write_text("{ global:\n tcpretrans_open;\n stray;\nlocal: *; };\n")
    said = run(CHECK[:-1] + [str(tmp_path / "one.map"), SO], code=1)
    assert "does not declare: stray" in said and "lacks" in said


def test_archive_links_beside_another_static_libbpf(tmp_path: Any) -> None:
    """Both archives define all of libbpf and libelf; one visible name twice would not link."""
    program = compile_program(tmp_path, BESIDE, "-I", NATIVE, ARCHIVE, "-l:libbpf.a", "-lelf", "-lz")
    assert "0.1.0 abi 2 beside libbpf v1." in run([program])
    names = run(["nm", "--extern-only", "--defined-only", program])
    assert " bpf_object__open" in names


def test_archive_is_complete(tmp_path: Any) -> None:
    """It needs libc alone, and a program made with it is not tied to this machine's glibc by it."""
    source = ("#include <libtcpretrans.h>\n"
              "int main(void) { return tcpretrans_open(NULL, NULL) < 0 ? 0 : 1; }\n")
    program = compile_program(tmp_path, source, "-I", NATIVE, ARCHIVE)
    run([program])
    assert set(dynamic("NEEDED", program)) <= {"libc.so.6", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}


def test_no_path_of_the_build_machine_inside(elsewhere: str) -> None:
    for name in ("libtcpretrans.so", "libtcpretrans.a"):
        assert b"elsewhere" not in read(os.path.join(elsewhere, "build", name))


def test_installed_library_is_usable(tmp_path: Any, installed: str) -> None:
    environment = dict(os.environ, PKG_CONFIG_SYSROOT_DIR=installed,
                       PKG_CONFIG_PATH=os.path.join(installed, "usr/lib/pkgconfig"))
    flags = run(["pkg-config", "--cflags", "--libs", "libtcpretrans"], env=environment).split()
    assert run(["pkg-config", "--modversion", "libtcpretrans"], env=environment) == "0.1.0\n"
    source = ("#include <libtcpretrans.h>\n#include <stdio.h>\n"
              "int main(void) { puts(tcpretrans_version()); return 0; }\n")
    program = compile_program(tmp_path, source, *flags)
    assert dynamic("NEEDED", program)[0] == "libtcpretrans.so." + ABI
    environment["LD_LIBRARY_PATH"] = os.path.join(installed, "usr/lib")
    assert run([program], env=environment) == "0.1.0 abi 2\n"


def test_installed_files(installed: str) -> None:
    found = {os.path.relpath(os.path.join(folder, name), installed)
             for folder, _, names in os.walk(installed) for name in names}
    assert {"usr/include/libtcpretrans.h", "usr/include/tcpretrans_event.h", "usr/lib/libtcpretrans.a",
            "usr/lib/libtcpretrans.so", "usr/lib/libtcpretrans.so." + ABI,
            "usr/lib/pkgconfig/libtcpretrans.pc"} <= found
    assert "usr/share/licenses/libtcpretrans/libelf/COPYING-LGPLV3" in found
    assert {"usr/share/man/man1/retrans.1", "usr/share/bash-completion/completions/retrans",
            "usr/share/zsh/site-functions/_retrans"} <= found


def test_system_libbpf_needs_nothing_newer_than_1_1(system_library: str) -> None:
    said = make(NATIVE, "LIBBPF=system", "check")
    assert "LIBBPF_" in said
    assert "libbpf.so.1" in dynamic("NEEDED", system_library)


def test_system_libbpf_fetches_nothing(tmp_path: Any, tree: str) -> None:
    make(tree, "LIBBPF=system")
    assert sorted(os.listdir(os.path.join(tree, "build"))) == ["system"]


def test_header_is_cplusplus_too(tmp_path: Any) -> None:
    (tmp_path / "use.cc").write_text('#include "libtcpretrans.h"\nint main() { tcpretrans_close(nullptr); }\n')
    run(["g++", "-std=c++11", "-Wall", "-Werror", "-I", NATIVE, str(tmp_path / "use.cc"),
         os.path.join(BUILD, "libtcpretrans.a"), "-o", str(tmp_path / "use")])
    run([str(tmp_path / "use")])
