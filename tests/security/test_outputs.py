"""What somebody else lays where an output shall go: never followed, overwritten, cut off or waited for.

Nothing here relies on fs.protected_symlinks, protected_hardlinks or protected_regular: what is refused is
refused by the package, before the kernel is asked to follow anything.
"""
import os
import stat
import struct
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import Any, Callable, Dict, Iterator

import pytest
from lab import tried
from lab.rights import NOBODY
from lab.stage import open_folder
from retrans_ctypes.cli import main
from retrans_ctypes.cli.whole_file import write_whole
from retrans_ctypes.errors import OutputError, RecordingError
from retrans_ctypes.event import Event
from retrans_ctypes.recording import open_recording
from retrans_ctypes.recording.database import DatabaseWriter
from retrans_ctypes.recording.lines import FileLinesWriter
from retrans_ctypes.recording.place import open_locked, real_path
from retrans_ctypes.recording.rotation import Keep, Series
from retrans_ctypes.recording.session import Session
from retrans_ctypes.sinks.output import Output
from retrans_ctypes.workload import UNKNOWN

RACES = 5000 if tried.AT_LENGTH else 500
EVENT = bytes(Event.LAYOUT.size)
SECRET = b"root's own\n"
SESSION = Session(1, "host", "6.1", None, "0.1.0", "tp_btf", "ring", (), None, 1, None, None, None)


def lines_writer(path: str) -> FileLinesWriter:
    return FileLinesWriter(path, SESSION, None, lambda descriptor, name: Output(descriptor, name).write)


def record_database(path: str) -> int:
    try:
        DatabaseWriter(path, SESSION, None).end({}, None)
    except (OutputError, RecordingError) as error:
        return error.exit_code
    return 0


def record_lines(path: str) -> int:
    try:
        lines_writer(path).end({}, None)
    except (OutputError, RecordingError) as error:
        return error.exit_code
    return 0


def report(path: str) -> int:
    with a_recording() as source:
        return main(["report", source, "-o", path])


@contextmanager
def a_recording() -> Iterator[str]:
    with open_folder() as folder:
        path = os.path.join(folder, "source.db")
        assert record_database(path) == 0
        yield path


@contextmanager
def everybodys() -> Iterator[str]:
    """A folder as /tmp is, with a file of root's beside it that nobody else may touch."""
    with open_folder() as outer:
        folder = os.path.join(outer, "tmp")
        os.mkdir(folder)
        os.chmod(folder, 0o1777)
        with open(os.path.join(outer, "secret"), "wb") as file:
            file.write(SECRET)
        with open(os.path.join(outer, "empty"), "wb"):
            pass
        yield folder


def beside(folder: str, name: str) -> str:
    return os.path.join(os.path.dirname(folder), name)


def lay_link(folder: str, path: str) -> None:
    os.symlink(beside(folder, "secret"), path)
    os.lchown(path, NOBODY, NOBODY)


def lay_dangling_link(folder: str, path: str) -> None:
    os.symlink(beside(folder, "made"), path)
    os.lchown(path, NOBODY, NOBODY)


def lay_link_to_our_link(folder: str, path: str) -> None:
    os.symlink(beside(folder, "made"), beside(folder, "ours"))
    os.symlink(beside(folder, "ours"), path)
    os.lchown(path, NOBODY, NOBODY)


def lay_file(_: str, path: str) -> None:
    with open(path, "wb") as file:
        file.write(b"theirs")
    os.chown(path, NOBODY, NOBODY)


def lay_fifo(_: str, path: str) -> None:
    os.mkfifo(path)
    os.chown(path, NOBODY, NOBODY)


def lay_hardlink(folder: str, path: str) -> None:
    """Of a file that root owns, and that is empty, as a new recording is."""
    os.link(beside(folder, "empty"), path)


PLANTS = {"link": lay_link, "dangling link": lay_dangling_link, "link to a link": lay_link_to_our_link,
          "file": lay_file, "fifo": lay_fifo, "hard link": lay_hardlink}  # type: Dict[str, Callable[[str, str], None]]
OUTPUTS = {"x.db": record_database, "x.ndjson": record_lines, "x.html": report}


