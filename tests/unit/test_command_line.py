"""The command line in a process of its own, with a stub in place of the library."""
import json
import os
import re
import subprocess
import sys
from typing import Any, Callable, Dict, List, NamedTuple

import pytest
from lab import tried
from retrans_ctypes import __version__, errors
from retrans_ctypes.cli import exits
from retrans_ctypes.sinks.columns import COLUMNS


class Done(NamedTuple):
    code: int
    out: List[str]
    err: List[str]


@pytest.fixture
def run(stub: Callable[..., str]) -> Callable[..., Done]:
    def run(*arguments: str, library: str = "", shell: str = 'exec "$@"', **variables: str) -> Done:
        environment = dict(os.environ, RETRANS_CTYPES_LIBRARY=library or stub())
        environment.update(variables)
        done = subprocess.run(
            ["/bin/sh", "-c", shell, "sh", sys.executable, "-X", "dev", "-m", "retrans_ctypes"] + list(arguments),
            env=environment, timeout=30, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return Done(done.returncode, done.stdout.decode().splitlines(), done.stderr.decode().splitlines())
    return run


Run = Callable[..., Done]


def test_default_command_is_trace(run: Run) -> None:
    for command in ([], ["trace"]):
        done = run(*command, "--duration", "0.1")
        assert done.code == 0
        assert done.out == ["Tracing retransmits ... Hit Ctrl-C to end",
                            "TIME         PID     COMM            LADDR:LPORT          T> RADDR:RPORT          "
                            "STATE        REASON        STALL_MS USER       NETNS           WORKLOAD"]
        storms, summary, ledger, last = done.err
        assert storms == ("rate-limited (--rate): 10.0.0.1:80 -> 10.0.2.2:443 12 segments; 10.0.0.1:80 -> 10.0.1.2:443"
                          " 11 segments; 10.0.0.1:80 -> 10.0.0.2:443 10 segments")
        assert summary == (
            "11 events, 12 segments, 13 failed, 16 filtered, 22 rate-limited, 21 segments skipped by the kernel,"
            " 18 missed, 14 lost (15 segments): the ring buffer was full")
        # the stub's own two; before them stands what this machine's namespaces sent again meanwhile
        assert re.match(r"ledger: (.*; )?kernel counter unreadable in \d+ namespaces, with 10 segments$", ledger)
        assert re.match(r"in segments: seen 12, lost 36, limited 23, unexplained \?; \d+ netns unreadable$", last)
        assert len(last) <= 80


def test_verbose_names_the_library_and_shows_failed_attempts(run: Run, stub: Callable[..., str]) -> None:
    done = run("-v", "--duration", "0.1")
    assert done.err[0].startswith("libtcpretrans 0.1.0 abi 2, %s, attached by " % stub())
    assert len(done.out) == 2 + 3
    assert all("10.0.0.1:1234        !> 10.0.0.2:80" in line and "ENOBUFS" in line for line in done.out[2:])


def test_a_user_that_cannot_be(run: Run) -> None:
    """Found out before anything is attached."""
    done = run("--user", "no-such-user", library="/nowhere.so")
    assert done.code == 2 and len(done.err) == 1 and "there is no user 'no-such-user'" in done.err[0]


def test_what_is_kept_is_told(run: Run) -> None:
    done = run("-v", "--user", "1:1", "--duration", "0.1")
    assert done.code == 0 and any(line.startswith("CAP_BPF is kept: this kernel") for line in done.err)


def test_compat_bcc(run: Run) -> None:
    header = "TIME     PID     IP LADDR:LPORT          T> RADDR:RPORT          STATE"
    assert run("--compat", "bcc", "--duration", "0.1").out[1:] == [header]
    assert run("--compat", "bcc", "-s", "--duration", "0.1").out[1:] == [header + "        SEQ"]


def test_columns_are_chosen(run: Run) -> None:
    assert run("-o", "raddr, pid,workload", "--duration", "0.1").out[1:] == [
        "RADDR:RPORT          PID     WORKLOAD"]
    assert run("-s", "--columns", "pid", "--duration", "0.1").out[1:] == ["PID     SEQ"]


def test_columns_are_explained_and_need_no_library(run: Run) -> None:
    done = run("-o", "help", library="/nowhere/lib.so")
    assert (done.code, done.err) == (0, [])
    assert [line.split()[0] for line in done.out] == list(COLUMNS)


def test_json_has_nothing_but_json_on_stdout(run: Run) -> None:
    done = run("--json", "-v", "--duration", "0.1")
    *events, ledger = [json.loads(line) for line in done.out]
    assert [event["ts_ns"] for event in events] == [1000, 1001, 1002]
    assert ledger["type"] == "ledger"
    assert [(row["netns"], row["kernel"], row["delivered"]) for row in ledger["namespaces"]
            if row["delivered"]] == [
        (200, None, 5), (201, None, 5)]
    assert "Tracing retransmits ... Hit Ctrl-C to end" in done.err


def test_count(run: Run, stub: Callable[..., str]) -> None:
    sent = stub(STUB_ERR="0")
    done = run("-c", "--duration", "0.1", library=sent)
    assert done.out[-2].split() == ["LADDR:LPORT", "RADDR:RPORT", "RETRANSMITS", "SEGS"]
    assert done.out[-1].split() == ["10.0.0.1:1234", "<->", "10.0.0.2:80", "3", "-"]
    done = run("-c", "--json", "--duration", "0.1", library=sent)
    assert [json.loads(line).get("retransmits") for line in done.out] == [3, None]


def test_failed_attempts_are_never_counted(run: Run) -> None:
    line, = run("-cv", "--json", "--duration", "0.1").out
    assert json.loads(line)["type"] == "ledger"


@pytest.mark.parametrize("arguments", [
    ["--no-such"], ["-4", "-6"], ["--duration", "0"], ["--duration", "-1"], ["--duration", "soon"],
    ["--duration", "inf"], ["-o", "pid", "--compat", "bcc"], ["--compat", "perl"], ["no-such"], ["demo", "--json"], ["trace", "trace"],
], ids=" ".join)
def test_wrong_usage_is_one_sentence(run: Run, arguments: List[str]) -> None:
    done = run(*arguments)
    assert (done.code, done.out, len(done.err)) == (2, [], 1)
    assert "--help" in done.err[0]


@pytest.mark.parametrize("arguments", [
    ["-o", "pid", "--json"], ["--compat", "bcc", "--json"], ["-c", "-o", "pid"], ["-c", "--compat", "bcc"],
], ids=" ".join)
def test_columns_are_for_lines_of_text(run: Run, arguments: List[str]) -> None:
    done = run(*arguments)
    assert (done.code, done.out, len(done.err)) == (2, [], 1) and "--json" in done.err[0]


@pytest.mark.parametrize("columns", ["", ",", "time,", "nonsense", "time,pid nonsense", "TIME"])
def test_a_column_that_is_not_there(run: Run, columns: str) -> None:
    done = run("-o", columns)
    assert (done.code, done.out, len(done.err)) == (2, [], 1)
    assert "-o help" in done.err[0]


@pytest.mark.reliability
@pytest.mark.parametrize("arguments", [
    ["--raddr", "\x1b[31m\a"], ["--uid", "\x1b[31m"], ["--netns", "\x1b[31m"], ["--no\x1b[31m"], ["--raddr", "@{}"],
])
def test_sentences_hold_nothing_that_a_terminal_obeys(run: Run, arguments: List[str], tmp_path: Any) -> None:
    listed = tmp_path / "list"
    listed.write_bytes(b"\x1b]0;title\a\xff\n")
    done = run(*[argument.replace("{}", str(listed)) for argument in arguments])
    assert (done.code, done.out, len(done.err)) == (2, [], 1)
    assert done.err[0].isprintable() and "x1b" in done.err[0]
    tried.count("security", "hostile text in an error sentence", "escaped")


@pytest.mark.parametrize("option", ["--rate", "--burst"])
@pytest.mark.parametrize("number", ["0", "-1", "1e9", "\u0663", "\u00b2", "", "1_0", "x"])
def test_limits_that_are_no_numbers(run: Run, option: str, number: str) -> None:
    done = run(option + "=" + number)
    assert (done.code, done.out, len(done.err)) == (2, [], 1)
    assert "is not a whole number above 0" in done.err[0]


def test_a_burst_without_a_rate(run: Run) -> None:
    done = run("--rate", "none", "--burst", "5")
    assert (done.code, done.out, len(done.err)) == (2, [], 1) and "--burst" in done.err[0]


def test_exit_codes_of_all_errors_are_explained() -> None:
    kinds = [kind for kind in vars(errors).values()
             if isinstance(kind, type) and issubclass(kind, errors.RetransError)]
    assert len(kinds) > 8
    assert {kind.exit_code for kind in kinds} <= set(exits.EXIT_CODES)
    for kind in kinds:
        if kind is not errors.RetransError:
            assert "%s " % kind.__name__ in (errors.__doc__ or "")


def test_version(run: Run, stub: Callable[..., str]) -> None:
    assert run("--version").out == [
        "retrans_ctypes " + __version__, "libtcpretrans 0.1.0 abi 2, " + stub()]
    without = run("--version", library="/nowhere/lib.so")
    assert without.code == 0
    assert without.out[0] == "retrans_ctypes " + __version__ and "/nowhere/lib.so is not there" in without.out[1]


def test_version_is_that_of_the_header(header: str) -> None:
    assert '#define TCPRETRANS_VERSION "%s"' % __version__ in header


@pytest.mark.parametrize("macros, code", [
    ({"STUB_OPEN_ERROR": "EPERM"}, 3), ({"STUB_OPEN_ERROR": "EACCES"}, 3), ({"STUB_OPEN_ERROR": "EOPNOTSUPP"}, 4),
    ({"STUB_OPEN_ERROR": "EINVAL"}, 2), ({"STUB_OPEN_ERROR": "ENOMEM"}, 1), ({"STUB_VERSION": '"1 abi 9"'}, 5),
], ids=str)
def test_refusals(run: Run, stub: Callable[..., str], macros: Dict[str, str], code: int) -> None:
    done = run(library=stub(**macros))
    assert (done.code, done.out, len(done.err)) == (code, [], 1)


@pytest.mark.parametrize("shell, code, lines", [
    ('exec "$@" >&-', 6, 1), ('exec "$@" 2>&-', 0, 0), ('exec "$@" >&- 2>&-', 6, 0), ('exec "$@" <&-', 0, 4),
    ('exec "$@" >/dev/full', 6, 5), ('exec "$@" 2>/dev/full', 0, 0),
])
def test_closed_and_full_outputs(run: Run, shell: str, code: int, lines: int) -> None:
    done = run("--duration", "0.1", shell=shell)
    assert (done.code, len(done.err)) == (code, lines), done


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_on_a_full_disk(run: Run, option: str) -> None:
    done = run(option, shell='exec "$@" >/dev/full')
    assert (done.code, len(done.err)) == (6, 1)


def test_a_reader_that_goes_away_ends_it_without_another_event(run: Run) -> None:
    done = run(shell='{ "$@"; echo "code $?" >&2; } | head -n 1')
    assert done.out == ["Tracing retransmits ... Hit Ctrl-C to end"]
    assert done.err[-1] == "code 141" and "went away" in done.err[-3] and done.err[-2].startswith("in segments: seen ")


INTERRUPT = 'trap "" HUP; "$@" & child=$!; sleep %s; kill -%s $child; wait $child'


@pytest.mark.parametrize("name", ["TERM", "INT"])
def test_signals_are_an_orderly_end(run: Run, name: str) -> None:
    shell = INTERRUPT % (2, name)
    if name == "INT":  # sh starts background jobs with SIGINT ignored, and ignored stays ignored
        shell = 'exec %s -c "import signal, os, sys; signal.signal(signal.SIGINT, ' \
                'signal.default_int_handler); import subprocess, time; ' \
                'p = subprocess.Popen(sys.argv[1:]); time.sleep(2); p.send_signal(2); ' \
                'sys.exit(p.wait())" "$@"' % sys.executable
    done = run(shell=shell)
    assert done.code == 0 and done.err[-3].startswith("11 events") and done.err[-1].startswith("in segments: seen "), done


def test_nohup_is_respected(run: Run) -> None:
    done = run("--duration", "1.2", shell=INTERRUPT % (0.6, "HUP"))
    assert done.code == 0 and len(done.out) == 2


def test_the_demo_without_ip(run: Run, tmp_path: Any) -> None:
    done = run("demo", PATH=str(tmp_path), shell='exec "$@"')
    assert done.code == 1 and len(done.err) == 1 and "iproute2" in done.err[0]
