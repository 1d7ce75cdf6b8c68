"""`replay` in a process of its own: what it shows, of which events, at what pace, and how it ends."""
import fcntl
import json
import os
import re
import subprocess
import sys
import time
from typing import Any, Callable, Dict, List

import pytest
from fake_library import event
from lab import interpreters, rights
from lab.commands import Child, environment, module, run
from lab.terminal import terminal
from made_up_recording import (
    LEDGER, OFFSET, STATS, Database, Recorded, database, event_line, names, ndjson, session_lines,
)
from places import REPOSITORY

KNOWN = (1 << 14) - 1
HEADER = ("TIME         PID     COMM            LADDR:LPORT          T> RADDR:RPORT          STATE        REASON        STALL_MS"
          " USER       NETNS           WORKLOAD")
SECOND = 10**9
NGINX = names(unit="nginx.service", cgroup="/system.slice/nginx.service", user="www-data", netns_name="blue")
HOSTILE = names(unit="\x1b[2J\n\u202e", cmdline="<b>\"'")
LAST = ["3 events, 7 segments, 0 failed, 0 filtered, 0 lost",
        "ledger: kernel 7 = delivered 7 + filtered 0 + failed 0 + rate-limited 0 + lost 0 + unexplained 0"]


def made(count: int = 40) -> List[Recorded]:
    """An event each second, from 22:13:21 UTC on; some failed, some of a process with an odd name."""
    return [Recorded(event(
        known=KNOWN, ts_ns=number * SECOND, sport=number, dport=443 if number % 2 else 80, state=1 + number % 3,
        reason=number % 8, segs=2, stall_us=number * 1000, owner_pid=number, owner_comm=b"\x1b[1m\xff" if number % 5 else b"nginx",
        err=-105 if number % 9 == 8 else 0, saddr=bytes([10, 0, 0, 1]), daddr=bytes([192, 0, 2, number % 4]), uid=33, cgroup_id=7,
        owner_how=number % 9), (NGINX, HOSTILE, names())[number // 3 % 3], OFFSET + number // 20) for number in range(1, count + 1)]


@pytest.fixture
def replay(stub: Callable[..., str]) -> Callable[..., Any]:
    def replay(*arguments: str, library: str = "", **options: Any) -> Any:
        env = environment(RETRANS_CTYPES_LIBRARY=library or stub(), TZ="UTC", PYTHONDEVMODE="1")
        return run(module("replay", *arguments), env=env, **options)
    return replay


Replay = Callable[..., Any]


def lines_of(path: str) -> List[str]:
    with open(path, encoding="ascii") as file:
        return file.read().splitlines()


def shown(recorded: List[Recorded]) -> List[str]:
    """The ports by which events are told apart."""
    return [str(one.event.sport) for one in recorded if not one.event.failed]


def test_text_is_as_trace_shows_it(replay: Replay, tmp_path: Any) -> None:
    for path in (database(tmp_path / "r.db", made()), ndjson(tmp_path / "r.ndjson", session_lines(made()))):
        code, out, err = replay(path)
        assert (code, err) == (0, LAST)
        assert out[0].split() == ["TIME", "PID", "COMM", "LADDR:LPORT", "T>", "RADDR:RPORT", "STATE", "REASON", "STALL_MS", "USER",
                                  "NETNS", "WORKLOAD"]
        assert len(out) == 1 + len(shown(made())) and [line.split()[1] for line in out[1:]] == shown(made())
        assert out[1].startswith("22:13:21")
        assert out[5].split() == ["22:13:25.000", "5", "nginx", "10.0.0.1:5", "R>", "192.0.2.1:443", "SYN_RECV", "synack", "5.000", "33",
                                  "0", "\\x1b[2J\\x0a\\u202e"]
        assert not [letter for line in out for letter in line if not letter.isprintable()]


def test_columns_and_marks(replay: Replay, tmp_path: Any) -> None:
    path = database(tmp_path / "r.db", made(9))
    assert replay(path, "-o", "pid,unit", "-s")[1][:3] == ["PID     UNIT                      SEQ", "1       nginx.service             0",
                                                         "2       nginx.service             0"]
    assert replay(path, "--compat", "bcc")[1][1] == "22:13:21 1       4  10.0.0.1:1           R> 192.0.2.1:443        SYN_SENT"
    assert [line.split()[4] for line in replay(path, "-vl")[1][1:]] == ["R>", "R>", "L>", "R>", "R>", "R>", "R>", "!>", "R>"]
    code, out, err = replay("-o", "help")
    assert code == 0 and out[0].startswith("time")


def test_json_is_what_was_recorded(replay: Replay, tmp_path: Any) -> None:
    """From either kind, with the library or without."""
    recorded = made()
    lines = [event_line(one) for one in recorded]
    plain = ndjson(tmp_path / "plain.ndjson", lines + [json.dumps(LEDGER, separators=(",", ":"))])
    paths = [plain, database(tmp_path / "r.db", recorded), ndjson(tmp_path / "r.ndjson", session_lines(recorded))]
    for path in paths:
        for library in ("", "/nowhere/libtcpretrans.so"):
            assert replay(path, "--json", "-v", library=library)[:2] == (0, lines_of(plain))
    sent = [line for line in lines_of(plain) if '"err":-105' not in line]
    for library in ("", "/nowhere/libtcpretrans.so"):
        assert replay(paths[1], "--json", library=library)[1] == sent != lines_of(plain)


def test_each_line_has_the_names_of_its_time(replay: Replay, tmp_path: Any) -> None:
    """All that they were looked up by is the same, times go back and forth, and there are many at once."""
    recorded = [Recorded(event(known=KNOWN, ts_ns=10**9 - number % 3), names(cmdline=str(number // 20))) for number in range(2000)]
    out = replay(database(tmp_path / "r.db", recorded), "--json")[1]
    assert [json.loads(line)["cmdline"] for line in out[:-1]] == [one.workload.cmdline for one in recorded]


def test_counts(replay: Replay, tmp_path: Any) -> None:
    path = database(tmp_path / "r.db", made(3) + made(3))
    code, out, err = replay(path, "-c")
    assert out[-1].split() == ["10.0.0.1:3", "<->", "192.0.2.3:443", "2", "4"] and len(out) == 5 and err == LAST
    flows = [json.loads(line) for line in replay(path, "-c", "--json")[1]]
    assert [flow.get("retransmits") for flow in flows] == [2, 2, 2, None] and flows[-1] == LEDGER


@pytest.mark.parametrize("arguments, wanted", [
    (["-4"], lambda one: True), (["-6"], lambda one: False), (["--rport", "443"], lambda one: one.event.dport == 443),
    (["--not-rport", "443"], lambda one: one.event.dport == 80), (["--reason", "rto,tlp"], lambda one: one.event.reason in ("rto", "tlp")),
    (["--min-stall", "20"], lambda one: one.event.stall_us >= 20000), (["--raddr", "192.0.2.2/31"], lambda one: one.event.sport % 4 > 1),
    (["--netns", "blue"], lambda one: one.workload is NGINX), (["--not-uid", "www-data"], lambda one: one.workload is not NGINX),
    (["--cgroup", "/system.slice"], lambda one: one.workload is NGINX), (["--pid", "5,6"], lambda one: one.event.owner_pid in (5, 6)),
    (["--port", "443", "--state", "syn_sent"], lambda one: one.event.dport == 443 and one.event.state == "SYN_SENT"),
    (["--since", "22:13:30"], lambda one: one.event.sport >= 10), (["--until", "22:13:30"], lambda one: one.event.sport < 10),
    (["--since", "2023-11-14 22:13:30.000", "--until", "2023-11-14T22:13:32.5Z"], lambda one: 10 <= one.event.sport <= 12),
    (["--since", "22:13:30", "--rport", "80"], lambda one: one.event.sport >= 10 and one.event.dport == 80),
], ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_events_are_chosen(replay: Replay, tmp_path: Any, arguments: List[str], wanted: Callable[[Recorded], bool]) -> None:
    expected = shown([one for one in made() if wanted(one)])
    paths = database(tmp_path / "r.db", made()), ndjson(tmp_path / "r.ndjson", session_lines(made()))
    for path in paths:
        code, out, err = replay(path, "-o", "pid", *arguments)
        assert (code, out) == (0, ["PID"] + expected)
    events = [json.loads(line) for line in replay(paths[0], "--json", *arguments)[1]]
    assert [str(one["sport"]) for one in events[:-1]] == expected


@pytest.mark.parametrize("arguments, words", [
    ([], "name a recording"), (["--since", "noon"], "is no moment"), (["--speed", "0"], "is no speed"), (["--speed", "nan"], "is no speed"),
    (["--since", "2026-02-30"], "is no moment"), (["--until", "25:00"], "is no moment"), (["--since", ""], "is no moment"),
    (["R", "--since", "2023-11-15", "--until", "2023-11-14"], "--until is not after --since"), (["R", "--json", "-o", "pid"], "go with neither"),
    (["R", "--uid", "70000000000"], "is no user"), (["R", "-o", "nope"], "there is no column"), (["R", "--pid", "x"], "is no process"),
    (["R", "--netns", "/proc/1/ns/net"], "no network namespace of a recording"),
], ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_wrong_usage_is_one_sentence(replay: Replay, tmp_path: Any, arguments: List[str], words: str) -> None:
    path = database(tmp_path / "r.db", made())
    code, out, err = replay(*[path if word == "R" else word for word in arguments])
    assert (code, out, len(err)) == (2, [], 1) and words in err[0]


@pytest.mark.parametrize("text", ["", "hello", "SQLite format 3\0"])
def test_what_is_no_recording_is_one_sentence(replay: Replay, tmp_path: Any, text: str) -> None:
    path = tmp_path / "r.db"
    path.write_text(text)
    for name in (str(path), str(tmp_path), str(tmp_path / "\x1b[2J")):
        code, out, err = replay(name)
        assert (code, len(err)) == (7, 1) and err[0].isprintable()


def test_several_files_and_sessions(replay: Replay, tmp_path: Any) -> None:
    """Each session has its last lines below its own heading; JSON has its ledger behind its events."""
    paths = [ndjson(tmp_path / "a.ndjson", session_lines(made(2)) + session_lines(made(3), host="web2")), database(tmp_path / "b.db", made(1))]
    code, out, err = replay(*paths, "-o", "pid")
    assert (code, out) == (0, ["PID", "1", "2", "1", "2", "3", "1"])
    assert [err[0], err[3], err[6]] == [
        "%s, session %d: %s, 6.1.0 x86_64, from 2023-11-14 22:13:20 to 2023-11-14 22:13:21:" % about
        for about in (("a.ndjson", 1, "web1"), ("a.ndjson", 2, "web2"), ("b.db", 1, "web1"))]
    assert err[1:3] == err[4:6] == err[7:9] == LAST and len(err) == 9
    types = [json.loads(line)["type"] for line in replay(*paths, "--json")[1]]
    assert types == ["event"] * 2 + ["ledger"] + ["event"] * 3 + ["ledger", "event", "ledger"]
    assert replay(*paths, "--until", "2023-11-14 22:00")[1:] == ([HEADER], [])


def test_verbose_tells_of_the_recorder(replay: Replay, tmp_path: Any) -> None:
    path = database(tmp_path / "r.db", made(1), filter="--rport \x1b443", missing=["segs", "uid"])
    err = replay(path, "-v")[2]
    assert err[1:4] == ["recorded by retrans_ctypes 0.1.0, attached by tp_btf, ring buffer", "filter while recording: --rport \\x1b443",
                        "never known there: segs, uid"]


@pytest.mark.parametrize("values, words", [
    (dict(ended_ns=None, stats=dict(STATS, lost=3), ledger=None), ["its recorder was killed", "3 lost", "no ledger was recorded"]),
    (dict(stats=None), ["no counts of losses", "ledger: kernel 7"]),
    (dict(ledger={"type": "ledger", "total": None, "namespaces": [], "why": "tp tells no\nsegments"}), ["0 lost", "no ledger: tp tells no\\x0asegments"]),
    (dict(stats={"events": "x"}), ["its counts are damaged", "ledger: kernel 7"]),
    (dict(ledger={"total": {}, "namespaces": [{"kernel": "x"}]}), ["3 events", "its ledger is damaged"]),
    (dict(ledger={"total": {}}), ["3 events", "its ledger is damaged"]),
    (dict(started_ns=1 << 62, ended_ns=-1 << 62, host=None), LAST),
], ids=range(7))
def test_what_sessions_end_with(replay: Replay, tmp_path: Any, values: Dict[str, Any], words: List[str]) -> None:
    code, out, err = replay(database(tmp_path / "r.db", made(1), **values))
    assert code == 0 and len(err) == len(words)
    assert all(word in line for word, line in zip(words, err)), err
    assert replay(database(tmp_path / "again.db", made(1), **values), "-v")[0] == 0


def test_a_recorder_that_still_runs(replay: Replay, tmp_path: Any) -> None:
    writer = Database(tmp_path / "r.db")
    writer.session(ended_ns=None)
    writer.add(made(2))
    with open(writer.path, "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert replay(writer.path)[2] == ["it is still being recorded, and what follows is some seconds old:"] + LAST
    writer.database.close()


def test_what_is_whole_comes_before_the_damage(replay: Replay, tmp_path: Any) -> None:
    lines = session_lines(made(3))
    path = ndjson(tmp_path / "r.ndjson", lines[:3] + ["{}"] + lines[3:])
    for arguments in (["-o", "pid"], ["-c"]):
        code, out, err = replay(path, *arguments)
        assert code == 7 and "line 4 of" in err[-1] and out[-1].split()[0] in ("2", "10.0.0.1:2")
    cut = tmp_path / "cut.ndjson"
    cut.write_text("\n".join(lines[:4])[:-5])
    code, out, err = replay(str(cut), "-o", "pid")
    assert (code, out) == (0, ["PID", "1", "2"]) and "is cut, and left out" in err[0] and "killed" in err[1]


def test_pace(replay: Replay, tmp_path: Any) -> None:
    path = database(tmp_path / "r.db", made(5))
    for speed, least in (("8", 0.5), ("4x", 1.0)):
        begun = time.monotonic()
        assert replay(path, "-o", "pid", "--speed", speed)[1] == ["PID", "1", "2", "3", "4", "5"]
        assert least <= time.monotonic() - begun < least + 4


def test_lines_come_when_they_are_due_and_ctrl_c_ends_it(stub: Any, tmp_path: Any) -> None:
    path = database(tmp_path / "r.db", made(3) + [Recorded(event(ts_ns=10**15))])
    with Child(module("replay", path, "--speed", "10", "-o", "pid"), env=environment(RETRANS_CTYPES_LIBRARY=stub())) as child:
        child.wait_line("3")
        child.interrupt()
        assert child.end() == (0, ["PID", "1", "2", "3"], LAST)


@pytest.mark.parametrize("speed", [[], ["--speed", "1"]], ids=["fast", "slow"])
def test_a_closed_pipe(tmp_path: Any, speed: List[str]) -> None:
    path = database(tmp_path / "r.db", made(40) * 200)
    done = subprocess.run(["sh", "-c", '("$@"; echo $? >&2) | head -1', "sh"] + module("replay", path, *speed), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, universal_newlines=True, timeout=20)
    assert done.stdout.count("\n") == 1 and done.stderr.splitlines()[-1] == "141"


def test_a_full_disk(replay: Replay, tmp_path: Any) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(module("replay", database(tmp_path / "r.db", made())), stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 6 and done.stderr.count(b"\n") == 1


def test_progress_is_for_terminals_that_show_nothing_else(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = database(tmp_path / "r.db", made(40) * 100)
    slow = ("import sys; from retrans_ctypes.cli import main, progress; progress._AFTER = 0.0; progress._EVERY = 0.005\n"
            "sys.exit(main(sys.argv[1:]))")
    command = [sys.executable, "-c", slow, "replay", path]  # what nobody reads would fill the terminal
    with terminal(60) as screen:
        for arguments in ([], ["-c"]):
            subprocess.run(command + arguments, stdout=subprocess.DEVNULL, stderr=screen.writer, check=True,
                           timeout=20)
            drawn = "\n".join(screen.lines())
            assert re.search(r"replay \d+ %, [\d,]+ events.* \[#+\.*\]", drawn) and "\x1b[K" + LAST[0] in drawn
        assert all(len(part) < 60 for part in drawn.replace("\n", "\r").split("\r\x1b[K") if part.startswith("replay"))
    with terminal(60) as screen:
        few = database(tmp_path / "few.db", made(9))
        subprocess.run(command[:-1] + [few], stdout=screen.writer, stderr=screen.writer, check=True, timeout=20)
        assert "[###" not in "".join(screen.lines())
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        assert done.stderr.decode().splitlines() == LAST


def test_other_pythons(replay: Replay, stub: Any, tmp_path: Any) -> None:
    path = database(tmp_path / "r.db", made())
    expected = replay(path, "--json")
    every = interpreters.found()
    for interpreter in every if rights.FULL else [every[0], every[-1]]:
        for library in (stub(), "/nowhere/lib.so"):
            env = environment(RETRANS_CTYPES_LIBRARY=library, PYTHONPATH=os.path.join(REPOSITORY, "src"))
            assert run([interpreter.path, "-W", "error", "-m", "retrans_ctypes", "replay", path, "--json"], env=env) == expected
        code, out, err = run([interpreter.path, "-W", "error", "-m", "retrans_ctypes", "replay", path,
                              "--speed", "1e9", "--rport", "443"], env=env)
        assert (code, err) == (0, LAST)


@pytest.mark.parametrize("library", ["", "/nowhere/lib.so"], ids=["with the library", "without"])
def test_into_another_recording(replay: Replay, tmp_path: Any, library: str) -> None:
    """From each kind into each: the same events, names, times and ends."""
    recorded = made() + [Recorded(event(known=KNOWN, ts_ns=SECOND), names(cmdline=str(number))) for number in range(40)]
    first = ndjson(tmp_path / "first.ndjson", session_lines(recorded, filter="-4") + session_lines(recorded[:9], host="web2"))
    paths = [first] + [str(tmp_path / name) for name in ("a.db", "b.db", "c.ndjson", "d.ndjson")]
    for source, target in zip(paths, paths[1:]):
        code, out, err = replay(source, "--into", target, library=library)
        assert (code, out) == (0, []) and err.count(LAST[1]) == 2
    assert lines_of(paths[-1]) == lines_of(first)
    expected = replay(first, "--json", "-v")[1]
    for path in paths[1:]:
        assert replay(path, "--json", "-v")[1] == expected


def test_as_metrics(replay: Replay, tmp_path: Any) -> None:
    """What `metrics` counts of the same events; the names in the recording are hostile."""
    recorded = made()
    path = database(tmp_path / "r.db", recorded)
    code, text, err = replay(path, "--metrics")
    assert code == 0, err
    counted = re.findall(r'^retrans_segments_total{.*prefix="192\.0\.2\.0/24".*} (.*)$', "\n".join(text), re.M)
    assert sum(map(float, counted)) == sum(one.event.segs or 0 for one in recorded if not one.event.failed) > 0
    code, _, err = replay(path, "--metrics", "--json")
    assert code == 2 and "--metrics" in err[-1]


def test_a_hostile_recording_into_lines(replay: Replay, tmp_path: Any) -> None:
    """A ledger that is none, and a half character in a name, neither end it nor make lines that are none."""
    path, source = str(tmp_path / "r.ndjson"), database(tmp_path / "r.db", made(), ledger={"type": "event", "a": 1})
    for target in (path, str(tmp_path / "copy.db")):
        assert replay(source, "--into", target)[0] == 0
    code, _, err = replay(path)
    assert code == 0 and any("its ledger is damaged" in line for line in err)
    lines = [event_line(one).replace("www-data", "\\ud800") for one in made()]
    assert replay(ndjson(tmp_path / "half.ndjson", lines), "--into", str(tmp_path / "half.db"))[0] == 0
    assert any("\\ud800" in line for line in replay(str(tmp_path / "half.db"), "-o", "user")[1])


def test_a_hostile_session_between_events(replay: Replay, tmp_path: Any) -> None:
    """One reading of the file tells of a session that the other does not see."""
    lines = [event_line(one) for one in made()]
    lines.insert(3, '{"type":"event","type":"session"}')
    for arguments in ([], ["--json"], ["--into", str(tmp_path / "copy.db")]):
        code, _, err = replay(ndjson(tmp_path / "r.ndjson", lines), *arguments)
        assert code in (0, 7) and "Traceback" not in "\n".join(err), err


def test_options_that_are_no_text(replay: Replay, tmp_path: Any) -> None:
    path, part = database(tmp_path / "r.db", made()), str(tmp_path / "part.db")
    code, _, err = replay(path, "--into", part, "--not-cgroup", "/\udcff")
    assert code == 0, err
    assert any("\\udcff" in line for line in replay(part, "-v")[2])


def test_a_part_into_another_recording(replay: Replay, tmp_path: Any) -> None:
    path, part = ndjson(tmp_path / "r.ndjson", session_lines(made(), filter="-4")), str(tmp_path / "part.db")
    assert replay(path, "--into", part, "--rport", "443", "--since", "22:13:50")[0] == 0
    code, out, err = replay(part, "-v", "-o", "pid")
    assert out == ["PID", "31", "33", "35", "37", "39"] and "filter while recording: -4 --rport 443" in err
    killed = database(tmp_path / "killed.db", made(), ended_ns=None)
    for name in ("k.db", "k.ndjson"):
        assert replay(killed, "--into", str(tmp_path / name))[0] == 0
        assert "its recorder was killed" in replay(str(tmp_path / name))[2][0]
    for arguments in (["--into", path], ["--into", part, "--json"], ["--into", part, "-o", "pid"]):
        code, out, err = replay(path, *arguments)
        assert (code, len(err)) == (2, 1)
    assert replay(path, "--into", str(tmp_path))[0] == 6
