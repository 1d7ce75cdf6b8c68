"""The tracer in pid, mount and cgroup namespaces of its own, with real retransmits from outside and inside.

What it says of others is compared with what the host sees. A decoy has, inside, the pid that the
owner has outside: its command line must never show.
"""
import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import Any, Dict, Iterator, NamedTuple

import pytest
from lab import commands
from lab.knocking import knocker
from lab.link import CLIENT4, DEAD4, Lab

OUTSIDE, INSIDE, ELSEWHERE = 4201, 4202, 4203
GROUP = "retrans-test-%d" % os.getpid()

VIEW = """
umount -R /sys/fs/cgroup 2>/dev/null || true
mount -t cgroup2 none /sys/fs/cgroup
"""
# What a container engine does first. $0 = the cgroup
ENTER = VIEW + """
mkdir "/sys/fs/cgroup/$0"
echo $$ >"/sys/fs/cgroup/$0/cgroup.procs"
exec unshare --pid --mount --cgroup --fork --kill-child /bin/sh -ec "$@"
"""
LEAVE = VIEW + """
for try in 1 2 3 4 5 6 7 8 9; do rmdir "/sys/fs/cgroup/$0" && exit; sleep 0.2; done
exit 1
"""

PLAIN = VIEW + """
mount -t proc proc /proc
exec /bin/sh -ec "$0" "$@"
"""
# As `kubectl debug node/...` has it: a root folder of its own, and the host's at /host.
DEBUG = """
top=/mnt
mount -t tmpfs none $top
for folder in /*; do
    case $folder in
    /mnt) mkdir $top/mnt;;
    /proc) mkdir $top/proc; mount -t proc proc $top/proc;;
    *) if [ -L $folder ]; then cp -a $folder $top/
       elif [ -d $folder ]; then mkdir $top$folder; mount --rbind $folder $top$folder; fi;;
    esac
done
mkdir $top/host
mount --rbind / $top/host
exec chroot $top /bin/sh -ec "$0" "$@"
"""
# $0 = the owner's pid outside; then a client for in here, and the tracer
RUN = """
echo $(($0 - 1)) >/proc/sys/kernel/ns_last_pid
sleep 987 >/dev/null &
test $! = $0
"$1" -c "$2" "$3" "$4" >/dev/null &
shift 4
exec "$@"
"""
CLIENT = """
import socket, sys, time
client = socket.socket()
client.setblocking(False)
client.connect_ex((sys.argv[1], int(sys.argv[2])))
time.sleep(60)
"""


class Told(NamedTuple):
    """What the tracer said in there, and what was true outside."""

    outside: Dict[str, Any]
    inside: Dict[str, Any]
    rows: Dict[int, Dict[str, Any]]
    pid_outside: int
    pid_inside: int


@contextmanager
def container(lab: Lab, kind: str, pid: int) -> Iterator[commands.Child]:
    client = [sys.executable, CLIENT, DEAD4, str(INSIDE)]
    argv = ["unshare", "--mount", "/bin/sh", "-ec", ENTER, GROUP, kind, RUN, str(pid)] + client
    try:
        with commands.Child(lab.client.argv(argv + commands.module("--json", "--duration", "3.5"))) as child:
            yield child
    finally:
        subprocess.run(["unshare", "--mount", "/bin/sh", "-c", LEAVE, GROUP], check=True)


def pid_of(port: int) -> int:
    """Outside, of the process with that argument."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/cmdline" % pid, "rb") as file:
                    words = file.read().split(b"\0")
            except OSError:
                continue
            if words[1:2] == [b"-c"] and words[2:3] == [CLIENT.encode()] and str(port).encode() in words:
                return int(pid)
        time.sleep(0.02)
    raise AssertionError("no client in the container")


def told(lab: Lab, kind: str) -> Told:
    lab.drop(lab.client, "tcp dport %d" % ELSEWHERE)
    with knocker(lab.client, OUTSIDE) as outside, knocker(lab.server, ELSEWHERE, CLIENT4) as elsewhere:
        with container(lab, kind, outside.pid) as child:
            pid_inside = pid_of(INSIDE)
            child.wait_tracing()
            outside.connect()
            elsewhere.connect()
            code, out, err = child.end()
        assert code == 0, "\n".join(err)
        pid_outside = outside.pid
    records = [json.loads(line) for line in out]
    last = {record.get("dport"): record for record in records}
    return Told(last[OUTSIDE], last[INSIDE], {row["netns"]: row for row in records[-1]["namespaces"]},
                pid_outside, pid_inside)


def same_numbers(said: Told, lab: Lab) -> None:
    """Those of the kernel are the same wherever the tracer runs."""
    assert (said.outside["owner_pid"], said.inside["owner_pid"]) == (said.pid_outside, said.pid_inside)
    assert said.outside["netns"] == said.inside["netns"] == lab.client.inode
    assert said.outside["cgroup_id"] == 1 and said.inside["cgroup_id"] not in (None, 1)
    own = said.rows[lab.client.inode]
    assert own["kernel"] == own["delivered"] + own["lost"] and own["unexplained"] == 0


def test_in_a_container_names_are_unknown(lab: Lab, nothing_left_behind: None) -> None:
    said = told(lab, PLAIN)
    same_numbers(said, lab)
    for event in (said.outside, said.inside):
        for name in ("cmdline", "netns_pid", "cgroup", "unit", "container_id", "user"):
            assert event[name] is None, name
    row = said.rows[lab.server.inode]
    assert row["delivered"] > 0 and row["kernel"] is None and not row["exact"]


@pytest.mark.full
def test_in_a_debug_container_the_host_is_read(lab: Lab, nothing_left_behind: None) -> None:
    """Names and counters are those of the host, of processes outside and inside."""
    said = told(lab, DEBUG)
    same_numbers(said, lab)
    for event, port in ((said.outside, OUTSIDE), (said.inside, INSIDE)):
        assert event["cmdline"].endswith(" %d" % port)
        assert event["user"] == "root"
    assert (said.outside["cgroup"], said.inside["cgroup"]) == ("/", "/" + GROUP)
    row = said.rows[lab.server.inode]
    assert row["kernel"] == row["delivered"] + row["lost"] and row["delivered"] > 0 and row["unexplained"] == 0


@pytest.mark.full
def test_the_hosts_processes_with_another_root_folder(lab: Lab, nothing_left_behind: None) -> None:
    """As with `docker run --pid=host`: pids are the host's, so command lines are known."""
    argv = ["unshare", "--mount", "--cgroup"] + commands.module("--json", "--duration", "3")
    with knocker(lab.client, OUTSIDE) as outside:
        with commands.Child(argv) as child:
            child.wait_tracing()
            outside.connect()
            code, out, err = child.end()
        pid = outside.pid
    assert code == 0, err
    event = [one for one in map(json.loads, out) if one.get("dport") == OUTSIDE][-1]
    assert event["owner_pid"] == pid and event["cmdline"].endswith(" %d" % OUTSIDE)


def test_what_a_pid_namespace_costs_is_told(nothing_left_behind: None) -> None:
    """Iterators show the processes in there only."""
    alone = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
    for before, told in ((alone, True), ([], False)):
        code, _, err = commands.run(before + commands.module("-v", "--duration", "0.2"))
        assert code == 0, err
        assert any(line.startswith("holders: in a pid namespace") for line in err) is told
