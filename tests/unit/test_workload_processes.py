"""Command lines, namespaces and users: of the right process, and never of another."""
import os
import pwd
from typing import Any

import pytest
from fake_library import event
from made_up_host import CGROUP2, V1, MadeUpHost, now_ns, owned, ticks_ago
from retrans_ctypes.workload import Lookups, Roots
from retrans_ctypes.workload.namespaces import NamespaceNames

WAITING, LOCK, LAST_USER, FILE, CLOSE, ITERATOR, INHERITED = range(1, 8)


@pytest.fixture
def host(tmp_path: Any) -> MadeUpHost:
    return MadeUpHost(tmp_path, CGROUP2)


@pytest.mark.parametrize("how", [WAITING, LOCK, LAST_USER, FILE, ITERATOR])
def test_command_line(host: MadeUpHost, how: int) -> None:
    host.process(7, start=ticks_ago(1), comm="a) b (", cmdline=b"nginx:\0worker \xff\n\0\0\0")
    assert host.workload(owned(7, how)).cmdline == "nginx: worker \\xff\n"


@pytest.mark.parametrize("cmdline", [b"", b"\0\0"])
def test_no_command_line(host: MadeUpHost, cmdline: bytes) -> None:
    host.process(7, start=ticks_ago(1), cmdline=cmdline)
    assert host.workload(owned(7)).cmdline is None


def test_long_command_lines_are_cut(host: MadeUpHost) -> None:
    host.process(7, start=ticks_ago(1), cmdline=b"x" * 100000)
    assert host.workload(owned(7)).cmdline == "x" * 4096


def test_a_process_made_after_the_event_is_another(host: MadeUpHost) -> None:
    host.process(7, start=ticks_ago(0))
    assert host.workload(owned(7, ts_ns=now_ns() - 1000000000)).cmdline is None
    assert host.workload(owned(7, ts_ns=now_ns() + 1000000000)).cmdline == "prog -x"


def test_a_pid_that_changes_hands_within_the_tick_of_the_event_is_not_believed(host: MadeUpHost) -> None:
    ts_ns = now_ns()
    tick = 1.0 / os.sysconf("SC_CLK_TCK")
    for ticks, believed in ((0, False), (3, True)):
        host.process(7, start=ticks_ago(ticks * tick))
        assert (host.workload(owned(7, ts_ns=ts_ns)).cmdline is not None) == believed


