"""`python3 -m retrans_ctypes doctor` as a process, with a stub in place of the library."""
import json
import os
import subprocess
import sys
from typing import Any, Callable, Dict, List, NamedTuple

import pytest
from lab.terminal import terminal, unpainted
from retrans_ctypes.cli import doctor, exits
from retrans_ctypes.errors import RetransError


class Done(NamedTuple):
    code: int
    out: List[str]
    err: List[str]


@pytest.fixture
def run(stub: Callable[..., str]) -> Callable[..., Done]:
    def run(*arguments: str, library: str = "", shell: str = 'exec "$@"') -> Done:
        environment = dict(os.environ, RETRANS_CTYPES_LIBRARY=library or stub())
        done = subprocess.run(
            ["/bin/sh", "-c", shell, "sh", sys.executable, "-X", "dev", "-m", "retrans_ctypes", "doctor"] + list(arguments),
            env=environment, timeout=30, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return Done(done.returncode, done.stdout.decode().splitlines(), done.stderr.decode().splitlines())
    return run


Run = Callable[..., Done]


@pytest.mark.parametrize("macros, level, code", [
    ({}, "degraded", 1), ({"STUB_OPEN_ERROR": "EPERM"}, "impossible", 2), ({"STUB_VERSION": '"1 abi 9"'}, "impossible", 2),
    ({"STUB_OPEN_ERROR": "EMFILE"}, "impossible", 2),
])
def test_the_verdict_is_the_exit_code(run: Run, stub: Callable[..., str], macros: Dict[str, str], level: str, code: int) -> None:
    """The stub can tell little, so what it allows at best is degraded."""
    done = run(library=stub(**macros))
    assert (done.code, done.err) == (code, []) and done.out[0].endswith("doctor: " + level)
    done = run("--json", library=stub(**macros))
    told, = [json.loads(line) for line in done.out]
    assert (told["verdict"], told["exit_code"], done.code, done.err) == (level, code, code, [])


def test_no_library(run: Run) -> None:
    done = run(library="/nowhere/lib.so")
    assert (done.code, done.err) == (2, [])
    assert any("/nowhere/lib.so is not there" in line for line in done.out)
    assert not any(line[2:].startswith("tp_btf") for line in done.out)


@pytest.mark.parametrize("arguments", [["--no-such"], ["extra"], ["--btf"], ["--tracepoints"]], ids=" ".join)
def test_wrong_usage_is_no_verdict(run: Run, arguments: List[str]) -> None:
    done = run(*arguments)
    assert (done.code, done.out, len(done.err)) == (64, [], 1)
    assert "doctor --help" in done.err[0]


@pytest.mark.parametrize("shell, code, lines", [
    ('exec "$@" >/dev/full', 6, 1), ('exec "$@" >&-', 6, 1), ('exec "$@" 2>&-', 1, 0), ('exec "$@" >&- 2>&-', 6, 0),
    ('{ sleep 0.3; "$@"; echo "code $?" >&2; } | true', 0, 2),
])
def test_output_that_goes_nowhere(run: Run, shell: str, code: int, lines: int) -> None:
    done = run(shell=shell)
    assert (done.code, len(done.err)) == (code, lines), done
    assert lines < 2 or done.err[-1] == "code 141"


def test_help(run: Run) -> None:
    done = run("--help-all")
    text = "\n".join(done.out)
    assert (done.code, done.err) == (0, [])
    for code, meaning in exits.DOCTOR_EXIT_CODES.items():
        assert "%3d  %s" % (code, meaning) in text
    assert "--tracepoints" in text and "docs/doctor.md" in text


def test_a_failure_of_its_own_is_no_verdict(monkeypatch: Any) -> None:
    def broken(btf: Any) -> Any:
        raise RuntimeError("quite unexpected")
    monkeypatch.setattr(doctor, "examine", broken)
    with pytest.raises(RetransError, match="quite unexpected") as caught:
        doctor.main([])
    assert caught.value.exit_code == exits.DOCTOR_FAILED == 70


@pytest.mark.parametrize("width, widest", [(20, 40), (40, 40), (80, 80), (100, 100), (200, 120)])
def test_on_a_terminal(stub: Callable[..., str], width: int, widest: int) -> None:
    environment = dict(os.environ, RETRANS_CTYPES_LIBRARY=stub(), TERM="xterm")
    with terminal(width) as screen:
        done = subprocess.run([sys.executable, "-m", "retrans_ctypes", "doctor"], env=environment, stdout=screen.writer,
                              timeout=30)
        lines = unpainted(screen.lines())
    assert done.returncode == 1 and max(map(len, lines)) <= widest
    assert not any("\x1b" in line for line in lines)


@pytest.mark.parametrize("option, painted", [("always", True), ("never", False), ("auto", False)])
def test_the_verdict_is_painted(run: Run, option: str, painted: bool) -> None:
    done = run("--color", option)
    assert done.out[0].endswith("doctor: \x1b[35mdegraded\x1b[0m" if painted else "doctor: degraded")
    marks = {line[:10] for line in done.out[1:] if line.startswith("\x1b")}
    assert marks == ({"\x1b[32m+\x1b[0m", "\x1b[35m!\x1b[0m"} if painted else set())


def test_verbose_tells_all_that_is_lacking(run: Run, monkeypatch: Any) -> None:
    lacks = json.loads(run("--json").out[0])["lacks"]
    more = [line for line in run().out if "more, which -v lists" in line]
    assert len(more) == (1 if len(lacks) > 2 else 0)
    assert not any("more, which" in line for line in run("-v").out)
