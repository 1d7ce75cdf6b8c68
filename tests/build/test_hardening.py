"""`check` refuses a library that lacks one of the protections, and finds nothing else wrong with it."""
import os
import platform
import re
from typing import Any, Sequence, Set

import pytest
from building import BUILD, run
from lab import tried
from test_libraries import ARCHIVE, CHECK, SO

pytestmark = pytest.mark.reliability

# One function of every kind: with a buffer on its stack, and with a call whose size is known.
SOURCE = """
#include <stdio.h>
#include <string.h>
char tcpretrans_close(const char *text)
{
	char copy[64];
	strcpy(copy, text);
	return copy[strlen(text) / 2];
}
"""
COMPILE = ["-O2", "-fPIC", "-fstack-protector-strong", "-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=2",
           {"x86_64": "-fcf-protection=return"}.get(platform.machine(), "-mbranch-protection=standard")]
LINK = ["-shared", "-nostartfiles", "-Wl,-z,relro", "-Wl,-z,now", "-Wl,-z,separate-code"]  # noexecstack always wins

WRITABLE_CODE = '\n__asm__(".section .both,\\"awx\\"\\n.byte 0\\n.previous");\n'
RELOCATED_CODE = '\n__asm__(".text\\n.quad tcpretrans_close\\n.previous");\n'
EXECUTABLE_STACK = '\n__asm__(".section .note.GNU-stack,\\"x\\",@progbits\\n.previous");\n'

NO_RETURNS = "its returns are not protected"
BROKEN = {
    "executable stack": ((), ("-z", "execstack"), "", "its stack would be executable: link with -z noexecstack"),
    "executable stack asked for by an object":
        ((), (), EXECUTABLE_STACK, "its stack would be executable: link with -z noexecstack"),
    "no RELRO": ((), ("-Wl,-z,norelro",), "", "it is not linked with -z relro -z now"),
    "lazy binding": ((), ("-Wl,-z,lazy",), "", "it is not linked with -z relro -z now"),
    "RPATH": ((), ("-Wl,-rpath,/opt", "-Wl,--disable-new-dtags"), "", "RPATH is set"),
    "RUNPATH": ((), ("-Wl,-rpath,/opt", "-Wl,--enable-new-dtags"), "", "RUNPATH is set"),
    "code and constants together":
        ((), ("-Wl,-z,noseparate-code",), "", "its headers and constants are executable: link with -z separate-code"),
    "writable code": ((), (), WRITABLE_CODE, "a part of it is writable and executable at once"),
    "relocations in the code": ((), ("-Wl,-z,notext",), RELOCATED_CODE, "TEXTREL is set"),
    "no stack protector": (("-fno-stack-protector",), (), "",
                           "no function of it watches its stack: compile with -fstack-protector-strong"),
    "no checked calls": (("-U_FORTIFY_SOURCE",), (), "",
                         "no call of it has its sizes checked: compile with -D_FORTIFY_SOURCE=2"),
    "unprotected returns": (({"x86_64": "-fcf-protection=none"}.get(platform.machine(), "-mbranch-protection=none"),),
                            (), "", NO_RETURNS),
}


def objections(folder: Any, compile_with: Sequence[str] = (), link_with: Sequence[str] = (), more: str = "",
               code: int = 1) -> Set[str]:
    """What `check` says about a library made with these flags after the right ones, but for names and versions."""
    source, thing, library = str(folder / "part.c"), str(folder / "part.o"), str(folder / "part.so")
    with open(source, "w") as file:
        file.write(SOURCE + more)
    run(["gcc"] + COMPILE + list(compile_with) + ["-c", source, "-o", thing])
    run(["gcc"] + LINK + [thing, "-o", library] + list(link_with))
    said = run(CHECK + [library], code=code).splitlines()
    return {line.split(library + ": ")[1] for line in said
            if "libtcpretrans.h" not in line and library + ": " in line}


def test_check_finds_nothing_where_nothing_is_wrong(tmp_path: Any) -> None:
    assert objections(tmp_path) == set()


@pytest.mark.parametrize("what", sorted(BROKEN))
def test_check_refuses_what_is_not_hardened(tmp_path: Any, what: str) -> None:
    compile_with, link_with, more, sentence = BROKEN[what]
    found = objections(tmp_path, compile_with, link_with, more)
    assert len(found) == 1 and found.pop().startswith(sentence)
    tried.count("security", "library made without one of its protections", "refused by make check")


def test_what_cannot_be_had_is_not_asked_for(tmp_path: Any) -> None:
    flags = BROKEN["unprotected returns"][0] + ("-U_FORTIFY_SOURCE",)
    assert len(objections(tmp_path, flags)) == 2
    said = run(CHECK[:2] + ["--without", "fortify", "--without", "branches"] + CHECK[2:] + [str(tmp_path / "part.so")], 1)
    assert "libtcpretrans.h" in said and "compile with" not in said


@pytest.mark.parametrize("more, compile_with, sentence", [
    (EXECUTABLE_STACK, (), "a program that it is linked into gets an executable stack"),
    ("", ("-fno-stack-protector",), "no function of it watches its stack"),
    ("", ("-U_FORTIFY_SOURCE",), "no call of it has its sizes checked"),
    ("", BROKEN["unprotected returns"][0], NO_RETURNS),
])
def test_check_looks_into_the_archive(tmp_path: Any, more: str, compile_with: Sequence[str], sentence: str) -> None:
    objections(tmp_path, compile_with, (), more, code=1)
    archive = str(tmp_path / "part.a")
    run(["ar", "rcs", archive, str(tmp_path / "part.o")])
    said = [line for line in run(CHECK + [archive], code=1).splitlines() if "libtcpretrans.h" not in line]
    assert len(said) == 1 and sentence in said[0]
    tried.count("security", "library made without one of its protections", "refused by make check")


def test_large_frames_touch_each_page() -> None:
    """No property of the file shows -fstack-clash-protection, but the code does."""
    probe = {"x86_64": r"orq +\$0x0,(0x[0-9a-f]+)?\(%rsp\)", "aarch64": r"str\s+xzr, \[sp, #1024\]"}[platform.machine()]
    assert re.search(probe, run(["objdump", "--disassemble", SO]))


def test_every_part_is_compiled_with_them() -> None:
    """Ours and the pinned ones: one object without would hide behind the others."""
    for part in ("library", "third-party"):
        with open(os.path.join(BUILD, "flags", part)) as file:
            flags = file.read().split()
        assert {"-fstack-protector-strong", "-fstack-clash-protection", "-D_FORTIFY_SOURCE=2"} <= set(flags)
    assert len(run(CHECK + [SO, ARCHIVE]).splitlines()) == 2
