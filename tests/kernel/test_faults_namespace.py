"""A network namespace goes away while much is retransmitted in it."""
import signal
import subprocess
import sys
import time
from typing import Any

import pytest
from lab import tried
from lab.counters import Counters
from lab.link import V4, Lab
from lab.victim import Victim, still_there

TIMES = 10 if tried.AT_LENGTH else 1
CONNECTS = """
import socket, sys, time
flows = [socket.socket() for _ in range(300)]
for flow in flows:
    flow.setblocking(False)
    flow.connect_ex((sys.argv[1], 4831))
time.sleep(600)
"""


@pytest.mark.reliability
@pytest.mark.parametrize("command", [["--json"], ["count", "--json"]], ids=" ".join)
def test_a_namespace_deleted_under_load(tmp_path: Any, nothing_left_behind: None, command: Any) -> None:
    """What was seen there is told; what its counter said at the end nobody knows, and that is told too."""
    for number in range(TIMES):
        with Lab() as lab:
            folder = tmp_path / str(number)
            folder.mkdir()
            inode = lab.client.inode
            victim = Victim(str(folder), command + ["--netns", str(inode)])
            try:
                victim.wait_started()
                user = subprocess.Popen(lab.client.argv([sys.executable, "-c", CONNECTS, V4.dead]))
                Counters(lab.client).wait("TCPSynRetrans", 500, 60)
                user.send_signal(signal.SIGKILL)
                lab.client.close()  # the last that keeps it
                user.wait()
                time.sleep(1)
                victim.hit(signal.SIGTERM)
                assert victim.end() == 0, victim.err
            finally:
                victim.kill()
        told = victim.last_line()
        ledger = next(line for line in victim.out if line["type"] == "ledger")
        row, = [row for row in ledger["namespaces"] if row["netns"] == inode]
        assert row["kernel"] is row["unexplained"] is None and not row["exact"] and row["delivered"] >= 400, row
        assert told[0] == row["delivered"], victim.err
        assert victim.err.rstrip().endswith(" netns unreadable")
        assert not still_there(victim.held)
    tried.count("faults", "network namespace deleted under load, " + (" ".join(command)),
                "seen is whole, its counter is told to be unreadable", TIMES)
