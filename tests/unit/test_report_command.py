"""`report` as a command: from a recording to a file, and what goes wrong on the way."""
import json
import os
import stat
import subprocess
from typing import Any, List

import made_up_recording
import pytest
from lab import commands, interpreters
from made_up_recording import Recorded
from made_up_report import HOSTILE, REASON, event, names
from places import REPOSITORY
from retrans_ctypes.cli import main
from retrans_ctypes.report.facts import VERSION

OLD = [one for one in interpreters.found() if one.version[:2] == (3, 6)]


def some(count: int = 50) -> List[Recorded]:
    return [Recorded(event(number, sorted(REASON)[number % 7], sport=number % 3, stall_us=number * 1000 + 1),
                     names(unit="nginx.service")) for number in range(count)]


@pytest.fixture
def recording(tmp_path: Any) -> str:
    return made_up_recording.database(tmp_path / "retrans.db", some())


def report(*arguments: str, cwd: Any = None, **changes: Any) -> Any:
    return commands.run(commands.module("report", *arguments), cwd=str(cwd) if cwd else None,
                        env=commands.environment(TZ="UTC", **changes))


def test_a_page_by_default(recording: str, tmp_path: Any) -> None:
    code, out, err = report(recording, cwd=tmp_path)
    assert (code, out) == (0, []) and len(err) == 2, err
    assert err[0].startswith("50 segments were sent again in 1 s of recording, on 2023-11-14 between ")
    assert err[1].startswith("report.html has the report (")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>") and err[0] in text


@pytest.mark.parametrize("name, options, begins", [
    ("r.html", [], "<!DOCTYPE html>"), ("r.HTM", [], "<!DOCTYPE html>"), ("r.md", [], "# TCP retransmits on web1"),
    ("r.markdown", [], "# TCP"), ("r.json", [], "{"), ("r.txt", ["--format", "md"], "# TCP"), ("r.md", ["--format", "json"], "{"),
    ("-", ["--format", "md"], "# TCP")])
def test_the_name_chooses_the_format(
        recording: str, tmp_path: Any, name: str, options: List[str], begins: str, monkeypatch: Any, capfd: Any) -> None:
    monkeypatch.chdir(str(tmp_path))
    assert main(["report", recording, "-o", name] + options) == 0
    written = capfd.readouterr().out if name == "-" else (tmp_path / name).read_text(encoding="utf-8")
    assert written.startswith(begins)


