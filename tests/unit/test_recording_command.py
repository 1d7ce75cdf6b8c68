"""`record` in a process of its own, with a stub in place of the library."""
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from typing import Any, Callable, List

import pytest
from lab.terminal import terminal
from recording_parts import select
from retrans_ctypes.cli.record import buffer_bytes
from test_command_line import Run, run  # noqa: F401  (a fixture)

FOR = ("--duration", "0.2")


def record(run: Run, folder: Any, *arguments: str, **options: Any) -> Any:
    """In ``folder``."""
    return run("record", *arguments, shell='cd %s && exec "$@"' % folder, **options)


def test_a_database_is_the_default(run: Run, tmp_path: Any) -> None:
    done = record(run, tmp_path, *FOR)
    assert (done.code, done.out) == (0, [])
    assert done.err[0] == "Recording retransmits in retrans.db ... Hit Ctrl-C to end"
    assert done.err[-4].startswith("11 events, 12 segments") and done.err[-3].startswith("ledger: ")
    assert done.err[-1].startswith("in segments: seen 12, lost 36, limited 23, unexplained ")
    assert done.err[-2] == "3 events in retrans.db"
    assert os.listdir(str(tmp_path)) == ["retrans.db"]
    stats, ledger, ended = select(tmp_path / "retrans.db", "SELECT stats, ledger, ended_ns FROM session")[0]
    assert json.loads(stats)["lost"] == 14 and json.loads(ledger)["type"] == "ledger" and ended
    assert select(tmp_path / "retrans.db", "SELECT count(*) FROM event") == [(3,)], "failed attempts too"


@pytest.mark.parametrize("arguments", [
    ["-o", "x.ndjson"], ["-o", "x.jsonl"], ["-o", "x", "--format", "ndjson"], ["--format", "ndjson"],
    ["-o", "x.txt", "--format", "ndjson"],
], ids=" ".join)
def test_lines(run: Run, tmp_path: Any, arguments: List[str]) -> None:
    done = record(run, tmp_path, *FOR, *arguments)
    name, = os.listdir(str(tmp_path))
    assert done.code == 0 and done.err[-2] == "3 events in " + name
    lines = (tmp_path / name).read_text().splitlines()
    assert [json.loads(line)["type"] for line in lines] == ["session"] + ["event"] * 3 + ["end", "ledger"]


def test_standard_output(run: Run, tmp_path: Any) -> None:
    done = record(run, tmp_path, "-o", "-", *FOR)
    assert done.code == 0 and done.err[-2] == "3 events in standard output" and not os.listdir(str(tmp_path))
    assert [json.loads(line)["type"] for line in done.out] == ["session"] + ["event"] * 3 + ["end", "ledger"]


def test_a_reader_that_goes_away_ends_it(run: Run) -> None:
    done = run("record", "-o", "-", shell='{ "$@"; echo "code $?" >&2; } | head -n 1')
    assert json.loads(done.out[0])["type"] == "session" and len(done.out) == 1
    assert done.err[-1] == "code 141" and "went away" in done.err[-3]


def test_the_filter_is_kept_as_it_was_typed(run: Run, tmp_path: Any) -> None:
    typed = ["-4", "--port", "443,8000-8010", "--not-raddr", "10.0.0.0/8", "--not-raddr", "192.0.2.1", "--uid", "0"]
    done = record(run, tmp_path, *FOR, *typed)
    assert done.code == 0
    kept, = select(tmp_path / "retrans.db", "SELECT filter FROM session")[0]
    assert kept == "-4 --port 443,8000-8010 --uid 0 --not-raddr 10.0.0.0/8 --not-raddr 192.0.2.1"
    assert record(run, tmp_path, *FOR).code == 0
    assert select(tmp_path / "retrans.db", "SELECT filter FROM session WHERE id = 2") == [(None,)]


