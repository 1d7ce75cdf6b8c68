"""`demo`: real output on a quiet machine, and nothing of it left or spread over the host."""
import os
import re
import shutil
import signal
import sys
import time
from typing import List, Set

import pytest
from lab import commands, host

RETRANSMIT = re.compile(r"[RL]> ")
COMPARED = re.compile(r"(\d+) segments traced, (\d+) by the kernel's own RetransSegs(?:, (\d+) lost, (\d+) failed)?")
SETTINGS = ("ipv4/ip_forward", "ipv6/conf/all/forwarding", "ipv4/tcp_congestion_control", "ipv4/tcp_sack",
            "ipv4/conf/all/rp_filter", "ipv4/ip_local_port_range")


def demo(python: str = sys.executable) -> List[str]:
    return commands.module("demo", python=python)


def network_of_the_host() -> List[str]:
    """Addresses, routes, packet filter and settings of the namespace that we are in."""
    return [host.tool("ip", "-o", "addr"), host.tool("ip", "route", "show", "table", "all"),
            host.tool("nft", "list", "ruleset")] + [setting(name) for name in SETTINGS]


def setting(name: str) -> str:
    with open("/proc/sys/net/" + name) as source:
        return source.read()


def retransmits(lines: List[str]) -> List[str]:
    return [line for line in lines if RETRANSMIT.search(line) and "LADDR" not in line]


def test_demo_shows_real_retransmits(nothing_left_behind: None) -> None:
    before = network_of_the_host()
    with commands.Child(demo()) as child:
        child.wait_tracing()
        began = time.monotonic()
        child.wait_for(lambda: len(retransmits(child.out.text)) >= 3, "three retransmits", 9)
        assert network_of_the_host() == before
        code, out, err = child.end(30)
        lasted = time.monotonic() - began
    assert code == 0, err
    assert 8.5 < lasted < 14
    assert "Traceback" not in "\n".join(err)
    assert network_of_the_host() == before
    compared = COMPARED.findall("\n".join(err))
    assert len(compared) == 2, err
    for traced, kernel, lost, failed in compared:  # one namespace each; bulk loss, so a small share may differ
        assert abs(int(traced) - int(kernel)) <= 1 + 0.01 * int(kernel) + int(lost or 0) + int(failed or 0), err


def namespaces_and_children(pid: int) -> Set[str]:
    found = {"netns " + name for name in host.names_in("/run/netns")}
    for other in filter(str.isdigit, os.listdir("/proc")):
        try:
            if host.parent_of(int(other)) == pid:
                found.add("child " + other)
        except OSError:
            pass  # it ended meanwhile
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_while_setting_up(nothing_left_behind: None, number: int) -> None:
    """The signal comes as soon as the demo has made its first namespace or process."""
    with commands.Child(demo()) as child:
        before = namespaces_and_children(child.process.pid)
        child.wait_for(lambda: bool(namespaces_and_children(child.process.pid) - before),
                       "namespace or process of the demo", 10)
        child.interrupt(number)
        code, out, err = child.end()
    assert code == 0, (out, err)
    assert "Traceback" not in "\n".join(err)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_while_tracing(nothing_left_behind: None, number: int) -> None:
    with commands.Child(demo()) as child:
        child.wait_tracing()
        child.wait_for(lambda: bool(retransmits(child.out.text)), "retransmit", 9)
        child.interrupt(number)
        asked = time.monotonic()
        code, out, err = child.end()
        assert time.monotonic() - asked < 5
    assert code == 0, (out, err)
    assert "Traceback" not in "\n".join(err)


def without(tool: str) -> List[str]:
    """What runs the rest of a command in a mount namespace of its own where `tool` cannot be run."""
    path = os.path.realpath(shutil.which(tool) or tool)
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c",
            'mount --bind /dev/null "$0" && exec "$@"', path]


def test_without_a_packet_filter_an_unanswered_connect(nothing_left_behind: None) -> None:
    with commands.Child(without("nft") + demo()) as child:
        child.wait_tracing()
        child.wait_for(lambda: any("SYN_SENT" in line for line in retransmits(child.out.text)), "SYN", 9)
        child.interrupt()
        code, _, err = child.end()
    assert code == 0, err


def test_without_iproute2_one_sentence(nothing_left_behind: None) -> None:
    code, out, err = commands.run(without("ip") + demo())
    assert code == 1
    assert out == []
    commands.one_sentence(err, "iproute2")