def test_default_names(recording: str, tmp_path: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(str(tmp_path))
    assert main(["report", recording, "--format", "md"]) == 0 and main(["report", recording, "--format", "json"]) == 0
    assert sorted(os.listdir(str(tmp_path))) == ["report.json", "report.md", "retrans.db"]


def test_it_does_not_take_the_place_of_the_recording(recording: str, tmp_path: Any) -> None:
    link = tmp_path / "link.md"
    link.symlink_to(recording)
    wal = tmp_path / "retrans.db-wal"
    wal.write_bytes(b"")
    before = (tmp_path / "retrans.db").read_bytes()
    for name in (recording, str(link), str(wal)):
        code, out, err = report(recording, "-o", name, "--format", "md")
        assert code == 2 and out == [] and len(err) == 1 and "name another file" in err[0], err
    assert (tmp_path / "retrans.db").read_bytes() == before and wal.read_bytes() == b""


def told(recording: str, *options: str) -> Any:
    code, out, err = report(recording, "-o", "-", "--format", "json", *options)
    assert code == 0 and err == [], err
    return json.loads("\n".join(out))


def test_filters_and_times(recording: str) -> None:
    """The same as everywhere; what chose is in the report."""
    assert told(recording)["total"]["events"] == 50
    found = told(recording, "--reason", "rto", "--not-lport", "1")
    wanted = [one for one in some() if one.event.reason == "rto" and one.event.sport != 1]
    assert found["total"]["events"] == len(wanted) and found["selection"] == "--reason rto --not-lport 1"
    part = told(recording, "--since", "2023-11-14T22:13:30Z", "--until", "2023-11-14T22:13:40Z")
    assert part["total"]["events"] == 10
    assert part["selection"] == "--since '2023-11-14 22:13:30.000' --until '2023-11-14 22:13:40.000'"
    assert told(recording, "--rport", "9")["sessions"] == []


def test_ndjson_gives_the_same(recording: str, tmp_path: Any) -> None:
    lines = made_up_recording.ndjson(tmp_path / "retrans.ndjson", made_up_recording.session_lines(some()))
    one, other = told(recording), told(lines)
    for name in ("total", "worst", "timeline", "heat", "stalls", "headline", "advice"):
        assert one[name] == other[name], name


@pytest.mark.parametrize("mode, umask, becomes", [
    (0o600, 0o022, 0o600), (0o644, 0o022, 0o644), (0o664, 0o002, 0o664), (0o644, 0o077, 0o600), (0o755, 0o022, 0o644)])
def test_who_may_read_the_recording_may_read_the_report(
        recording: str, tmp_path: Any, mode: int, umask: int, becomes: int) -> None:
    os.chmod(recording, mode)
    path = tmp_path / "r.md"
    code, _, err = commands.run(["sh", "-c", 'umask %o; exec "$@"' % umask, "sh"] + commands.module(
        "report", recording, "-o", str(path)))
    assert code == 0, err
    assert stat.S_IMODE(os.stat(str(path)).st_mode) == becomes


def test_what_is_there_is_replaced_as_a_whole(recording: str, tmp_path: Any) -> None:
    path, link = tmp_path / "r.md", tmp_path / "link.md"
    path.write_text("old")
    link.symlink_to(path)
    assert report(recording, "-o", str(link))[0] == 0
    assert link.is_symlink() and path.read_text(encoding="utf-8").startswith("# TCP")
    assert sorted(os.listdir(str(tmp_path))) == ["link.md", "r.md", "retrans.db"]


def test_a_device_is_written_to(recording: str) -> None:
    code, _, err = report(recording, "-o", "/dev/null")
    assert code == 0 and os.path.exists("/dev/null") and not stat.S_ISREG(os.stat("/dev/null").st_mode), err


@pytest.mark.parametrize("place", ["missing/r.md", ".", "/proc/r.md"])
def test_a_place_that_cannot_be_written(recording: str, tmp_path: Any, place: str) -> None:
    code, _, err = report(recording, "--format", "md", "-o", place, cwd=tmp_path)
    assert code == 6
    commands.one_sentence(err, "cannot be written", "-o")


def test_a_full_disk(recording: str) -> None:
    code, _, err = report(recording, "--format", "md", "-o", "/dev/full")
    assert code == 6
    commands.one_sentence(err, "No space left")


@pytest.mark.parametrize("content", [b"", b"garbage", b"SQLite format 3\0" + bytes(100)])
def test_no_recording(tmp_path: Any, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    code, out, err = report(str(tmp_path / "x"), cwd=tmp_path)
    assert (code, out, os.listdir(str(tmp_path))) == (7, [], ["x"])
    commands.one_sentence(err, "x")


def test_what_came_before_damage_is_reported(tmp_path: Any) -> None:
    lines = made_up_recording.session_lines(some(10))
    path = made_up_recording.ndjson(tmp_path / "r.ndjson", lines[:6] + ['{"type":"event",'] + lines[6:])
    code, _, err = report(path, "-o", str(tmp_path / "r.json"))
    assert code == 7 and "line 7" in err[-1] and err[0].startswith("5 segments")
    found = json.loads((tmp_path / "r.json").read_text())
    assert found["total"]["events"] == 5 and "line 7" in found["unknown"][0]


def test_without_plotly_the_other_formats_work(recording: str, tmp_path: Any) -> None:
    (tmp_path / "plotly.py").write_text("raise ImportError('not here')")
    hidden = os.pathsep.join([str(tmp_path), os.environ["PYTHONPATH"]])
    code, _, err = report(recording, cwd=tmp_path, PYTHONPATH=hidden)
    assert code == 8 and not os.path.exists(str(tmp_path / "report.html"))
    commands.one_sentence(err, "plotly", "pip install 'retrans_ctypes[report]'")
    assert report(recording, "--format", "md", cwd=tmp_path, PYTHONPATH=hidden)[0] == 0


def test_it_needs_no_library_and_no_root(recording: str, tmp_path: Any) -> None:
    code, _, err = report(recording, "--format", "md", cwd=tmp_path, RETRANS_CTYPES_LIBRARY="/nowhere.so")
    assert code == 0, err


def test_hostile_names(tmp_path: Any) -> None:
    path = made_up_recording.database(
        tmp_path / "r.db", [Recorded(event(number, owner_comm=b"\x1b[2J</script>"), names(unit=HOSTILE))
                            for number in range(30)], host=HOSTILE)
    for form in ("html", "md", "json"):
        code, _, err = report(path, "-o", str(tmp_path / ("r." + form)))
        assert code == 0 and "\x1b" not in "".join(err)
        assert b"\x1b" not in (tmp_path / ("r." + form)).read_bytes()


@pytest.mark.skipif(not OLD, reason="no Python 3.6 here")
def test_under_python_3_6(recording: str, tmp_path: Any) -> None:
    done = subprocess.run([OLD[0].path, "-W", "error", "-m", "retrans_ctypes", "report", recording, "--format", "md"],
                          cwd=str(tmp_path), stderr=subprocess.PIPE, universal_newlines=True)
    assert done.returncode == 0, done.stderr
    assert report(recording, "-o", str(tmp_path / "new.md"))[0] == 0
    assert (tmp_path / "report.md").read_bytes() == (tmp_path / "new.md").read_bytes()


def test_the_document_has_every_key(recording: str) -> None:
    with open(os.path.join(REPOSITORY, "docs", "report.md"), encoding="utf-8") as file:
        document = file.read()
    found = told(recording)
    assert found["version"] == VERSION
    for name in found:
        assert "| `%s` |" % name in document, name
    for name in list(found["sessions"][0]) + list(found["total"]) + list(found["worst"]["flow"]):
        assert "`%s`" % name in document, name


@pytest.mark.parametrize("name", ["other.db", "other.ndjson"])
def test_another_recording_is_not_replaced(recording: str, tmp_path: Any, name: str) -> None:
    other = str(tmp_path / name)
    assert main(["replay", recording, "--into", other]) == 0
    with open(other, "rb") as file:
        before = file.read()
    code, out, err = report(recording, "-o", other)
    assert (code, out) == (2, []) and "which is a recording" in err[0] and len(err) == 1
    with open(other, "rb") as file:
        assert file.read() == before
