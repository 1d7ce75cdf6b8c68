"""Names out of a real /proc and real cgroups v1: for processes that are what they say, and for none else."""
import os
import subprocess
import sys
import textwrap
from contextlib import contextmanager
from typing import Iterator, List

import pytest
from lab.cgroups import v1_controller

UNIT = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "unit")

MADE = textwrap.dedent("""
    import os, subprocess, sys, tempfile, time
    sys.path.insert(0, %r)
    from fake_library import event
    from retrans_ctypes.workload import Lookups, Roots

    def now_ns():
        return int(time.clock_gettime(time.CLOCK_MONOTONIC) * 1e9)

    def cmdline(lookups, pid, ts_ns):
        made = event(owner_pid=pid, owner_comm=b"sleep", owner_how=1, ts_ns=ts_ns)
        for _ in range(100):  # unknown at first is allowed
            found = lookups.workload(made).cmdline
            if found is not None:
                break
            time.sleep(0.02)
        return found
""") % UNIT


def run(script: str, *how: str) -> List[str]:
    done = subprocess.run(list(how) + [sys.executable, "-c", MADE + textwrap.dedent(script)],
                          stdout=subprocess.PIPE, universal_newlines=True, check=True, timeout=60)
    return done.stdout.splitlines()


def test_a_pid_reused_at_once(nothing_left_behind: None) -> None:
    """In a pid namespace of its own, where the next pid can be chosen; Lookups is told otherwise."""
    lines = run("""
        own = tempfile.mkdtemp()
        os.mkdir(own + "/ns")
        os.symlink("pid:[4026531836]", own + "/ns/pid")
        links, real = os.readlink, Roots(own=own, netns="/none", pods="/none")
        os.readlink = lambda path: links(own + "/ns/pid") if path.endswith("/1/ns/pid") else links(path)
        with Lookups(real, names=("cmdline",)) as lookups:
            old = subprocess.Popen(["sleep", "111"])
            time.sleep(0.1)
            print(cmdline(lookups, old.pid, now_ns()))
            between = now_ns()
            old.kill()
            old.wait()
            with open("/proc/sys/kernel/ns_last_pid", "w") as last:
                last.write(str(old.pid - 1))
            new = subprocess.Popen(["sleep", "222"])
            assert new.pid == old.pid
            time.sleep(0.1)
            print(cmdline(lookups, new.pid, now_ns()))
            print(cmdline(lookups, new.pid, between))
            new.kill()
            new.wait()
        os.unlink(own + "/ns/pid")
        os.rmdir(own + "/ns")
        os.rmdir(own)
    """, "unshare", "--pid", "--fork", "--mount-proc")
    assert lines == ["sleep 111", "sleep 222", "None"]


def test_hidepid(nothing_left_behind: None) -> None:
    """Root sees the command line of root's process; others do not, and go on."""
    lines = run("""
        subprocess.run(["mount", "-t", "proc", "-o", "hidepid=2", "proc", "/proc"], check=True)
        other = subprocess.Popen(["sleep", "333"])
        time.sleep(0.1)
        with Lookups(names=("cmdline",)) as lookups:
            print(cmdline(lookups, other.pid, now_ns()), flush=True)
        if os.fork() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            with Lookups() as lookups:
                print(cmdline(lookups, other.pid, now_ns()))
                print(cmdline(lookups, os.getpid(), now_ns() + 100000000) is not None, flush=True)
            os._exit(0)
        os.wait()
        other.kill()
        other.wait()
    """, "unshare", "--mount")
    assert lines == ["sleep 333", "None", "True"]


ID = "c0ffee00" * 8


@contextmanager
def folder(*parts: str) -> Iterator[str]:
    """A cgroup for the time of a test."""
    top = os.path.join(*parts[:2])
    path = os.path.join(*parts)
    os.makedirs(path)
    try:
        yield path
    finally:
        while path.startswith(top):
            os.rmdir(path)
            path = os.path.dirname(path)


def test_a_container_on_cgroup_v1(nothing_left_behind: None) -> None:
    """The socket's own cgroup id is not believed there."""
    controller = v1_controller()
    if controller is None:
        pytest.skip("this host has cgroup v2 only; made-up hosts in tests/unit cover v1")
    with folder(controller, "retrans-test-%d" % os.getpid(), "docker", ID) as cgroup:
        lines = run("""
            sleeper = subprocess.Popen(["sleep", "444"])
            with open(%r, "w") as processes:
                processes.write(str(sleeper.pid))
            time.sleep(0.1)
            with Lookups() as lookups:
                made = event(owner_pid=sleeper.pid, owner_comm=b"sleep", owner_how=1, ts_ns=now_ns(), cgroup_id=1)
                cmdline(lookups, sleeper.pid, now_ns())
                found = lookups.workload(made)
                print(found.container_id, found.runtime, found.cmdline, found.user)
                unowned = lookups.workload(event(known=1, cgroup_id=1))
                print(unowned.cgroup)
            sleeper.kill()
            sleeper.wait()
        """ % os.path.join(cgroup, "cgroup.procs"))
    assert lines == ["%s docker sleep 444 root" % ID, "None"]
