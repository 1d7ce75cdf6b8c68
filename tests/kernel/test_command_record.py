"""`record` against real retransmits: what is in the file, and what is left of it after kill -9."""
import json
import os
import re
import signal
import sqlite3
import sys
import threading
import time
from contextlib import contextmanager
from typing import Any, Iterator, List

import pytest
from lab import commands, tried
from lab.books import inhabited
from lab.counters import Counters
from lab.interpreters import anybodys, found
from lab.lateness import lateness
from lab.link import DEAD4, DEAD6, V4, V6, Lab
from lab.stage import copy_package, open_folder
from lab.traffic import connecting, send_bulk

OUTPUT, RECORDING = 6, 7
KNOCKS = 800


def select(path: Any, query: str, *values: Any) -> List[Any]:
    database = sqlite3.connect(str(path))
    try:
        return database.execute(query, values).fetchall()
    finally:
        database.close()


def number(pattern: str, told: List[str]) -> int:
    (found,) = [match.group(1) for match in (re.search(pattern, line) for line in told) if match]
    return int(found.replace(",", ""))


@contextmanager
def recording(*arguments: str, python: str = sys.executable, **options: Any) -> Iterator[commands.Child]:
    with commands.Child(commands.module("record", *arguments, python=python), **options) as child:
        child.wait_for(lambda: any(line.startswith("Recording") for line in child.err.text), "start", 20)
        yield child


@contextmanager
def storm(lab: Lab) -> Iterator[None]:
    """Retransmits of several flows from here to the end of the block."""
    lab.lose(lab.server, 30)
    over = threading.Event()

    def send() -> None:
        while not over.is_set():
            send_bulk(lab, V4, 300000)
    senders = [threading.Thread(target=send) for _ in range(8)]
    for sender in senders:
        sender.start()
    try:
        yield
    finally:
        over.set()
        for sender in senders:
            sender.join()


@contextmanager
def knocks(lab: Lab) -> Iterator[None]:
    """So many connects that nobody answers: each is an event after one second, and some more."""
    with connecting(lab.client, V4.dead, 4051, count=KNOCKS):
        yield


def ended(child: commands.Child, code: int = 0) -> List[str]:
    child.interrupt()
    got, out, err = child.end()
    assert (got, out) == (code, []), err
    return err


def test_events_names_and_ledger(lab: Lab, tmp_path: Any, nothing_left_behind: None) -> None:
    path = tmp_path / "retrans.db"
    before = time.time_ns()
    with inhabited(lab), recording("-o", str(path), "--rport", "4001,4002") as child:
        counters = Counters(lab.client)
        with connecting(lab.client, V4.dead, 4001), connecting(lab.client, V6.dead, 4002), \
                connecting(lab.client, V4.dead, 4003):
            counters.wait("TCPSynRetrans", 3)
            before_the_end = counters.gained()["RetransSegs"]
            err = ended(child)
            after_it = counters.gained()["RetransSegs"]
    rows = select(path, "SELECT daddr, dport, family, state, reason, segs, owner_pid, user, time_ns, netns_name"
                        " FROM event LEFT JOIN names ON names.id = names WHERE netns = ?", lab.client.inode)
    assert {row[:3] for row in rows} == {(DEAD4, 4001, 4), (DEAD6, 4002, 6)}
    for row in rows:
        assert row[3:8] == ("SYN_SENT", "syn", 1, os.getpid(), "root")
        assert before < row[8] < time.time_ns()
    host, kernel, boot, attach, chosen, ledger, stats = select(
        path, "SELECT host, kernel, boot_id, attach, filter, ledger, stats FROM session")[0]
    about = os.uname()
    assert (host, kernel) == (about.nodename, about.release + " " + about.machine)
    with open("/proc/sys/kernel/random/boot_id") as file:
        assert boot == file.read().strip()
    assert attach and chosen == "--rport 4001,4002"
    row = next(row for row in json.loads(ledger)["namespaces"] if row["netns"] == lab.client.inode)
    assert before_the_end <= row["kernel"] <= after_it
    assert row["kernel"] == row["delivered"] + row["filtered"] and row["exact"]
    assert row["filtered"] >= 1 and json.loads(stats)["filtered"] >= 1
    assert err[-2] == "{} event{} in {}".format(json.loads(stats)["events"], "s"[:len(rows) > 1], path)