def test_a_rotated_recording(run: Run, tmp_path: Any) -> None:
    done = record(run, tmp_path, "--rotate", "1s", "--keep", "2", "--duration", "3.4")
    names = sorted(os.listdir(str(tmp_path)))
    assert done.code == 0 and len(names) == 2
    assert all(re.match(r"retrans-\d{8}-\d{6}Z\.db$", name) for name in names)
    assert done.err[0].startswith("Recording retransmits in retrans-20")
    assert re.match(r"3 events in [34] files, the last of them %s; (1 older file was|2 older files were) removed \(--keep\)$"
                    % re.escape(names[-1]), done.err[-2]), done.err[-2]
    assert all(select(tmp_path / name, "SELECT ended_ns IS NOT NULL FROM session") == [(1,)] for name in names)


@pytest.mark.parametrize("arguments, word", [
    (["--rotate"], "--max-size"), (["--rotate", "soon"], "90s"), (["--rotate", "0s"], "90s"), (["--keep", "3"], "--rotate"),
    (["--keep", "0", "--rotate", "1h"], "above 0"), (["--keep", "3x", "--rotate", "1h"], "90s"),
    (["--max-size", "1K"], "256K"), (["--max-size", "1.5G"], "256K"), (["--max-size", ""], "256K"),
    (["--max-size", "1M\n"], "256K"), (["--format", "xml"], "ndjson"), (["-o", "-", "--format", "db"], "standard output"),
    (["-o", "x.db", "--format", "ndjson"], "of another kind"), (["-o", "x.jsonl", "--format", "db"], "of another kind"),
    (["--duration", "1e300"], "seconds"), (["--duration", "1e10"], "seconds"),
    (["-o", "-", "--rotate", "1h"], "standard output"), (["-o", "-", "--max-size", "1M"], "standard output"),
    (["--json"], "--help"), (["somewhere.db"], "--help"),
], ids=str)
def test_wrong_usage_is_one_sentence(run: Run, tmp_path: Any, arguments: List[str], word: str) -> None:
    done = record(run, tmp_path, *arguments)
    assert (done.code, done.out, len(done.err)) == (2, [], 1) and word in done.err[0]
    assert not os.listdir(str(tmp_path))


@pytest.mark.parametrize("name, content, code, sentence", [
    ("x.db", b"my thesis", 7, "x.db is not a recording"), ("x.ndjson", b"my thesis", 7, "x.ndjson is not a recording"),
    ("none/x.db", None, 6, "No such file or directory"), ("none/x.ndjson", None, 6, "No such file or directory"),
    (".", None, 6, "Is a directory"), ("/dev/null", None, 6, "not a regular file"), ("", None, 6, "Is a directory"),
])
def test_where_it_cannot_go(run: Run, tmp_path: Any, name: str, content: Any, code: int, sentence: str) -> None:
    if content:
        (tmp_path / name).write_bytes(content)
    done = record(run, tmp_path, "-o", name, *FOR)
    assert (done.code, done.out, len(done.err)) == (code, [], 1) and sentence in done.err[0], done
    assert not content or (tmp_path / name).read_bytes() == content


def test_in_a_folder_that_was_removed(run: Run, tmp_path: Any) -> None:
    removed = 'mkdir "{0}/gone" && cd "{0}/gone" && rmdir "{0}/gone" && exec "$@"'.format(tmp_path)
    for rotate in ([], ["--rotate", "1h"]):
        done = run("record", "-o", "x.db", *rotate, *FOR, shell=removed)
        assert (done.code, done.out, len(done.err)) == (6, [], 1), done
        assert "cannot be written (the current folder was removed): name another file" in done.err[0]
    assert run("record", "-o", str(tmp_path / "x.db"), *FOR, shell=removed).code == 0


@pytest.mark.parametrize("cpus, gib, buffer", [(2, 8, 16 << 20), (2, 7, 0), (8, 64, 0), (7, 64, 16 << 20), (64, 1, 0)])
def test_the_buffer_is_larger_where_that_is_little(cpus: int, gib: int, buffer: int) -> None:
    assert buffer_bytes(cpus, gib << 30) == buffer