def untouched(folder: str) -> None:
    with open(beside(folder, "secret"), "rb") as file:
        assert file.read() == SECRET
    assert os.path.getsize(beside(folder, "empty")) == 0 and not os.path.exists(beside(folder, "made"))


@pytest.mark.parametrize("plant", list(PLANTS))
@pytest.mark.parametrize("name", list(OUTPUTS))
def test_what_another_user_laid_there(name: str, plant: str, capsys: Any) -> None:
    with everybodys() as folder:
        path = os.path.join(folder, name)
        PLANTS[plant](folder, path)
        before = os.lstat(path)
        code = OUTPUTS[name](path)
        if (name, plant) == ("x.html", "hard link"):  # it takes the name away, and leaves the file
            assert code == 0 and os.lstat(path).st_ino != before.st_ino
        else:
            assert code in (OutputError.exit_code, RecordingError.exit_code)
            assert os.path.samestat(os.lstat(path), before) and os.lstat(path).st_size == before.st_size
        untouched(folder)
    tried.count("security", "%s of another user where an output goes" % plant, "refused, nothing behind it touched")


def test_the_next_of_a_series_is_not_made_behind_a_link() -> None:
    with everybodys() as folder:
        os.symlink(os.path.dirname(folder), os.path.join(folder, "logs"))
        os.lchown(os.path.join(folder, "logs"), NOBODY, NOBODY)
        before = os.listdir(os.path.dirname(folder))
        with pytest.raises(RecordingError, match="belongs to another user"):
            Series(os.path.join(folder, "logs", "x.db"), Keep()).next()
        assert os.listdir(os.path.dirname(folder)) == before
    tried.count("security", "link of another user where an output goes", "refused, nothing behind it touched")


@pytest.mark.parametrize("name", list(OUTPUTS))
def test_ones_own_links_are_followed(name: str, capsys: Any) -> None:
    """A stranger's rule must not cost an administrator's."""
    with everybodys() as folder:
        os.symlink("../made", os.path.join(folder, name))
        assert OUTPUTS[name](os.path.join(folder, name)) == 0
        assert os.path.getsize(beside(folder, "made")) > 0


# Lays a link of nobody's, and takes it away again, as fast as it can.
SWAP = """
import os, sys
path, target, user = sys.argv[1], sys.argv[2], int(sys.argv[3])
print("ready", flush=True)
while True:
    os.symlink(target, path + ".new")
    os.lchown(path + ".new", user, user)
    os.rename(path + ".new", path)
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
"""


