"""Tracing out of tracefs' records, as on a kernel without BTF: the command, in mount namespaces of its own."""
import json
import os
import re
import subprocess
import sys
import time
from typing import Any, Dict, Iterator, List

import pytest
from lab import commands, interpreters, summary
from lab.counters import Counters
from lab.kernel import reports_failures
from lab.link import V4, V6, Lab
from lab.stage import copy_package, open_folder
from lab.terminal import terminal, unpainted
from lab.traffic import connected, connecting
from lab.ways import shell

TCP = "meta l4proto tcp"
RIGHTS, KERNEL = 3, 4
HERE = "mount -t tracefs tracefs /sys/kernel/tracing"
HIDDEN = "mount -t tmpfs none /sys/kernel/btf"
# What a container sees that was given the host's tracefs in another place.
ELSEWHERE = "\n".join([
    'mount -t tmpfs none /mnt', 'mkdir -p /mnt/root /mnt/up /mnt/work',
    'mount -t overlay -o lowerdir=/,upperdir=/mnt/up,workdir=/mnt/work none /mnt/root',
    'mkdir -p /mnt/root/host/sys/kernel/tracing',
    'for one in proc sys dev tmp; do mount --rbind /$one /mnt/root/$one; done',
    'mount -t tracefs tracefs /mnt/root/host/sys/kernel/tracing'])

# The record has these, and our programs add the owner and the reason of a handshake.
KNOWN = {"type", "time", "ts_ns", "saddr", "daddr", "sport", "dport", "family", "kind", "state", "err"}
OPENER = {"owner_pid", "owner_comm", "owner_how"}
TEXT = re.compile(r"^\d\d:\d\d:\d\d\.\d{3} ")


def tp(*options: str, before: str = HERE) -> List[str]:
    return shell(before) + commands.module("--attach", "tp", *options)


def ended(child: commands.Child) -> List[str]:
    child.interrupt()
    code, out, err = child.end()
    assert code == 0, err[-3:]
    assert "Traceback" not in "\n".join(err)
    return out


class Traffic:
    """SYNs to nobody, data that is lost, and data that the local firewall refuses."""

    def __init__(self, lab: Lab) -> None:
        self.port = 0
        with connected(lab, V4) as (client, _), connecting(lab.client, V6.dead, 4371) as (dial,):
            self.port, self.dialled = client.getsockname()[1], dial.getsockname()[1]
            lab.drop(lab.server, TCP)
            counters = Counters(lab.client)
            client.send(b"x" * 100)
            counters.wait("TCPSynRetrans", 1)
            counters.wait("RetransSegs", 3)
            lab.drop(lab.client, TCP, hook="output")
            counters.wait("TCPRetransFail", 1)
            gained = counters.gained()
            self.failed, self.retransmits = gained["TCPRetransFail"], gained["RetransSegs"] - gained["TCPRetransFail"]


def test_what_is_not_known_is_null(lab: Lab, nothing_left_behind: None) -> None:
    with commands.Child(tp("--json", "-v")) as child:
        child.wait_tracing()
        made = Traffic(lab)
        rows = [json.loads(line) for line in ended(child)]
    ledger, events = rows[-1], rows[:-1]
    assert "how many segments" in ledger.pop("why")
    assert ledger == {"type": "ledger", "total": None, "namespaces": []}
    mine = [event for event in events if event["sport"] in (made.port, made.dialled)]
    sent = [event for event in mine if not event["err"]]
    assert made.retransmits - 1 <= len(sent) <= made.retransmits  # one that was skipped nobody knows of here
    if reports_failures():
        assert made.failed <= len(mine) - len(sent)
        assert {event["err"] for event in mine if event["err"]} == {-1}
    for event in mine:
        told = {name for name, value in event.items() if value is not None}
        is_syn = event["dport"] == 4371
        assert told == KNOWN | OPENER | ({"reason"} if is_syn else set())
        assert (event["owner_pid"], event["owner_how"]) == (os.getpid(), "opener")
        assert event["state"] == ("SYN_SENT" if is_syn else "ESTABLISHED")
    assert {event["reason"] for event in mine if event["dport"] == 4371} == {"syn"}


def test_counts_for_each_flow(nothing_left_behind: None) -> None:
    """Here nothing tells how often the kernel skipped a program (docs/attaching.md): where one of the two saw less,
    another run has to show that both see all."""
    for _ in range(3):
        with Lab() as lab, commands.Child(tp("-c")) as text, commands.Child(tp("-c", "--json")) as rows:
            for child in (text, rows):
                child.wait_tracing()
            made = Traffic(lab)
            lines, flows = ended(text), [json.loads(line) for line in ended(rows)[:-1]]
        expected = made.retransmits - 1  # one of them was the SYN
        (line,) = [line for line in lines if "{}:{} ".format(V4.client, made.port) in line]
        (flow,) = [flow for flow in flows if flow["local"] == "{}:{}".format(V4.client, made.port)]
        shown, segs = line.split()[-2:]
        assert segs == "-" and flow["segs"] is None
        if int(shown) == flow["retransmits"] == expected:
            return
        assert int(shown) <= expected and flow["retransmits"] <= expected
        summary.say("counts by tp: tried again, as of {} events {} and {} were seen".format(
            expected, shown, flow["retransmits"]))
    pytest.fail("In each of three runs events were missing.")


