"""No address of the kernel in anything that is handed out, to whomever: neither as a number nor in a sentence."""
import os
import re
import struct
from contextlib import ExitStack
from typing import Any, Iterator, List

import pytest
from lab import commands, interpreters, tried
from lab.counters import Counters
from lab.kallsyms import functions
from lab.link import V4, V6, Lab
from lab.rights import NOBODY, as_user
from lab.seen import Seen
from lab.stage import copy_package, open_folder
from lab.traffic import connecting
from retrans_ctypes import Tracer
from retrans_ctypes.event import Event

LOWEST = 0xffff800000000000
"""Of the kernel's half, on x86_64 and on aarch64 with 48 bits."""
NONE = (1 << 64) - 1
NUMBER = re.compile(r"0x[0-9a-fA-F]+|\b[0-9a-fA-F]{16}\b|\b\d{19,20}\b")


def addresses(text: str) -> List[str]:
    """Numbers that lie in the kernel's half, however they are written."""
    found = []
    for word in NUMBER.findall(text):
        values = [int(word, 16)] if not word.isdigit() else [int(word), int(word, 16)]
        found += [word for value in values if LOWEST <= value < NONE]
    return found


def test_they_would_be_found() -> None:
    start = functions()[0][0]
    for text in ("sk 0x%x" % start, "%016x" % start, '{"a":%d}' % start, "ffff888012345678 T tcp"):
        assert addresses(text), text
    assert not addresses("0x7ffe12345678 18446744073709551615 1700000000000000000 deadbeef")


def numbers(packed: bytes) -> Iterator[int]:
    """Whatever 8 bytes of a field could be. No pointer fits into a smaller one."""
    for begin in range(0, len(packed), Event.LAYOUT.size):
        for field in Event.places():
            for place in range(field.offset, field.offset + field.size - 7):
                yield struct.unpack_from("=Q", packed, begin + place)[0]


@pytest.mark.parametrize("attach", ["tp_btf", "raw_tp"])
def test_in_events(lab: Lab, nothing_left_behind: None, attach: str) -> None:
    """As the kernel's programs made them; an address of IPv6 may look like anything, and is none of ours here."""
    with Tracer(attach=attach) as tracer:
        seen = Seen(tracer)
        with connecting(lab.client, V4.dead, 4501), connecting(lab.client, V6.dead, 4502):
            events = seen.until(lab.client, lambda events: len({event.dport for event in events}) == 2)
    assert len(events) >= 2
    found = [number for event in events for number in numbers(bytes(event)) if LOWEST <= number < NONE]
    assert not [hex(number) for number in found]
    tried.count("security", "event searched for kernel addresses", "none", len(events))


def test_in_all_that_is_told(lab: Lab, tmp_path: Any, nothing_left_behind: None) -> None:
    """The loudest of each command, and what is said when the kernel refuses."""
    recording = str(tmp_path / "x.db")
    texts = []
    with ExitStack() as stack:
        children = [stack.enter_context(commands.Child(commands.module(*argv))) for argv in (
            ["-v", "--json"], ["record", "-v", "-o", recording])]
        for child in children:
            child.wait_for(lambda: any("etrans" in line for line in child.err.text), "start", 60)
        children[0].wait_tracing(60)
        counters = Counters(lab.client)
        with connecting(lab.client, V4.dead, 4503):
            counters.wait("TCPSynRetrans", 1)
            children[0].wait_line('"dport":4503', seconds=60)
        for child in children:
            child.interrupt()
            code, out, err = child.end(60)
            assert code == 0
            texts += out + err
    for arguments in (["doctor"], ["doctor", "--json"], ["-v", "--duration", "0.1"], ["-v", "--attach", "kprobe", "--duration", "0.1"],
                      ["-v", "--btf", "/dev/null", "--duration", "0.1"], ["replay", "--json", recording],
                      ["report", recording, "--format", "md", "-o", "-"], ["count", "-v", "--duration", "0.1"]):
        _, out, err = commands.run(commands.module(*arguments), 120)
        assert out or err
        texts += out + err
    found = [line for line in texts if addresses(line)]
    assert not found
    tried.count("security", "line of output searched for kernel addresses", "none", len(texts))


def test_what_the_unprivileged_are_told(kernel_rights: None) -> None:
    """Who may not trace learns no more from the refusals, nor from doctor."""
    texts = []
    with open_folder() as folder:
        copy_package(folder)
        for arguments in (["-v"], ["doctor"], ["doctor", "--json"], ["-v", "--attach", "kprobe"]):
            _, out, err = commands.run(
                as_user(NOBODY, ()) + commands.module(*arguments, python=interpreters.anybodys()), 120, cwd=folder,
                env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"})
            texts += out + err
    assert texts and not [line for line in texts if addresses(line)]
    tried.count("security", "line of output searched for kernel addresses", "none", len(texts))
