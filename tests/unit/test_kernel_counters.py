"""Which namespaces are found and read, on a made-up /proc."""
import os
from typing import Any, Callable, Dict, List

import pytest
from retrans_ctypes.kernel_counters import KernelCounters, Reading
from retrans_ctypes.roots import Roots


@pytest.fixture
def proc(tmp_path: Any) -> Any:
    """/proc with two processes in one namespace, one in another, and something that is no process."""
    for pid, namespace in (("1", "host"), ("20", "host"), ("300", "pod")):
        (tmp_path / namespace).touch()
        (tmp_path / "proc" / pid / "ns").mkdir(parents=True)
        os.link(str(tmp_path / namespace), str(tmp_path / "proc" / pid / "ns" / "net"))
    (tmp_path / "proc" / "self").mkdir()
    (tmp_path / "proc" / "self" / "mountinfo").write_text("22 1 0:21 / /sys rw - sysfs sysfs rw\n")
    (tmp_path / "proc" / "net").mkdir()
    return tmp_path / "proc"


def inode(path: Any) -> int:
    return os.stat(str(path)).st_ino


def counters(visit: Any, proc: Any) -> KernelCounters:
    return KernelCounters(visit, Roots(proc=str(proc), own=str(proc / "self")))


def read_all(visit: Any, proc: Any) -> Any:
    return counters(visit, proc).read()


def refuse(descriptor: int) -> Reading:
    raise PermissionError(1, "not permitted")


def snmp(proc: Any, process: str, segs: int) -> None:
    (proc / process / "net").mkdir(exist_ok=True)
    (proc / process / "net" / "snmp").write_text(
        "Ip: Forwarding RetransSegs\nIp: 1 5\nTcp: RtoMin InSegs RetransSegs\nTcp: 200 3 %d\n" % segs)


def reader(read: List[int]) -> Callable[[int], Reading]:
    def one(descriptor: int) -> Reading:
        read.append(os.fstat(descriptor).st_ino)
        return Reading(7, 9)
    return one


def test_each_namespace_is_read_once(proc: Any) -> None:
    read: List[int] = []
    found = read_all(reader(read), proc)
    assert found == {inode(proc / "1/ns/net"): (7, 9), inode(proc / "300/ns/net"): (7, 9)}
    assert sorted(read) == sorted(found)


def test_mounted_namespaces_are_found(proc: Any, tmp_path: Any) -> None:
    named = tmp_path / "a b\tc\\d"
    named.touch()
    escaped = str(named).replace("\\", "\\134").replace(" ", "\\040").replace("\t", "\\011")
    (proc / "self" / "mountinfo").write_text(
        "30 22 0:4 net:[4026532177] %s rw shared:9 - nsfs nsfs rw\n"
        "31 22 0:5 / /gone rw - nsfs nsfs rw\n" % escaped)
    assert inode(named) in read_all(reader([]), proc)


def test_what_may_not_be_entered_is_known_but_unread(proc: Any) -> None:
    assert set(read_all(refuse, proc).values()) == {None}


def test_another_way_in_is_tried(proc: Any) -> None:
    """The first process of a namespace may be closed to us, the second not."""
    tries: Dict[int, int] = {}

    def second_time(descriptor: int) -> Reading:
        number = os.fstat(descriptor).st_ino
        tries[number] = tries.get(number, 0) + 1
        if tries[number] == 1:
            raise PermissionError(1, "not permitted")
        return Reading(1, 2)
    found = read_all(second_time, proc)
    assert found == {inode(proc / "1/ns/net"): (1, 2), inode(proc / "300/ns/net"): None}


def test_processes_that_end_meanwhile(proc: Any) -> None:
    (proc / "20" / "ns" / "net").unlink()
    (proc / "20" / "ns" / "net").symlink_to("nowhere")
    assert len(read_all(reader([]), proc)) == 2


def test_kernels_that_show_a_folder_instead_of_refusing(proc: Any) -> None:
    """Its number is no namespace's; for /proc/PID/ns/net of others Linux 5.10 does that."""
    snmp(proc, "300", 5)
    (proc / "300" / "ns" / "net").unlink()
    (proc / "300" / "ns" / "net").mkdir()
    assert list(read_all(refuse, proc)) == [inode(proc / "1/ns/net")]


def test_no_descriptor_is_left_open(proc: Any) -> None:
    before = len(os.listdir("/proc/self/fd"))
    read_all(reader([]), proc)
    assert len(os.listdir("/proc/self/fd")) == before


def test_without_proc_there_are_no_readings(tmp_path: Any) -> None:
    assert read_all(reader([]), tmp_path / "nowhere") == read_all(reader([]), tmp_path) == {}


def test_what_may_not_be_entered_a_process_shows(proc: Any) -> None:
    """Then the cookie is not known; and of damaged files nothing is."""
    snmp(proc, "20", 41)
    (proc / "300" / "net").mkdir()
    (proc / "300" / "net" / "snmp").write_text("Tcp: RetransSegs\nTcp: none\n")
    assert read_all(refuse, proc) == {inode(proc / "1/ns/net"): (41, 0), inode(proc / "300/ns/net"): None}


def test_the_way_that_was_held_stays_when_all_others_are_closed(proc: Any) -> None:
    snmp(proc, "20", 41)
    snmp(proc, "300", 7)
    allowed = [True]

    def visit(descriptor: int) -> Reading:
        if allowed[0]:
            return Reading(40, 9)
        return refuse(descriptor)
    before = len(os.listdir("/proc/self/fd"))
    held = counters(visit, proc)
    held.hold()
    held.hold()
    allowed[0] = False
    host, pod = inode(proc / "1/ns/net"), inode(proc / "300/ns/net")
    for process in ("1", "20", "300"):
        (proc / process / "ns" / "net").unlink()
    assert held.read() == {host: (41, 9), pod: (7, 9)}
    snmp(proc, "20", 42)
    assert held.read()[host] == (42, 9)
    (proc / "300" / "net" / "snmp").write_text("")  # as if that namespace had gone
    assert held.read() == {host: (42, 9)}
    held.close()
    assert held.read() == {} and len(os.listdir("/proc/self/fd")) == before
