"""A disk that is full in the middle of a recording, and one that has no room for another file."""
import errno
import os
import sqlite3
import subprocess
from contextlib import contextmanager
from typing import Any, Iterator

import pytest
from lab import commands, loads, tried
from lab.link import Lab

OUTPUT = 6


@contextmanager
def disk(folder: Any, options: str) -> Iterator[str]:
    """A small one, for this block."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "retrans-test", str(folder)], check=True)
    try:
        yield str(folder)
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.reliability
@pytest.mark.parametrize("name", ["r.db", "r.ndjson"])
def test_full_while_recording(lab: Lab, tmp_path: Any, name: str) -> None:
    with disk(tmp_path / "disk", "size=8m") as folder:
        path = os.path.join(folder, name)
        with loads.running(lab, loads.Load(200)), commands.Child(commands.module("record", "-o", path)) as child:
            code, _, err = child.end(60)
        said = [line for line in err if line.startswith("retrans_ctypes: ")]
        assert code == OUTPUT and len(said) == 1 and os.strerror(errno.ENOSPC) in said[0], err
        assert "Traceback" not in "\n".join(err), err
        code, out, err = commands.run(commands.module("replay", path, "--json"))
        assert code == 0 and out, err
        if name.endswith(".db"):
            database = sqlite3.connect(path)
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            database.close()
    tried.count("faults", "the disk is full while recording", "said, exit code 6; the recording opens")


@pytest.mark.reliability
def test_no_inode_left(kernel_rights: None, tmp_path: Any) -> None:
    with disk(tmp_path / "disk", "size=1m,nr_inodes=1") as folder:
        code, _, err = commands.run(commands.module("record", "-o", os.path.join(folder, "r.db"), "--duration", "1"))
    commands.one_sentence(err, os.strerror(errno.ENOSPC))
    assert code == OUTPUT, err
    tried.count("faults", "the disk has no inode left", "said, exit code 6")