@pytest.mark.parametrize("width", [80, pytest.param(200, marks=pytest.mark.full)])
def test_text_fits_and_shows_gaps(lab: Lab, nothing_left_behind: None, width: int) -> None:
    with terminal(width) as screen:
        with subprocess.Popen(tp(), stdout=screen.writer, stderr=subprocess.PIPE) as child:
            try:
                wait_for_line(screen, "Tracing")
                with connecting(lab.client, V4.dead, 4372):
                    wait_for_line(screen, "{}:4372".format(V4.dead))
            finally:
                child.terminate()
            child.communicate(timeout=15)
        lines = unpainted(screen.lines())
    assert all(len(line) <= width for line in lines)
    line = [line for line in lines if "{}:4372".format(V4.dead) in line and " {} ".format(os.getpid()) in line][0]
    assert TEXT.match(line) and " syn " in line
    assert " 0 " not in line, "an unknown value is shown as one"


def wait_for_line(screen: Any, words: str) -> None:
    deadline = time.monotonic() + 15
    while not any(words in line for line in screen.lines()):
        assert time.monotonic() < deadline, screen.lines()
        time.sleep(0.02)


def test_the_hosts_tracefs_in_a_container(nothing_left_behind: None) -> None:
    """Not at its own place but below /host, as `oc debug` gives it."""
    inside = shell(ELSEWHERE) + ["chroot", "/mnt/root"]
    code, out, err = commands.run(inside + commands.module("--attach", "tp", "--duration", "0.2"))
    assert code == 0, err
    assert out[0].startswith(commands.BANNER)


@pytest.mark.parametrize("make", ["mkfifo {}/format {}/id", "cp /dev/null {}/format; echo 1 > {}/id"], ids=["pipes", "files"])
def test_what_lies_there_is_no_tracefs(nothing_left_behind: None, make: str) -> None:
    """Nothing below /host is believed, or waited for, that is not the kernel's own."""
    folder = "/mnt/root/host/sys/kernel/tracing/events/tcp/tcp_retransmit_skb"
    fake = ELSEWHERE.replace("mount -t tracefs tracefs /mnt/root/host/sys/kernel/tracing",
                             "mkdir -p " + folder + "; " + make.replace("{}", folder))
    code, out, err = commands.run(shell(fake) + ["chroot", "/mnt/root"] + commands.module("--attach", "tp", "--duration", "0.2"))
    assert (code, out) == (KERNEL, [])
    commands.one_sentence(err, "no tracefs is mounted")


def test_without_btf_tracefs_is_next(lab: Lab, nothing_left_behind: None) -> None:
    command = shell(HIDDEN, HERE) + commands.module("-v")
    with commands.Child(command) as child:
        child.wait_tracing()
        with connecting(lab.client, V4.dead, 4373):
            child.wait_line("{}:4373".format(V4.dead), "SYN_SENT", "syn")
        ended(child)
    told = "\n".join(child.err.text)
    assert "attached by tp, ring buffer" in told
    for reason in ("tp_btf: this kernel gives no type information", "no ledger: "):
        assert reason in told


def test_neither_btf_nor_tracefs(nothing_left_behind: None) -> None:
    code, _, err = commands.run(shell(HIDDEN) + commands.module())
    assert code == KERNEL
    commands.one_sentence(err, "BTF", "tracefs", "mount -t tracefs", "--btf")


def test_no_tracefs_mounted(nothing_left_behind: None) -> None:
    code, _, err = commands.run(commands.module("--attach", "tp"))
    assert code == KERNEL
    commands.one_sentence(err, "no tracefs is mounted", "mount -t tracefs")


def for_nobody(tree: str, before: str, *options: str) -> Any:
    """Run as a user with the two capabilities that tracing takes, and no others."""
    caps = "+cap_39,+cap_38"  # by number: older setpriv does not know the names
    user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
            "--inh-caps=" + caps, "--ambient-caps=" + caps, "--"]
    environment: Dict[str, str] = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    python = next(one.path for one in reversed(interpreters.found()) if not commands.run(
        user + [one.path, "-c", "pass"], cwd=tree)[0])
    return commands.run(shell(before) + user + commands.module(*options, python=python), cwd=tree, env=environment)


@pytest.fixture
def usual_mode_of_tracefs(nothing_left_behind: None) -> Iterator[None]:
    """All mounts of tracefs share one mode and group, also those in other namespaces."""
    yield
    commands.run(shell(HERE, "mount -o remount,mode=700,gid=0 /sys/kernel/tracing") + ["true"])


@pytest.mark.parametrize("options, code", [
    ("mode=700,gid=0", RIGHTS), ("mode=000,gid=0", RIGHTS), ("mode=755,gid=0", RIGHTS), ("mode=750,gid=65534", 0)])
def test_a_closed_tracefs(usual_mode_of_tracefs: None, options: str, code: int) -> None:
    """The two capabilities open no files. What the sentence advises does."""
    with open_folder() as tree:
        copy_package(tree)
        mounted = HERE + " && mount -o remount,{} /sys/kernel/tracing".format(options)
        got, out, err = for_nobody(tree, mounted, "--attach", "tp", "--duration", "0.2")
    assert got == code, err
    if code:
        commands.one_sentence(err, "tracefs is mounted, but closed", "remount,mode=750,gid=GROUP")
    else:
        assert out[0].startswith(commands.BANNER)


def test_kprobes_are_refused_in_a_sentence(nothing_left_behind: None) -> None:
    """This test knows no kernel with them; the ones that have them are booted elsewhere."""
    if os.path.exists("/sys/bus/event_source/devices/kprobe"):
        pytest.skip("this kernel has kprobes")
    code, _, err = commands.run(commands.module("--attach", "kprobe", python=sys.executable))
    assert code == KERNEL
    commands.one_sentence(err, "did not attach on_call_retransmit_skb", "CONFIG_KPROBE_EVENTS")