def test_a_python_without_sqlite(run: Run, tmp_path: Any) -> None:
    """As some images and small systems have it."""
    (tmp_path / "sqlite3.py").write_text("raise ImportError('No module named _sqlite3')")
    path = os.pathsep.join([str(tmp_path)] + sys.path)
    before = sorted(os.listdir(str(tmp_path)))
    for options in ([], ["--rotate", "1h"]):
        done = record(run, tmp_path, *FOR, *options, PYTHONPATH=path)
        assert (done.code, len(done.err)) == (1, 1) and "--format ndjson" in done.err[0]
        assert [name for name in sorted(os.listdir(str(tmp_path))) if name != "__pycache__"] == before
    done = record(run, tmp_path, *FOR, "--format", "ndjson", PYTHONPATH=path)
    assert done.code == 0 and (tmp_path / "retrans.ndjson").exists()


def test_two_recorders(run: Run, tmp_path: Any) -> None:
    shell = ('cd %s; "$@" --duration 4 & first=$!; while [ ! -s retrans.db ]; do sleep 0.05; done; sleep 0.2;'
             ' "$@"; echo "second $?" >&2; wait $first; echo "first $?" >&2' % tmp_path)
    done = run("record", shell=shell)
    refused = [line for line in done.err if "another process is recording into" in line]
    assert len(refused) == 1 and "second 7" in done.err and done.err[-1] == "first 0"
    assert select(tmp_path / "retrans.db", "SELECT count(*) FROM session") == [(1,)]


def test_a_refused_filter_leaves_no_file(run: Run, stub: Callable[..., str], tmp_path: Any) -> None:
    assert record(run, tmp_path, "--port", "none").code == 2
    assert record(run, tmp_path, library=stub(STUB_OPEN_ERROR="EPERM")).code == 3
    assert not os.listdir(str(tmp_path))


def test_ctrl_c_and_a_closed_stderr(run: Run, tmp_path: Any) -> None:
    for number in ("INT", "TERM"):
        done = run("record", shell='cd %s; timeout -s %s 3 "$@" 2>&-; echo $?' % (tmp_path, number))
        assert done.out == ["124"]  # timeout's own code, as it ended it
    assert select(tmp_path / "retrans.db", "SELECT count(ended_ns) FROM session") == [(2,)]


@pytest.mark.parametrize("columns", [40, 200])
def test_a_terminal_is_told_how_far_it_is(run: Run, stub: Callable[..., str], tmp_path: Any, columns: int) -> None:
    """In one line, which is gone at the end; without any code but carriage return."""
    with terminal(columns) as screen:
        done = subprocess.run(
            [sys.executable, "-m", "retrans_ctypes", "record", "--duration", "2.4", "-o",
             str(tmp_path / "a\x1b[31mlong-name.db")],
            env=dict(os.environ, RETRANS_CTYPES_LIBRARY=stub()), stderr=screen.writer, timeout=30)
        text = "\n".join(screen.lines())
    assert done.returncode == 0 and "\x1b" not in text
    shown = [part for line in text.split("\n") for part in line.split("\r")]
    status = [part for part in shown if part.startswith("3 events, 14 lost, ")]
    assert len(status) == 2 and all(len(part) < columns for part in status)
    if columns == 200:
        assert re.match(r"3 events, 14 lost, \d+\.\d KiB in /.*\\x1b\[31mlong-name.db$", status[0].rstrip())
    assert [part for part in shown if part.endswith("long-name.db")] and shown[-1].endswith("unreadable")
    assert not [line for line in text.splitlines() if "lost, 2" in line]


def test_a_pipe_is_not(run: Run, tmp_path: Any) -> None:
    done = record(run, tmp_path, "--duration", "1.5")
    assert not [line for line in done.err if "\r" in line or line.startswith("3 events, 14 lost, ")]


def test_help_fits_a_narrow_terminal(run: Run) -> None:
    done = run("record", "--help")
    assert done.code == 0 and max(map(len, done.out)) <= 80
    assert {"--max-size", "--rotate", "--keep", "--format", "-o"} <= set(re.findall(r"--?[a-z-]+", " ".join(done.out)))


