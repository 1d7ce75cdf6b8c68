"""Names of real cgroups and namespaces, for real retransmits.

The tracer runs in a mount namespace of its own, where the host has cgroup v2 only and /run/netns is
the test's: nothing is left behind, whatever this machine has mounted.
"""
import json
import os
import subprocess
import sys
from contextlib import contextmanager
from typing import Any, Iterator, List

from lab import commands
from lab.link import DEAD4, Lab

CONTAINER = "c0ffee00" * 8
UID = "8e7f9a5c-11d2-4b3a-9c8d-0123456789ab"
TOP = "retrans-test-%d" % os.getpid()
POD = "%s/kubepods.slice/kubepods-pod%s.slice" % (TOP, UID.replace("-", "_"))
GROUP = "%s/cri-containerd-%s.scope" % (POD, CONTAINER)

VIEW = r"""
set -e
umount -R /sys/fs/cgroup 2>/dev/null || true
mount -t cgroup2 none /sys/fs/cgroup
"""
ENTER = VIEW + 'mkdir -p "/sys/fs/cgroup/$0"; echo $$ >"/sys/fs/cgroup/$0/cgroup.procs"; exec "$@"'
REMOVE = VIEW + 'find "/sys/fs/cgroup/$0" -depth -type d -exec rmdir {} +'
TRACE = VIEW + r"""
mount -t tmpfs none /run
mkdir /run/netns
touch /run/netns/blue
mount --bind "$0" /run/netns/blue
mount -t tmpfs none /var/log
mkdir -p "/var/log/pods/shop_cart_$1"
shift
exec "$@"
"""
CONNECT = """
import socket, sys
client = socket.socket()
client.setblocking(False)
client.connect_ex((sys.argv[1], int(sys.argv[2])))
print("connecting", flush=True)
sys.stdin.read()
"""


def with_view(script: str, *arguments: str) -> List[str]:
    return ["unshare", "--mount", "/bin/sh", "-c", script] + list(arguments)


@contextmanager
def knocking(lab: Lab, cgroup: str, port: int) -> Iterator[None]:
    """A process in a cgroup of its own that connects to where nobody answers."""
    knock = lab.client.argv([sys.executable, "-c", CONNECT, DEAD4, str(port)])
    process = subprocess.Popen(with_view(ENTER, cgroup, *knock), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin and process.stdout
    try:
        assert process.stdout.readline() == b"connecting\n"
        yield
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()
        subprocess.run(with_view(REMOVE, cgroup.split("/")[0]), check=True)


def test_container_pod_and_namespace_of_a_real_retransmit(lab: Lab, nothing_left_behind: None) -> None:
    netns = "/proc/%d/fd/%d" % (os.getpid(), lab.client.fd)
    with commands.Child(with_view(TRACE, netns, UID, *commands.module("--json"))) as child:
        child.wait_tracing()
        with knocking(lab, GROUP, 4051):
            child.wait_line('"dport":4051')
        child.interrupt()
        code, out, _ = child.end()
    assert code == 0
    records: List[Any] = [json.loads(line) for line in out]
    record = next(one for one in records if one.get("dport") == 4051)
    for name, value in (
            ("cgroup", "/" + GROUP), ("unit", "cri-containerd-%s.scope" % CONTAINER), ("container_id", CONTAINER),
            ("runtime", "containerd"), ("pod_uid", UID), ("pod_namespace", "shop"), ("pod_name", "cart"),
            ("netns", lab.client.inode), ("netns_name", "blue"), ("netns_pid", None), ("user", "root")):
        assert record[name] == value, name


def test_text_of_a_cgroup_that_would_paint_the_terminal(lab: Lab, nothing_left_behind: None) -> None:
    """The name holds an escape sequence, bytes that are no UTF-8, and a line end in disguise."""
    name = b"\x1b[31mred\x07\xff\xe2\x80\xa8".decode("utf-8", "surrogateescape")
    netns = "/proc/%d/fd/%d" % (os.getpid(), lab.client.fd)
    command = with_view(TRACE, netns, UID, *commands.module("-o", "raddr,netns,cgroup"))
    with commands.Child(command) as child:
        child.wait_tracing()
        with knocking(lab, TOP + "/" + name, 4052):
            line = child.wait_line(DEAD4 + ":4052")
        child.interrupt()
        assert child.end()[0] == 0
    assert line.split() == [DEAD4 + ":4052", "blue", "/%s/\\x1b[31mred\\x07\\xff\\u2028" % TOP]
