"""Which namespaces are found and read, on a made-up /proc."""
import os
from typing import Any, Callable, Dict, List

import pytest
from retrans_ctypes.kernel_counters import Reading, read_all


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


def reader(read: List[int]) -> Callable[[int], Reading]:
    def one(descriptor: int) -> Reading:
        read.append(os.fstat(descriptor).st_ino)
        return Reading(7, 9)
    return one


def test_each_namespace_is_read_once(proc: Any) -> None:
    read: List[int] = []
    found = read_all(reader(read), str(proc))
    assert found == {inode(proc / "1/ns/net"): (7, 9), inode(proc / "300/ns/net"): (7, 9)}
    assert sorted(read) == sorted(found)


def test_mounted_namespaces_are_found(proc: Any, tmp_path: Any) -> None:
    named = tmp_path / "a b\tc\\d"
    named.touch()
    escaped = str(named).replace("\\", "\\134").replace(" ", "\\040").replace("\t", "\\011")
    (proc / "self" / "mountinfo").write_text(
        "30 22 0:4 net:[4026532177] %s rw shared:9 - nsfs nsfs rw\n"
        "31 22 0:5 / /gone rw - nsfs nsfs rw\n" % escaped)
    assert inode(named) in read_all(reader([]), str(proc))


def test_what_may_not_be_entered_is_known_but_unread(proc: Any) -> None:
    def refuse(descriptor: int) -> Reading:
        raise PermissionError(1, "not permitted")
    assert set(read_all(refuse, str(proc)).values()) == {None}


def test_another_way_in_is_tried(proc: Any) -> None:
    """The first process of a namespace may be closed to us, the second not."""
    tries: Dict[int, int] = {}

    def second_time(descriptor: int) -> Reading:
        number = os.fstat(descriptor).st_ino
        tries[number] = tries.get(number, 0) + 1
        if tries[number] == 1:
            raise PermissionError(1, "not permitted")
        return Reading(1, 2)
    found = read_all(second_time, str(proc))
    assert found == {inode(proc / "1/ns/net"): (1, 2), inode(proc / "300/ns/net"): None}


def test_processes_that_end_meanwhile(proc: Any) -> None:
    (proc / "20" / "ns" / "net").unlink()
    (proc / "20" / "ns" / "net").symlink_to("nowhere")
    assert len(read_all(reader([]), str(proc))) == 2


def test_no_descriptor_is_left_open(proc: Any) -> None:
    before = len(os.listdir("/proc/self/fd"))
    read_all(reader([]), str(proc))
    assert len(os.listdir("/proc/self/fd")) == before


def test_without_proc_there_are_no_readings(tmp_path: Any) -> None:
    assert read_all(reader([]), str(tmp_path / "nowhere")) == read_all(reader([]), str(tmp_path)) == {}
