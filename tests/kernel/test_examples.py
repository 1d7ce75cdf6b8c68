"""The programs of docs/examples, each run as it is against real retransmits."""
import ast
import glob
import os
import re
import signal
import socket
import sqlite3
import sys
import time
import urllib.error
import urllib.request
from contextlib import closing
from typing import Any, List, Tuple

import pytest
from lab import commands
from lab.counters import Counters
from lab.link import V4, Lab
from lab.traffic import connecting

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "examples")
EXAMPLES = sorted(os.path.basename(path) for path in glob.glob(os.path.join(FOLDER, "*.py")))
DEAD = V4.dead + ":9"


def example(name: str, *arguments: str) -> List[str]:
    return [sys.executable, os.path.join(FOLDER, name)] + list(arguments)


def until_interrupted(lab: Lab, name: str, ready: str, *words: str) -> List[str]:
    """Run until a line has `words`, then press Ctrl-C; gives all lines."""
    with commands.Child(example(name)) as child:
        child.wait_line(ready)
        counters = Counters(lab.client)
        with connecting(lab.client, V4.dead):
            if words:
                child.wait_line(*words)
            else:
                counters.wait("TCPSynRetrans", 2)
        child.interrupt(signal.SIGINT)
        code, out, err = child.end()
    assert (code, err) == (0, [])
    return out


def by_itself(lab: Lab, name: str, ready: str, *arguments: str) -> List[str]:
    """Run to its own end, with two SYNs sent again meanwhile, after 1 s each."""
    with commands.Child(example(name, *arguments)) as child:
        child.wait_line(ready)
        with connecting(lab.client, V4.dead, count=2):
            time.sleep(2)
        code, out, err = child.end(20)
    assert (code, err) == (0, [])
    return out


def code_lines(name: str) -> int:
    """Lines of code: no blank ones, no comments, no docstring."""
    with open(os.path.join(FOLDER, name), encoding="utf-8") as file:
        text = file.read()
    head = ast.parse(text).body[0]
    assert ast.get_docstring(ast.parse(text)), name + " does not say what it shows"
    lines = text.splitlines()[getattr(head, "end_lineno", 1):]
    return sum(1 for line in lines if line.strip() and not line.strip().startswith("#"))


def test_each_is_tried_here() -> None:
    with open(os.path.abspath(__file__), encoding="utf-8") as file:
        tests = file.read()
    assert len(EXAMPLES) >= 7
    assert [name for name in EXAMPLES if '"%s"' % name not in tests] == []


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_is_short(name: str) -> None:
    assert 10 <= code_lines(name) <= 30


def test_print_events(lab: Lab) -> None:
    lines = until_interrupted(lab, "print_events.py", "tracing", DEAD, "syn")
    assert lines[-1].startswith("ledger: kernel ")


def test_callback(lab: Lab) -> None:
    lines = until_interrupted(lab, "callback.py", "counting")
    assert V4.dead in [line.split()[0] for line in lines[1:]]


def test_custom_sink(lab: Lab) -> None:
    with commands.Child(example("custom_sink.py")) as child:
        assert child.wait_line("time,remote") == "time,remote,reason,stall_ms,pid"
        with connecting(lab.client, V4.dead):
            line = child.wait_line(DEAD)
    when, remote, reason, stall, pid = line.split(",")
    assert (remote, reason, int(pid)) == (DEAD, "syn", os.getpid())
    assert when.endswith("Z") and 900 < float(stall) < 2000


def test_async_events(lab: Lab) -> None:
    lines = by_itself(lab, "async_events.py", "tracing")
    assert sum(DEAD + " syn after" in line for line in lines) >= 2  # others on this host may retransmit too
    assert int(lines[-1].split()[0]) >= 2


def test_numpy_histogram(lab: Lab) -> None:
    lines = by_itself(lab, "numpy_histogram.py", "measuring")
    rows = {line.split()[1]: int(line.split()[3]) for line in lines[1:]}
    assert len(rows) == 9 and rows["1000"] >= 2


def test_record_from_python(lab: Lab, tmp_path: Any) -> None:
    file = str(tmp_path / "made.db")
    counters = Counters(lab.client)
    lines = by_itself(lab, "record_from_python.py", "recording", file)
    assert int(lines[-1].split()[0]) >= 2
    with closing(sqlite3.connect(file)) as database:
        rows = database.execute("SELECT daddr, reason, owner_pid FROM event WHERE netns = ?", [lab.client.inode]).fetchall()
        assert len(rows) >= 2 and rows == [(V4.dead, "syn", os.getpid())] * counters.gained()["TCPSynRetrans"]
        whole = "SELECT COUNT(*) FROM session WHERE ended_ns NOT NULL AND stats NOT NULL AND ledger NOT NULL"
        assert database.execute(whole).fetchone() == (1,)


def asked(port: int) -> Tuple[int, str]:
    try:
        with urllib.request.urlopen("http://127.0.0.1:%d/healthz" % port, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def unused_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def test_wsgi_health(lab: Lab) -> None:
    port = unused_port()
    with commands.Child(example("wsgi_health.py", str(port))) as child:
        child.wait_line("http://127.0.0.1:%d/healthz" % port)
        assert asked(port)[0] == 200
        with connecting(lab.client, V4.dead, count=1100):
            deadline = time.monotonic() + 10
            status, text = asked(port)
            while status == 200 and time.monotonic() < deadline:
                time.sleep(0.2)
                status, text = asked(port)
    assert status == 503 and int(text.split()[0]) > 1000


def pytest_of(lab: Lab, tmp_path: Any) -> Tuple[int, str]:
    """Run the example's test by pytest, in the client's namespace."""
    argv = [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "--rootdir", str(tmp_path),
            "-p", "no:cacheprovider", os.path.join(FOLDER, "test_no_retransmits.py")]
    code, out, err = commands.run(lab.client.argv(argv), 60, cwd=str(tmp_path))
    return code, "\n".join(out + err)


def test_test_no_retransmits(lab: Lab, tmp_path: Any) -> None:
    assert os.path.exists(os.path.join(FOLDER, "test_no_retransmits.py"))
    code, text = pytest_of(lab, tmp_path)
    assert code == 0 and "1 passed" in text, text
    lab.drop(lab.client, 'iif "lo" tcp flags syn limit rate 1/minute burst 1 packets')
    code, text = pytest_of(lab, tmp_path)
    assert code == 1 and "was sent again:" in text and re.search(r"SYN_SENT, syn, waited 1[0-9]{3}\b", text), text