@contextmanager
def swapping(path: str, target: str) -> Iterator[None]:
    with subprocess.Popen([sys.executable, "-c", SWAP, path, target, str(NOBODY)], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout and process.stdout.readline() == b"ready\n"
            yield
        finally:
            process.kill()


def test_a_link_that_comes_and_goes_while_a_recording_is_opened() -> None:
    """Whatever the moment: what was opened is a file in that folder, or there was an error."""
    opened = refused = 0
    with everybodys() as folder:
        path, target = os.path.join(folder, "x.db"), beside(folder, "made")
        with swapping(path, target):
            while opened + refused < RACES:
                try:
                    descriptor = open_locked(real_path(path))
                except (OutputError, RecordingError):
                    refused += 1
                    continue
                opened += 1
                assert os.readlink("/proc/self/fd/%d" % descriptor).split(" ")[0] == path
                os.close(descriptor)
        untouched(folder)
    assert refused
    tried.count("security", "link swapped in while an output is opened", "never followed", RACES)


def test_a_link_that_comes_and_goes_while_a_report_is_written() -> None:
    refused = 0
    with everybodys() as folder:
        path = os.path.join(folder, "x.html")
        with swapping(path, beside(folder, "secret")):
            for _ in range(RACES):
                try:
                    write_whole(path, b"<!DOCTYPE html>", 0o100600)
                except OutputError:
                    refused += 1
        untouched(folder)
    assert refused
    tried.count("security", "link swapped in while an output is opened", "never followed", RACES)


def forged_journal(names: str) -> bytes:
    """A -journal of SQLite's that looks like an interrupted transaction over several databases: who rolls it
    back removes the file that it ``names``, and cuts the database to one page."""
    magic, name = bytes([0xD9, 0xD5, 0x05, 0xF9, 0x20, 0xA1, 0x63, 0xD7]), os.fsencode(names)
    header = (magic + struct.pack(">IIIII", 0, 12345, 1, 512, 4096)).ljust(512, b"\0")
    total = sum(byte if byte < 128 else byte - 256 for byte in name) & 0xFFFFFFFF
    return header + struct.pack(">I", (1 << 30) // 4096 + 1) + name + struct.pack(">II", len(name), total) + magic


def lay_journal(path: str, victim: str) -> None:
    """As nobody, who may not touch root's file in a folder as /tmp is."""
    child = os.fork()
    if not child:
        try:
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            with open(path + "-journal", "xb") as file:
                file.write(forged_journal(victim))
        finally:
            os._exit(0)
    os.waitpid(child, 0)


@contextmanager
def reachable() -> Iterator[str]:
    """As everybodys(), and nobody can come there."""
    with everybodys() as folder:
        os.chmod(os.path.dirname(folder), 0o755)
        yield folder


def events_in(path: str) -> int:
    with open_recording(path) as recording:
        return sum(len(run.packed) for run in recording.runs()) // len(EVENT)


@pytest.mark.parametrize("moment", ["before it begins", "while it records"])
def test_a_forged_journal_is_not_rolled_back(moment: str) -> None:
    with reachable() as folder:
        path, victim = os.path.join(folder, "x.db"), beside(folder, "secret")
        if moment == "before it begins":
            lay_journal(path, victim)
            assert os.path.exists(path + "-journal") and record_database(path) == RecordingError.exit_code
            assert os.path.exists(path + "-journal")
        else:
            writer = DatabaseWriter(path, SESSION, None)
            writer.write(EVENT, 0, UNKNOWN)
            lay_journal(path, victim)
            writer.end({}, None)
            assert events_in(path) == 1
        untouched(folder)
    tried.count("security", "forged -journal beside a recording", "refused, or not rolled back", 1)


# Lays a journal of nobody's, and takes it away again, as fast as it can.
SWAP_JOURNAL = """
import os, sys, time
path, content, user = sys.argv[1], bytes.fromhex(sys.argv[2]), int(sys.argv[3])
os.setgid(user); os.setuid(user)
print("ready", flush=True)
while True:
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        os.write(descriptor, content)
        os.close(descriptor)
        os.unlink(path)
    except OSError:
        pass
    time.sleep(0.0005)
"""


@pytest.mark.parametrize("end", ["-journal", "-wal"])
def test_what_comes_and_goes_beside_a_recording(end: str) -> None:
    """Whatever the moment: a recording is whole, or was refused."""
    recorded = refused = 0
    deadline = time.monotonic() + 60
    with reachable() as folder:
        victim = beside(folder, "secret")
        path = os.path.join(folder, "x.db")
        argv = [sys.executable, "-c", SWAP_JOURNAL, path + end, forged_journal(victim).hex(), str(NOBODY)]
        with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
            try:
                assert process.stdout and process.stdout.readline() == b"ready\n"
                while not (recorded and refused and recorded + refused >= RACES):
                    assert time.monotonic() < deadline, (recorded, refused)
                    try:
                        writer = DatabaseWriter(path, SESSION, None)
                        writer.write(EVENT, 0, UNKNOWN)
                        writer.end({}, None)
                        recorded += 1
                    except RecordingError:
                        refused += 1
                    if (recorded + refused) % 20 == 0 and os.path.exists(path):
                        os.unlink(path)
            finally:
                process.kill()
        untouched(folder)
    tried.count("security", "file of another user swapped in beside a recording", "never used", recorded + refused)


@pytest.mark.parametrize("end", ["-wal", "-shm", "-journal"])
@pytest.mark.parametrize("appended", [False, True])
def test_a_second_name_of_a_file_beside_a_recording(end: str, appended: bool) -> None:
    with everybodys() as folder:
        path = os.path.join(folder, "x.db")
        assert not appended or record_database(path) == 0
        os.link(beside(folder, "secret"), path + end)
        assert record_database(path) == RecordingError.exit_code
        untouched(folder)
    tried.count("security", "hard link to a file of root's beside a recording", "refused", 1)


@contextmanager
def cut_off(path: str) -> Iterator[None]:
    """A recording whose recorder was killed, with what lies beside it."""
    child = os.fork()
    if not child:
        try:
            writer = DatabaseWriter(path, SESSION, None)
            writer.write(EVENT, 0, UNKNOWN)
            writer.keep({}, None)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert os.path.getsize(path + "-wal") > 0
    yield


def test_to_read_writes_nothing() -> None:
    """Root reads somebody else's recording, beside which there is another name of a file of root's."""
    with everybodys() as folder:
        path = os.path.join(folder, "x.db")
        with cut_off(path):
            for end in ("", "-wal"):
                os.chown(path + end, NOBODY, NOBODY)
            os.unlink(path + "-shm")
            os.link(beside(folder, "secret"), path + "-shm")
            assert events_in(path) == 1
            untouched(folder)
    tried.count("security", "hard link to a file of root's beside a recording that is read", "not written", 1)


def test_a_wal_of_another_user_is_not_read() -> None:
    with everybodys() as folder:
        path = os.path.join(folder, "x.db")
        with cut_off(path):
            os.chown(path + "-wal", NOBODY, NOBODY)
            with pytest.raises(RecordingError, match="-wal belongs to another user than the recording"):
                events_in(path)
    tried.count("security", "-wal of another user beside a recording", "refused", 1)


def test_where_everybody_can_write_it_works_as_elsewhere() -> None:
    """Read while it is written, appended to after its end and after a kill; then it is a single file."""
    with everybodys() as folder:
        path = os.path.join(folder, "x.db")
        with cut_off(path):
            assert events_in(path) == 1
            writer = DatabaseWriter(path, SESSION, None)
            writer.write(EVENT, 0, UNKNOWN)
            writer.keep({}, None)
            assert events_in(path) == 2
            writer.end({}, None)
            assert os.listdir(folder) == ["x.db"] and events_in(path) == 2
            with open(path, "rb") as file:
                assert file.read(20)[18:] == b"\1\1"
            assert record_database(path) == 0 and os.listdir(folder) == ["x.db"] and events_in(path) == 2
            writer = DatabaseWriter(path, SESSION, None)
            writer.write(EVENT, 0, UNKNOWN)
            os.rename(path, path + ".old")
            writer.end({}, None)
            assert os.listdir(folder) == ["x.db.old"] and events_in(path + ".old") == 3

@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def modes(folder: str) -> Dict[str, int]:
    return {name: stat.S_IMODE(os.stat(os.path.join(folder, name)).st_mode) for name in sorted(os.listdir(folder))}


@pytest.mark.parametrize("mask", [0, 0o022, 0o077])
def test_only_their_user_may_read_them(mask: int, capsys: Any) -> None:
    """Recordings, what SQLite lays beside them, the next files of --rotate, and the reports made of them."""
    with open_folder() as folder, umask(mask):
        series = Series(os.path.join(folder, "x.db"), Keep())
        for path in (os.path.join(folder, "x.db"), series.next()):
            writer = DatabaseWriter(path, SESSION, None)
            writer.keep({"lost": 1}, None)
            assert os.path.exists(path + "-wal") and os.path.exists(path + "-shm")
            found = modes(folder)
            writer.end({}, None)
        lines = lines_writer(os.path.join(folder, "x.ndjson"))
        lines.end({}, None)
        assert main(["report", os.path.join(folder, "x.db"), "-o", os.path.join(folder, "x.html")]) == 0
        for again in (record_database, record_lines):
            assert again(os.path.join(folder, "x.db" if again is record_database else "x.ndjson")) == 0
        found.update(modes(folder))
    assert len(found) == 6 and set(found.values()) == {0o600}, found
    tried.count("security", "umask that opens or closes all", "recordings and reports have mode 0600", len(found))


def test_appending_keeps_the_mode() -> None:
    """Its owner chose it."""
    with open_folder() as folder:
        for name, append in (("x.db", record_database), ("x.ndjson", record_lines)):
            path = os.path.join(folder, name)
            assert append(path) == 0
            for mode in (0o400, 0o640, 0o600):
                os.chmod(path, mode)
                assert append(path) == 0 and stat.S_IMODE(os.stat(path).st_mode) == mode