def test_kill_9_costs_the_last_second_at_most(lab: Lab, tmp_path: Any, nothing_left_behind: None) -> None:
    path = tmp_path / "retrans.db"
    with recording("-o", str(path)) as child, storm(lab), lateness() as late:
        counters = Counters(lab.client)
        counters.wait("RetransSegs", 300)
        time.sleep(1.5)
        killed = time.time_ns()
        child.interrupt(signal.SIGKILL)
        child.process.wait(10)
    assert select(path, "PRAGMA integrity_check") == [("ok",)]
    assert select(path, "SELECT count(*), max(ended_ns) FROM session") == [(1, None)]
    count, last = select(path, "SELECT count(*), max(time_ns) FROM event")[0]
    before = (killed - last) / 1e9
    assert count > 10 and before < 1.5 + 3 * late[0], "events up to {:.3f} s before, late {:.1f}".format(before, late[0])
    stats, = select(path, "SELECT stats FROM session")[0]
    assert json.loads(stats)["events"] >= 10


def test_kill_9_after_a_quiet_second_costs_nothing(lab: Lab, tmp_path: Any, nothing_left_behind: None) -> None:
    """Nothing comes any more that could bring about a commit."""
    path = tmp_path / "retrans.db"
    with recording("-o", str(path)) as child:
        counters = Counters(lab.client)
        with knocks(lab):
            counters.wait("TCPSynRetrans", KNOCKS)
        child.wait_for(lambda: bool(select(path, "SELECT count(*) >= ? FROM event WHERE dport = 4051", KNOCKS)[0][0]),
                       "commit", 10)
        child.interrupt(signal.SIGKILL)
        child.process.wait(10)
    assert select(path, "PRAGMA integrity_check") == [("ok",)]
    kept = select(path, "SELECT count(*) FROM event WHERE dport = 4051")
    assert kept[0][0] >= KNOCKS
    with recording("-o", str(path)) as child:
        ended(child)
    assert select(path, "SELECT ended_ns IS NULL FROM session ORDER BY id") == [(1,), (0,)]
    assert select(path, "SELECT count(*) FROM event WHERE dport = 4051") == kept


def test_two_recorders(lab: Lab, tmp_path: Any, nothing_left_behind: None) -> None:
    """The second one ends at once; the first does not notice."""
    path = tmp_path / "retrans.db"
    with recording("-o", str(path)) as first:
        code, out, err = commands.run(commands.module("record", "-o", str(path)))
        assert (code, out) == (RECORDING, [])
        commands.one_sentence(err, "another process is recording into", str(path))
        with connecting(lab.client, V4.dead, 4021):
            Counters(lab.client).wait("TCPSynRetrans", 1)
        ended(first)
    assert select(path, "SELECT count(*) FROM session") == [(1,)]
    assert select(path, "SELECT count(*) FROM event WHERE dport = 4021")[0][0] >= 1


def test_files_that_follow_each_other_are_complete(lab: Lab, tmp_path: Any, nothing_left_behind: None) -> None:
    """Every event that was handed out is in one of them, and their ledgers come to the whole."""
    with inhabited(lab), recording("-o", str(tmp_path / "r.db"), "--rotate", "--max-size", "256K") as child:
        counters = Counters(lab.client)
        with knocks(lab), storm(lab):
            counters.wait("TCPSynRetrans", 2 * KNOCKS)
        gained = counters.gained()["RetransSegs"]
        err = ended(child)
    files = sorted(tmp_path.glob("*.db"), key=lambda path: select(path, "SELECT started_ns FROM session")[0])
    assert len(files) > 2 and not list(tmp_path.glob("*-wal"))
    segs = events = kernel = delivered = lost = 0
    for path in files:
        events += select(path, "SELECT count(*) FROM event")[0][0]
        segs += select(path, "SELECT total(segs) FROM event WHERE netns = ?", lab.client.inode)[0][0]
        ledger = json.loads(select(path, "SELECT ledger FROM session")[0][0])
        for row in ledger["namespaces"]:
            if row["netns"] == lab.client.inode:
                kernel, delivered, lost = kernel + (row["kernel"] or 0), delivered + row["delivered"], lost + row["lost"]
    assert [line for line in err if line.startswith("{} events, ".format(events))], err
    assert "{:,} events in {} files, the last of them {}".format(events, len(files), files[-1]) == err[-2]
    assert (kernel, delivered) == (gained, segs) and 0 <= gained - segs - lost <= max(1, 0.005 * gained), (
        kernel, gained, segs, lost)


def test_the_size_ends_it(lab: Lab, tmp_path: Any, nothing_left_behind: None) -> None:
    path = tmp_path / "retrans.db"
    with recording("-o", str(path), "--max-size", "256K") as child, knocks(lab):
        code, _, err = child.end(60)
    assert code == 0 and "--max-size" in err[-2] and "--rotate" in err[-2]
    assert select(path, "SELECT ended_ns IS NOT NULL FROM session") == [(1,)]
    assert 100 < select(path, "SELECT count(*) FROM event")[0][0] and os.path.getsize(str(path)) < 1 << 20


