"""After --user: nothing comes back, and other processes of that user cannot take what is left."""
import os
import subprocess
from typing import Any, Iterator

import pytest
from lab import commands, interpreters, tried
from lab.rights import NOBODY, as_user
from lab.stage import copy_package, open_folder

TAKE = """
import ctypes, os, sys
pid, got = sys.argv[1], []
for name in ("mem", "environ", "maps", "fd", "cwd", "root", "map_files", "stack", "syscall", "io"):
    path = "/proc/%s/%s" % (pid, name)
    try:
        if name in ("cwd", "root"):
            os.readlink(path)
        elif name in ("fd", "map_files"):
            [os.readlink(path + "/" + one) for one in os.listdir(path)]
        else:
            with open(path, "r+b" if name == "mem" else "rb") as file:
                file.read(1)
        got.append(name)
    except OSError:
        pass
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
if libc.ptrace(0x4206, int(pid), None, None) == 0:  # PTRACE_SEIZE
    got.append("ptrace")
print("got", *got)
"""


@pytest.fixture
def folder(kernel_rights: None) -> Iterator[str]:
    with open_folder() as made:
        copy_package(made)
        yield made


def take(pid: int, folder: str) -> str:
    done = subprocess.run(as_user(NOBODY, ()) + [interpreters.anybodys(), "-c", TAKE, str(pid)], cwd=folder,
                          stdout=subprocess.PIPE, universal_newlines=True, check=True)
    return done.stdout


def test_others_of_that_user_cannot_take_it_over(folder: str, nothing_left_behind: None) -> None:
    """Its descriptors of the programs' maps, its memory, and what root's environment said."""
    argv = commands.module("--user", "%d:%d" % (NOBODY, NOBODY), python=interpreters.anybodys())
    environment = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", "PASSWORD": "of root's"}
    with commands.Child(argv, cwd=folder, env=environment) as child:
        child.wait_tracing(60)
        pid = child.process.pid
        with open("/proc/%d/status" % pid) as status:
            lines = status.read()
        assert "Uid:\t%s\n" % "\t".join([str(NOBODY)] * 4) in lines and "NoNewPrivs:\t1\n" in lines
        assert take(pid, folder) == "got\n"
        child.interrupt()
        assert child.end(60)[0] == 0
    tried.count("security", "process of --user's user that attacks the tracer", "reads and traces nothing of it")


def test_the_attack_works_elsewhere(folder: str) -> None:
    """On a process that was that user's from its beginning it gets most, so that nothing above tells something."""
    argv: Any = as_user(NOBODY, ()) + [interpreters.anybodys(), "-c", "print(1, flush=True); input()"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=folder) as process:
        assert process.stdout and process.stdout.readline() == b"1\n"
        assert {"environ", "maps", "fd"} <= set(take(process.pid, folder).split())


def test_files_that_it_has_open(folder: str, nothing_left_behind: None) -> None:
    """No file or folder of root's that it could still write, beside what the caller gave it and the programs' own."""
    argv = commands.module("--user", "%d:%d" % (NOBODY, NOBODY), python=interpreters.anybodys())
    with commands.Child(argv, cwd=folder, env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}) as child:
        child.wait_tracing(60)
        base = "/proc/%d/fd" % child.process.pid
        for number in sorted(map(int, os.listdir(base))):
            if number < 3:
                continue
            link = os.readlink("%s/%d" % (base, number))
            if not link.startswith("/") or link.startswith("/memfd:"):
                assert link.split(":")[0] in ("anon_inode", "socket", "pipe", "net", "mnt", "/memfd"), link
                continue
            with open("/proc/%d/fdinfo/%d" % (child.process.pid, number)) as info:
                flags = int(next(line.split()[1] for line in info if line.startswith("flags:")), 8)
            assert flags & os.O_ACCMODE == os.O_RDONLY, (link, oct(flags))
            tried.count("security", "file that is open after --user", "cannot be written")
        child.interrupt()
        assert child.end(60)[0] == 0