def test_kill_9_of_the_command(run: Run, stub: Callable[..., str], tmp_path: Any) -> None:
    path = tmp_path / "retrans.db"
    with subprocess.Popen(
            [sys.executable, "-m", "retrans_ctypes", "record", "-o", str(path)], stderr=subprocess.DEVNULL,
            env=dict(os.environ, RETRANS_CTYPES_LIBRARY=stub())) as child:
        try:
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline:
                try:
                    if select(path, "SELECT count(*) FROM event") == [(3,)]:
                        break
                except sqlite3.Error:
                    pass
                time.sleep(0.1)
        finally:
            child.send_signal(signal.SIGKILL)
    assert select(path, "PRAGMA integrity_check") == [("ok",)]
    stats, ended = select(path, "SELECT stats, ended_ns FROM session")[0]
    assert json.loads(stats)["events"] == 11 and ended is None
    assert select(path, "SELECT count(*) FROM event") == [(3,)]


def parts(path: Any) -> Any:
    """How many (sessions, events) are in a recording under way; None where it cannot be told yet."""
    if not path.exists():
        return None
    if path.suffix == ".db":
        try:
            return select(path, "SELECT (SELECT count(*) FROM session), (SELECT count(*) FROM event)")[0]
        except sqlite3.Error:
            return None
    types = re.findall('^{"type": ?"([a-z]+)"', path.read_text(), re.MULTILINE)
    return types.count("session"), types.count("event")


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("name", ["r.db", "r.ndjson"])
@pytest.mark.parametrize("moved", [True, False])
def test_a_hangup_begins_it_anew(stub: Callable[..., str], tmp_path: Any, name: str, moved: bool) -> None:
    """Both sessions are whole, in a file each where the first one was renamed."""
    path = tmp_path / name
    with subprocess.Popen([sys.executable, "-m", "retrans_ctypes", "record", "-o", str(path)], start_new_session=True,
                          env=dict(os.environ, RETRANS_CTYPES_LIBRARY=stub()), stderr=subprocess.PIPE) as process:
        assert process.stderr and b"Recording" in process.stderr.readline()
        wait_until(lambda: parts(path) == (1, 3))
        if moved:
            path.rename(tmp_path / ("old-" + name))
        process.send_signal(signal.SIGHUP)
        if name == "r.db" and not moved:
            time.sleep(3)  # who reads it now may be in the way of its end
        else:
            wait_until(lambda: parts(path) == ((1, 0) if moved else (2, 3)))
        process.send_signal(signal.SIGTERM)
        err = process.stderr.read().decode().splitlines()
    assert process.returncode == 0 and err[-2].startswith("3 events in " + ("2 files" if moved else str(path))), err
    files = [tmp_path / ("old-" + name), path] if moved else [path]
    assert sorted(os.listdir(str(tmp_path))) == sorted(file.name for file in files)
    if name == "r.db":
        ended = [row for file in files for row in select(file, "SELECT ended_ns IS NOT NULL FROM session")]
        assert ended == [(1,), (1,)]
        assert all(file.read_bytes()[18:20] == b"\1\1" for file in files), "still in WAL mode"
    else:
        types = [json.loads(line)["type"] for file in files for line in file.read_text().splitlines()]
        assert types == ["session"] + ["event"] * 3 + ["end", "ledger", "session", "end", "ledger"]


def test_a_hangup_with_the_terminal_ends_it(stub: Callable[..., str], tmp_path: Any) -> None:
    """As when ssh is cut off: nobody is there to end it later."""
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "retrans_ctypes", "record", "-o", str(tmp_path / "r.db")]
    with subprocess.Popen(["setsid", "--ctty"] + command, stdin=theirs, stdout=theirs, stderr=theirs,
                          env=dict(os.environ, RETRANS_CTYPES_LIBRARY=stub())) as process:
        os.close(theirs)
        drawn = b""
        while b"Recording" not in drawn:
            drawn += os.read(ours, 4096)
        time.sleep(0.7)
        os.close(ours)
        assert process.wait(20) == 0
    assert select(tmp_path / "r.db", "SELECT ended_ns IS NOT NULL FROM session") == [(1,)]
