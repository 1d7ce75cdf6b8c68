"""Real processes whose names are attacks, in a cgroup whose name is one, and every output that shows them."""
import json
import os
import re
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from typing import Any, Dict, Iterator, List, Tuple

import pytest
from lab import commands, tried
from lab.cgroups import in_cgroup, v2_tree
from lab.link import DEAD4, Lab
from lab.prometheus import get, served_at
from lab.screen import Screen
from prometheus_client.parser import text_string_to_metric_families
from retrans_ctypes.report.figures import plotly_script

COMMS = [b"\x1b]0;PWN\x07", b"\x1b[7;5;31mPWN", b"\x1bP$qPWN\x1b\\", b"\x9b31m\xc2\x9bPWN", b"\xe2\x80\xaePWN\xe2\x80\x8b",
         b"\xef\xb8\x8f\xe3\x85\xa4\xcd\x8fPWN", b'"}\n{"PWN":"', b"\\\"\n\r\tPWN", b"<b>PWN</script>", b"\xff\xfe\xc0\xafPWN",
         b"%s%n{0}PWN\r", b"' onx=PWN \"", b"`|PWN](x)*"]
GROUP = b"retrans-test-%d-\x1b]0;PWN\x07\x1b[7;5;31m\xe2\x80\xae\xe2\x80\x8b\"'\\<script>PWN<!--\xff\x9b`|" % os.getpid() + b"x" * 150
PORTS = range(4401, 4401 + len(COMMS))
CONNECT = """
import socket, sys
with open("/proc/self/comm", "wb") as comm:
    comm.write(bytes.fromhex(sys.argv[3]))
client = socket.socket()
client.setblocking(False)
client.connect_ex((sys.argv[1], int(sys.argv[2])))
print("connecting", flush=True)
sys.stdin.read()
"""
# What `top` draws with: colours, places, erasing, modes. No strings for the terminal, and no 8-bit codes.
DRAWN = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[78=>]|\x1b\(B")
COLUMNS = (80, 40, 1)
# As on a host with cgroup v2 only, whatever this machine has mounted.
VIEW = 'umount -R /sys/fs/cgroup 2>/dev/null || true; mount -t cgroup2 none /sys/fs/cgroup && exec "$0" "$@"'


def command(*arguments: str) -> List[str]:
    return ["unshare", "--mount", "/bin/sh", "-c", VIEW] + commands.module(*arguments)


@contextmanager
def attackers(lab: Lab) -> Iterator[None]:
    """One for each name, each of which sends a SYN again after a second."""
    folder = os.path.join(v2_tree(), os.fsdecode(GROUP))
    os.mkdir(folder)
    started: List[Any] = []
    try:
        for port, comm in zip(PORTS, COMMS):
            argv = lab.client.argv([sys.executable, "-c", CONNECT, DEAD4, str(port), comm.hex()])
            started.append(subprocess.Popen(in_cgroup(folder, argv), stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        for one in started:
            assert one.stdout.readline() == b"connecting\n"
        yield
    finally:
        for one in started:
            one.stdin.close()
            one.wait(10)
            one.stdout.close()
        os.rmdir(folder)


def harmless(text: str, where: str) -> None:
    """In lines, with nothing that a terminal obeys, or that is there and not seen."""
    for line in text.split("\n"):
        assert line.isprintable() and not re.search("[\u034f\u3164\ufe0f]", line), (where, line)


def harmless_drawing(raw: bytes, where: str) -> None:
    assert b"7;5;31m" not in raw.replace(b"\\x1b[7;5;31m", b""), where
    harmless(re.sub("[\r\b\t]", "", DRAWN.sub("", raw.decode("utf-8"))), where)


def all_seen(lines: List[str]) -> bool:
    return all(any(":%d" % port in line for line in lines) for port in PORTS)


def of(lab: Lab) -> List[str]:
    return ["--netns", str(lab.client.inode)]


@contextmanager
def screens(lab: Lab, tmp_path: Any) -> Iterator[Dict[Tuple[str, int], Screen]]:
    """`top` with rich and without, on terminals of several widths."""
    (tmp_path / "rich.py").write_text("raise ImportError('hidden by a test')\n")
    without = "%s:%s" % (tmp_path, os.environ["PYTHONPATH"])
    with ExitStack() as stack:
        yield {(name, columns): stack.enter_context(Screen(
            command("top", *of(lab)), columns, 30, PYTHONPATH=path))
            for name, path in (("rich", os.environ["PYTHONPATH"]), ("plain", without)) for columns in COLUMNS}


@pytest.mark.full
def test_on_the_screen_of_top(lab: Lab, tmp_path: Any, nothing_left_behind: None) -> None:
    with screens(lab, tmp_path) as shown:
        for columns in (80, 40):
            for name in ("rich", "plain"):
                shown[name, columns].wait(lambda text: "retrans" in text, "first screen", 60)
        with attackers(lab):
            for name in ("rich", "plain"):
                shown[name, 80].wait(lambda text: text.count(DEAD4 + ":44") >= len(COMMS), "all flows", 60)
            for key in ("2", "3", "4", "1", "enter"):
                for screen in shown.values():
                    screen.press(key)
                time.sleep(1)
                for screen in shown.values():
                    screen.read()
            for screen in shown.values():
                screen.press("q")
        for (name, columns), screen in shown.items():
            assert screen.end(60) == 0
            assert screen.raw.count(b"PWN") >= len(COMMS) // 2 or columns < 80, "narrow columns cut some"
            assert screen.screen.title == "" and "PWN" not in screen.screen.icon_name
            harmless_drawing(screen.raw, "top, %s, %d columns" % (name, columns))
            tried.count("security", "hostile process and cgroup names: top", "shown escaped", len(COMMS))


def test_in_every_other_output(lab: Lab, tmp_path: Any, nothing_left_behind: None) -> None:
    database = str(tmp_path / "x.db")
    names = "comm,pid,raddr,cgroup,unit,workload,cmdline,user,container"
    with ExitStack() as stack:
        lines, objects, recorder = (stack.enter_context(commands.Child(command(*argv, *of(lab)))) for argv in (
            ["-o", names], ["--json"], ["record", "-o", database]))
        served = [stack.enter_context(commands.Child(command(
            "metrics", "--listen", "127.0.0.1:0", "--by", by, *of(lab)))) for by in ("pid", "cgroup")]
        for child in (lines, objects):
            child.wait_tracing(60)
        recorder.wait_for(lambda: any("Recording" in line for line in recorder.err.text), "start", 60)
        places = [served_at(child) for child in served]
        with attackers(lab):
            lines.wait_for(lambda: all_seen(lines.out.text), "all names", 60)
            objects.wait_for(lambda: all('"dport":%d' % port in "".join(objects.out.text) for port in PORTS), "all", 60)
            time.sleep(1)
            texts = [get(place)[1] for place in places]
        ended = {}
        for name, child in (("text", lines), ("JSON", objects), ("record", recorder), *zip(("pid", "cgroup"), served)):
            child.interrupt()
            code, out, err = child.end(60)
            assert code == 0, err
            ended[name] = out
            harmless("\n".join(err), name)
    assert sum("PWN" in line for line in ended["text"]) >= len(COMMS)
    harmless("\n".join(ended["text"]), "text")
    check_json(ended["JSON"])
    for by, text in zip(("pid", "cgroup"), texts):
        check_metrics(by, text)
    for form in ("html", "md", "json"):
        check_report(form, database, str(tmp_path / ("x." + form)))
    for options in ((), ("--json",), ("--metrics",)):
        code, out, err = commands.run(commands.module("replay", database, *options))
        assert code == 0 and sum("PWN" in line for line in out) or options == ("--metrics",), err
        harmless("\n".join(out + err), "replay")
    for what in ("text", "JSON", "metrics by pid", "metrics by cgroup", "report, html", "report, md", "report, json", "replay"):
        tried.count("security", "hostile process and cgroup names: " + what.split(",")[0].split(" by")[0], "shown escaped", len(COMMS))


def check_json(lines: List[str]) -> None:
    comms = {}
    for line in lines:
        assert line.isascii() and line.isprintable()
        record = json.loads(line)
        if record.get("dport") in PORTS:
            comms[record["dport"]] = record["owner_comm"]
    assert comms == {port: comm.decode("utf-8", "backslashreplace") for port, comm in zip(PORTS, COMMS)}


def check_metrics(by: str, text: str) -> None:
    harmless(text, "metrics")
    groups = set()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            groups.add(sample.labels.get(by, ""))
            assert all(value.isprintable() and len(value) <= 256 for value in sample.labels.values())
    assert sum("PWN" in group for group in groups) >= (len(COMMS) if by == "pid" else 1), groups


def check_report(form: str, database: str, path: str) -> None:
    code, _, err = commands.run(commands.module("report", database, "-o", path))
    assert code == 0, err
    harmless("\n".join(err), "report")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    assert "PWN" in text
    if form == "json":
        json.loads(text)
        return
    if form == "html":
        text = text.replace(plotly_script(), "")
    harmless(text, "report")
    if form == "md":
        text = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", text)  # what is in there is shown as it is
    assert "<b>PWN" not in text and "<script>PWN" not in text and "<!--" not in text
