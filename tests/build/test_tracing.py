"""Programs in C and Go, and the package on the system's libbpf, each receive a real retransmit."""
import os
import shutil
import signal
from typing import Any, List

import pytest
from building import BUILD, NATIVE, REPO, environment, run
from lab import commands
from lab.link import V4, Lab
from lab.traffic import connecting

C_EXAMPLE = os.path.join(REPO, "docs", "examples", "c", "first_retransmit.c")
GO_EXAMPLE = os.path.join(REPO, "docs", "examples", "go")
FIRST = "10.77.0.1"

pytestmark = pytest.mark.usefixtures("nothing_left_behind")


def first_retransmit(lab: Lab, argv: List[str], port: int) -> List[str]:
    """What a program prints that traces a SYN to a dead address; it has to end by itself."""
    with commands.Child(argv + [str(port)], env=environment()) as child:
        child.wait_tracing()
        with connecting(lab.client, V4.dead, port):
            code, out, err = child.end()
    assert code == 0, err
    return out


def test_c_program(lab: Lab, tmp_path: Any) -> None:
    program = str(tmp_path / "first_retransmit")
    run(["gcc", "-Wall", "-Wextra", "-Werror", "-I", NATIVE, C_EXAMPLE,
         os.path.join(BUILD, "libtcpretrans.a"), "-o", program])
    (line,) = first_retransmit(lab, [program], 4071)
    assert FIRST in line and "{} port 4071: 1 segment(s)".format(V4.dead) in line


def test_c_program_is_stopped_by_ctrl_c(tmp_path: Any) -> None:
    """tcpretrans_stop() in the signal's handler: an orderly end, not an interrupted one."""
    program = str(tmp_path / "first_retransmit")
    run(["gcc", "-I", NATIVE, C_EXAMPLE, os.path.join(BUILD, "libtcpretrans.a"), "-o", program])
    with commands.Child([program, "4073"], env=environment()) as child:
        child.wait_tracing()
        child.process.send_signal(signal.SIGINT)
        assert child.end()[0] == 0


def build_go(folder: Any) -> str:
    """The example as it stands, with Go's own files below the build folder."""
    program = str(folder / "first_retransmit")
    settings = environment(GOCACHE=os.path.join(BUILD, "go-cache"), GOPATH=str(folder / "go"),
                           GOFLAGS="-mod=mod -buildvcs=false", GOPROXY="off", CGO_ENABLED="1")
    run(["go", "vet", "."], cwd=GO_EXAMPLE, env=settings)
    run(["go", "build", "-o", program, "."], cwd=GO_EXAMPLE, env=settings)
    return program


@pytest.mark.full
def test_go_program(lab: Lab, tmp_path: Any) -> None:
    assert shutil.which("go"), "Go is missing; `make -C native test FULL=1` installs it"
    (line,) = first_retransmit(lab, [build_go(tmp_path)], 4072)
    assert line.startswith(FIRST) and line.endswith("-> {}:4072: 1 segment(s)".format(V4.dead))


def test_package_on_the_systems_libbpf(lab: Lab, system_library: str) -> None:
    env = environment(RETRANS_CTYPES_LIBRARY=system_library)
    with commands.Child(commands.module("--json"), env=env) as child:
        child.wait_tracing()
        with connecting(lab.client, V4.dead, 4073):
            assert '"syn"' in child.wait_line(V4.dead, "4073")
        child.interrupt()
        assert child.end()[0] == 0