@pytest.mark.parametrize("name", ["retrans.db", "retrans.ndjson"])
def test_a_disk_fills_up(lab: Lab, nothing_left_behind: None, name: str) -> None:
    """What was committed a second before is there, and can be read."""
    script = 'mount -t tmpfs -o size=400k none "$0"; cd "$0" && { "$@"; code=$?; cp -r . ../kept; exit $code; }'
    with open_folder() as folder:
        mounted = os.path.join(folder, "small")
        os.mkdir(mounted)
        shell = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, mounted]
        with commands.Child(shell + commands.module("record", "-o", name)) as child:
            child.wait_for(lambda: any(line.startswith("Recording") for line in child.err.text), "start", 20)
            with connecting(lab.client, V4.dead, 4061, count=50):
                Counters(lab.client).wait("TCPSynRetrans", 50)
                time.sleep(1.1)
            with knocks(lab):
                code, _, err = child.end(60)
        kept = os.path.join(folder, "kept", name)
        assert code == OUTPUT, err
        assert [line for line in err if line.startswith("ledger: ")]
        commands.one_sentence(err[-2:-1], name, "space")
        if name.endswith(".db"):
            assert select(kept, "PRAGMA integrity_check") == [("ok",)]
            ports = [port for port, in select(kept, "SELECT dport FROM event")]
        else:
            with open(kept) as file:
                lines = [json.loads(line) for line in file.read().split("\n")[:-1]]
            ports = [line["dport"] for line in lines if line["type"] == "event"]
        assert ports.count(4061) >= 50
        assert 0 < number(r"^(\d+) events, ", err) - len(ports) <= number(r"^up to ([\d,]+) events of those seen are not in", err)


def test_a_disk_that_cannot_be_written(tmp_path: Any, nothing_left_behind: None) -> None:
    script = 'mount --bind -o ro "$0" "$0" && mount -o remount,bind,ro "$0" && cd "$0" && exec "$@"'
    shell = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, str(tmp_path)]
    for name in ("retrans.db", "retrans.ndjson"):
        code, _, err = commands.run(shell + commands.module("record", "-o", name))
        assert code == OUTPUT
        commands.one_sentence(err, name, "Read-only file system", "-o")


@pytest.mark.reliability
@pytest.mark.parametrize("planted", ["retrans.db", "retrans.db-wal", "retrans.db-journal", "link"])
def test_what_somebody_laid_there(nothing_left_behind: None, planted: str) -> None:
    """In a folder where everybody can write: neither through it nor into it."""
    with open_folder() as folder:
        open_to_all = os.path.join(folder, "tmp")
        os.mkdir(open_to_all)
        os.chmod(open_to_all, 0o1777)
        target = os.path.join(folder, "target")
        path = os.path.join(open_to_all, "retrans.db" if planted == "link" else planted)
        if planted == "link":
            os.symlink(target, path)
        else:
            with open(path, "w"):
                pass
        os.lchown(path, 65534, 65534)
        code, _, err = commands.run(commands.module(
            "record", "-o", os.path.join(open_to_all, "retrans.db"), "--duration", "0.5"))
        assert code == RECORDING
        commands.one_sentence(err, path, "another user", "-o")
        assert os.listdir(open_to_all) == [os.path.basename(path)] and not os.path.exists(target)
        os.remove(path)
        code, _, err = commands.run(commands.module(
            "record", "-o", os.path.join(open_to_all, "retrans.db"), "--duration", "0.5"))
        assert code == 0, err
    tried.count("security", "file or link of another user where record writes", "refused")


def test_without_rights(lab: Lab, nothing_left_behind: None) -> None:
    """--user: the file is that user's, from its beginning to its end."""
    with open_folder() as folder:
        theirs = os.path.join(folder, "theirs")
        os.mkdir(theirs)
        os.chown(theirs, 65534, 65534)
        copy_package(folder)
        with recording("-o", "theirs/retrans.db", "--user", "nobody", "--rotate", "1s", cwd=folder,
                       python=anybodys(), env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}) as child:
            with connecting(lab.client, V4.dead, 4031):
                Counters(lab.client).wait("TCPSynRetrans", 1)
                time.sleep(1)
            err = ended(child)
        files = sorted(os.listdir(theirs))
        assert len(files) > 1 and all(name.endswith("Z.db") for name in files), (files, err)
        assert {os.stat(os.path.join(theirs, name)).st_uid for name in files} == {65534}
        assert sum(select(os.path.join(theirs, name), "SELECT count(*) FROM event WHERE dport = 4031")[0][0]
                   for name in files) >= 1


def test_the_oldest_python(lab: Lab, tmp_path: Any, nothing_left_behind: None) -> None:
    path = tmp_path / "retrans.db"
    with recording("-o", str(path), python=found()[0].path) as child:
        with connecting(lab.client, V6.dead, 4041):
            Counters(lab.client).wait("TCPSynRetrans", 1)
        ended(child)
    assert select(path, "SELECT DISTINCT daddr, reason FROM event WHERE dport = 4041") == [(DEAD6, "syn")]