def test_a_process_older_than_the_boot_that_a_time_namespace_shows(host: MadeUpHost) -> None:
    host.process(7, start=((1 << 64) - 5000000000) * os.sysconf("SC_CLK_TCK") // 1000000000)
    assert host.workload(owned(7)).cmdline == "prog -x"


def test_a_reused_pid_is_noticed(host: MadeUpHost) -> None:
    host.process(7, start=ticks_ago(10), cmdline=b"old")
    with host.lookups() as lookups:
        first = owned(7)
        assert lookups.workload(first).cmdline == "old"
        host.process(7, start=ticks_ago(0.5), cmdline=b"new")
        between = owned(7, ts_ns=now_ns() - 800000000)
        assert lookups.workload(first).cmdline == "old", "known to be right for events up to then"
        assert lookups.workload(owned(7)).cmdline == "new"
        assert lookups.workload(between).cmdline is None, "the new process was not there yet"


def test_a_process_that_ended_is_unknown_to_later_events(host: MadeUpHost) -> None:
    host.process(7, start=ticks_ago(10))
    with host.lookups() as lookups:
        first = owned(7)
        assert lookups.workload(first).cmdline == "prog -x"
        os.unlink(host.path("proc/7/stat"))
        assert lookups.workload(owned(7)).cmdline is None


def test_a_pid_that_changes_hands_between_two_files(host: MadeUpHost, monkeypatch: Any) -> None:
    from retrans_ctypes.workload.processes import Processes
    host.process(7, start=5, cmdline=b"of one")
    plain = Processes._file

    def reused(self: Any, pid: int, name: str, *most: int) -> Any:
        read = plain(self, pid, name, *most)
        if name == "cmdline":
            host.process(7, start=6, cmdline=b"of the other")
        return read
    monkeypatch.setattr(Processes, "_file", reused)
    assert Processes(host.roots(), places=True).find({(7, None)}) == {}


@pytest.mark.parametrize("how, state", [(CLOSE, 4), (CLOSE, 1), (LAST_USER, 4), (LAST_USER, 9)])
def test_who_closed_the_socket_may_be_gone_since_long(host: MadeUpHost, how: int, state: int) -> None:
    """An orphan is given up within an hour; a process older than that had the pid all the time."""
    host.process(7, start=ticks_ago(3500))
    host.process(8, start=ticks_ago(3700))
    made = [owned(pid, how, ts_ns=now_ns(), state=state) for pid in (7, 8)]
    if ticks_ago(3700) > 0:  # this machine has been up for an hour
        assert [host.workload(one).cmdline for one in made] == [None, "prog -x"]
    else:
        assert host.workload(made[0]).cmdline is None


def test_who_listened_may_be_gone(host: MadeUpHost) -> None:
    host.process(7, start=0)
    assert host.workload(owned(7, INHERITED)).cmdline is None


def test_an_exec_is_noticed_by_the_name(host: MadeUpHost) -> None:
    host.process(7, start=ticks_ago(10), cmdline=b"sh")
    with host.lookups() as lookups:
        assert lookups.workload(owned(7, comm=b"sh")).cmdline == "sh"
        host.process(7, start=ticks_ago(10), cmdline=b"curl")
        assert lookups.workload(owned(7, comm=b"curl")).cmdline == "curl"


@pytest.mark.parametrize("mounts", [(CGROUP2,), (V1,)])
def test_processes_that_must_not_be_seen(tmp_path: Any, mounts: Any) -> None:
    """As with hidepid=2: their folders are not there. As with hidepid=1: their files cannot be read."""
    host = MadeUpHost(tmp_path, *mounts)
    os.makedirs(host.path("proc/8/stat"))  # opening it fails, for root too
    for pid in (7, 8):
        workload = host.workload(owned(pid, uid=33))
        assert (workload.cmdline, workload.cgroup, workload.user) == (None, None, "web")


@pytest.mark.parametrize("stat", ["", "7", "7 (x) S 1", "7 (x) " + "x " * 30, "\x00" * 100])
def test_damaged_process_files(host: MadeUpHost, stat: str) -> None:
    host.process(7, start=1)
    host.write("proc/7/stat", stat)
    assert host.workload(owned(7)).cmdline is None


def test_in_another_pid_namespace_numbers_mean_others(host: MadeUpHost) -> None:
    host.process(7, start=1, netns=99)
    host.move("pid", 4026532999)
    workload = host.workload(owned(7, netns=99, uid=33))
    assert (workload.cmdline, workload.netns_pid, workload.user) == (None, None, "web")


def test_users(host: MadeUpHost) -> None:
    assert host.workload(event(uid=33)).user == "web"
    assert host.workload(event(uid=0)).user == "root"
    assert host.workload(event(uid=1234)).user is None
    assert host.workload(event(known=0)).user is None
    for damaged in (b"", b"::33\n", b"x:y:z\nno colons\n\xff\xfe:x:33:\n"):
        host.write("passwd", damaged)
        assert host.workload(event(uid=33)).user == ("\\xff\\xfe" if b"\xff" in damaged else None)
    os.unlink(host.path("passwd"))
    assert host.workload(event(uid=33)).user is None


def test_users_as_the_c_library_has_them(tmp_path: Any) -> None:
    with Lookups(MadeUpHost(tmp_path).roots()._replace(passwd=None)) as lookups:
        for uid, name in ((0, pwd.getpwuid(0).pw_name), (4294967295, None), (4294967294, None)):
            waited = [lookups.workload(event(uid=uid)).user for _ in range(2)]
            assert waited[-1] == name


@pytest.mark.parametrize("flags, known", [(2129984, True), (4194304, False), ("x", False)])
def test_kernel_threads_tell_that_pids_are_the_hosts(host: MadeUpHost, flags: Any, known: bool) -> None:
    """As in a debug container, where what namespace the host's process 1 is in may be hidden."""
    host.move("pid", 4026532999)
    host.write("proc/2/stat", "2 (kthreadd ) R) S 0 0 0 0 -1 %s 0 0\n" % flags)
    host.process(7, start=ticks_ago(60))
    assert (host.workload(owned(7)).cmdline == "prog -x") is known


@pytest.mark.parametrize("kind", ["cgroup", "pid"])
def test_users_of_a_container_are_not_the_hosts(tmp_path: Any, kind: str) -> None:
    host = MadeUpHost(tmp_path)
    host.move(kind, 4026532000)
    with Lookups(host.roots()._replace(passwd=None)) as lookups:
        assert [lookups.workload(event(uid=0)).user for _ in range(2)] == [None, None]


def test_users_below_another_root_folder(tmp_path: Any) -> None:
    """With the host's processes in sight and all else a container's."""
    host = MadeUpHost(tmp_path)
    os.makedirs(host.path("proc/1"))
    for root, known in (("/", True), (host.top, False)):
        os.symlink(root, host.path("proc/1/root"))
        with Lookups(host.roots()._replace(passwd=None)) as lookups:
            names = [lookups.workload(event(uid=0)).user for _ in range(2)]
        assert (names[-1] is not None) is known
        os.unlink(host.path("proc/1/root"))


def test_network_namespaces(host: MadeUpHost) -> None:
    host.process(1, start=1, netns=100)
    host.process(30, start=1, netns=300)
    host.process(4, start=1, netns=300)
    blue = host.netns("blue")

    def found(netns: int) -> Any:
        workload = host.workload(event(netns=netns))
        return workload.netns_name, workload.netns_pid
    assert found(100) == ("host", None)
    assert found(blue) == ("blue", None)
    assert found(300) == (None, 4)
    assert found(999) == (None, None)
    assert found(4026531833) == ("host", None)


def test_a_namespace_that_only_calls_itself_host(host: MadeUpHost) -> None:
    host.process(1, start=1, netns=100)
    assert host.workload(event(netns=host.netns("host"))).netns_name is None


def test_namespaces_that_vanish(host: MadeUpHost) -> None:
    host.process(4, start=1, netns=300)
    blue = host.netns("blue")
    with host.lookups() as lookups:
        old = [event(netns=netns, ts_ns=now_ns()) for netns in (blue, 300)]
        assert [lookups.workload(one).netns_name for one in old] == ["blue", None]
        os.rename(host.path("netns/blue"), host.path("netns/green"))
        host.process(4, start=1, netns=301)
        new = [event(netns=netns, ts_ns=now_ns()) for netns in (blue, 300)]
        assert [lookups.workload(one).netns_name for one in new] == ["green", None]
        assert lookups.workload(new[1]).netns_pid is None


def test_a_host_without_any_of_it(tmp_path: Any) -> None:
    nowhere = str(tmp_path / "nowhere")
    roots = Roots(*[nowhere] * len(Roots._fields))
    with Lookups(roots) as lookups:
        assert set(lookups.workload(owned(1))) == {None}


@pytest.mark.parametrize("number", ["\u00b2", "9" * 30, "-1", ""])
def test_links_of_namespaces_that_are_none(host: MadeUpHost, number: str) -> None:
    os.makedirs(host.path("proc/7/ns"))
    os.makedirs(host.path("proc/\u00b2/ns"))
    os.symlink("net:[%s]" % number, host.path("proc/7/ns/net"))
    assert NamespaceNames(host.path("netns"), host.path("proc")).find({5}) == {}
