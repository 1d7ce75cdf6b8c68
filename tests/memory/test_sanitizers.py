"""The whole API under AddressSanitizer with UndefinedBehaviorSanitizer, under valgrind, and under
ThreadSanitizer, while the link really sends again: a connect, data, and SYN-ACKs."""
import os
from contextlib import ExitStack
from typing import Any, Dict, List

import pytest
from exercise import FOLDER, Exercise, build, program
from lab import tried
from lab.counters import Counters
from lab.link import V4, V6, Lab
from lab.traffic import connected, connecting, listener
from lab.ways import ALL, FROM_FILE, KERNEL_BTF, Way, copy_of_btf, shell

pytestmark = [pytest.mark.reliability, pytest.mark.full]

RING = Way("tp_btf", "ring")
TRACEFS = "mount -t tracefs tracefs /sys/kernel/tracing"
HIDDEN = "mount -t tmpfs none " + os.path.dirname(KERNEL_BTF)
ADDRESS = {"ASAN_OPTIONS": "detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1",
           "UBSAN_OPTIONS": "print_stacktrace=1"}
# Valgrind makes everything slow, most of all reading the kernel's BTF.
VALGRIND_WAYS = ALL if tried.AT_LENGTH else [RING, Way("tp", "perf")]
STEP = 1 if tried.AT_LENGTH else 11  # descriptors
VALGRIND = ["valgrind", "--quiet", "--error-exitcode=9", "--leak-check=full", "--show-leak-kinds=all",
            "--errors-for-leak-kinds=all", "--track-fds=yes",
            "--suppressions=" + os.path.join(FOLDER, "valgrind.supp")]
# It says so once for each call of bpf() that is younger than itself, and goes by what the kernel writes then.
UNKNOWN_CALL = "WARNING: unhandled eBPF command"


def before(way: Way) -> List[str]:
    """What to put before a command that attaches this way."""
    if way.attach == "tp":
        return shell(TRACEFS)
    return shell(HIDDEN) if way.hidden else []


def send_again(lab: Lab) -> Dict[str, int]:
    """Of each kind a few; what the kernel counted, by side."""
    client, server = Counters(lab.client), Counters(lab.server)
    with connecting(lab.client, V6.dead, count=3):
        with connected(lab, V4) as (sender, _):
            lab.drop(lab.server, "meta l4proto tcp")
            sender.send(b"x" * 100000)
            client.wait("TCPSynRetrans", 3)
            client.wait("RetransSegs", 6)
            lab.heal(lab.server)
        lab.drop(lab.client, "tcp flags & (syn|ack) == (syn|ack)")
        with listener(lab, V4) as door, connecting(lab.client, V4.server, door.getsockname()[1]):
            server.wait("RetransSegs", 1)
        lab.heal(lab.client)
    return {"client": client.gained()["RetransSegs"], "server": server.gained()["RetransSegs"]}


def check(way: Way, told: Dict[str, Any], kernel: Dict[str, int]) -> None:
    """It saw what it was made to see."""
    assert told["syn"] >= 3 and told["synack"] >= 1 and told["called"] >= 3, told
    assert told["events"] >= 5 and told["lines"] >= told["events"], told
    assert told["counted"] > 0, told
    if way.attach != "tp":
        assert told["rto"] >= 1 and told["segs"] <= sum(kernel.values()), (told, kernel)
        assert told["unexplained"] == 0, (told, kernel)


def exercised(lab: Lab, kind: str, ways: List[Way], folder: Any, argv: List[str], **environment: str) -> None:
    """The whole API by each of these ways at once, over one and the same traffic."""
    btf = copy_of_btf(str(folder))
    with ExitStack() as stack:
        running = [stack.enter_context(Exercise(
            before(way) + argv + [program(kind)], lab, "whole", way, len(ways) - number, btf if way.hidden else "-",
            **environment))
            for number, way in enumerate(ways)]
        for one in running:
            assert one.line(300) == "open"
        kernel = send_again(lab)
        for way, one in zip(ways, running):
            check(way, one.finish(), kernel)


def test_addresses_and_undefined_behaviour(lab: Lab, tmp_path: Any) -> None:
    build("build/memory/address/exercise")
    exercised(lab, "address", ALL, tmp_path, [], **ADDRESS)
    tried.count("memory", "AddressSanitizer and UndefinedBehaviorSanitizer, a way of attaching",
                "no error, no leak, every segment accounted for", len(ALL))


def refused_and_given_up(kind: str, argv: List[str], lab: Lab, **environment: str) -> None:
    """What no caller should do, from step to step of `STEP` descriptors that are left; and a tracer that goes on
    without rights."""
    with Exercise(argv + [program(kind)], lab, "wrong", RING, STEP, **environment) as wrong, \
            Exercise(argv + [program(kind)], lab, "rights", Way("raw_tp", "perf"), **environment) as rights:
        assert rights.line(300) == "open"
        rights.finish()
        wrong.finish(600)
        sentences = wrong.out.text[:-1]
        assert len(sentences) > 30 and all(len(one) < 400 for one in sentences)


def test_wrong_calls(lab: Lab) -> None:
    build("build/memory/address/exercise")
    refused_and_given_up("address", [], lab, **ADDRESS)
    tried.count("memory", "wrong options, sizes, pointers, and no descriptors left, under AddressSanitizer",
                "refused with a sentence, nothing left")


def test_valgrind(lab: Lab, tmp_path: Any) -> None:
    build("build/memory/plain/exercise")
    exercised(lab, "plain", VALGRIND_WAYS, tmp_path, VALGRIND + ["--log-file={}/valgrind-%p.log".format(tmp_path)])
    logs = [path.read_text() for path in tmp_path.glob("valgrind-*.log")]
    assert len(logs) == len(VALGRIND_WAYS)
    for log in logs:
        lines = [line.partition(" ")[2].strip() for line in log.splitlines() if UNKNOWN_CALL not in line]
        assert lines.count("<inherited from parent>") == sum("Open file descriptor" in line for line in lines), log
    tried.count("memory", "valgrind, a way of attaching", "no error, no leak, every segment accounted for",
                len(VALGRIND_WAYS))


def test_ten_tracers_in_ten_threads(lab: Lab) -> None:
    """They are opened at once, handed to other threads and back, asked and changed there, and stopped."""
    build("build/memory/thread/exercise")
    with Exercise([program("thread")], lab, "threads", RING,
                  TSAN_OPTIONS="suppressions=" + os.path.join(FOLDER, "tsan.supp")) as process:
        assert process.line(300) == "open"
        send_again(lab)
        told = process.finish()
    assert told["tracers"] == 10 and told["fewest"] >= 1 and told["meddled"] >= 10, told
    tried.count("memory", "ThreadSanitizer, ten tracers in ten threads, others asking, changing and stopping them",
                "no data race")
