"""Our C and bad input: what was found once stays found, and a while of random input finds no more.

Each target is a file native/*.c, built with libFuzzer, AddressSanitizer and UndefinedBehaviorSanitizer by
`make -C native fuzz-targets`, with its corpus in corpus/. An input that went wrong goes in there as a file.
"""
import glob
import json
import math
import os
import random
import re
import shutil
import struct
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Dict, Iterator, List, Tuple

import pytest
from lab import tried
from lab.ways import KERNEL_BTF
from retrans_ctypes.clock import WallClock
from retrans_ctypes.event import Event
from retrans_ctypes.ndjson import NdjsonWriter, PlainNdjsonWriter

HERE = os.path.dirname(os.path.abspath(__file__))
NATIVE = os.path.join(os.path.dirname(os.path.dirname(HERE)), "native")
BUILT = os.path.join(NATIVE, "build", "fuzz")
CORPUS = os.path.join(HERE, "corpus")

NO_CRASH = "no crash, no leak"
TARGETS = {
    "ndjson": ("NDJSON writer: random events and names", "no crash, every line parses"),
    "btf": ("BTF file: random types, ELF files and bytes", "no crash; read, or refused in one sentence"),
    "btf_core": ("BTF file: programs fitted to damaged types", NO_CRASH),
    "conditions": ("filters of a C caller: random structs and lists", "no crash; set, or refused in one sentence"),
    "buffers": ("records of a mismatched BPF object", "no crash; each handed out once, or refused"),
    "kernel_text": ("text of /proc, tracefs and the verifier", NO_CRASH),
}
LARGEST = 16384
DAMAGED = 500 if tried.AT_LENGTH else 20
INHERITED = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")  # of a make that started these tests


def corpus(name: str) -> List[str]:
    return sorted(glob.glob(os.path.join(CORPUS, name, "*")))


def read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


@pytest.fixture(scope="module")
def built() -> None:
    environment = {name: value for name, value in os.environ.items() if name not in INHERITED}
    subprocess.run(["make", "-sC", NATIVE, "fuzz-targets", "PYTHON=" + sys.executable], check=True, env=environment,
                   stdin=subprocess.DEVNULL)


def run(name: str, folder: str, *arguments: str) -> Tuple[str, float]:
    """What a target said, and its CPU seconds. Fails with the input that went wrong."""
    command = [*tried.OF_ITS_OWN, os.path.join(BUILT, name), "-artifact_prefix=%s/wrong-" % folder, "-timeout=30", "-rss_limit_mb=2000",
               "-max_len=%d" % LARGEST, "-print_final_stats=1", *arguments]
    with open(os.path.join(folder, "said"), "w+", errors="replace") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = status  # it has been waited for
        output.seek(0)
        said = output.read()
    if status:
        wrong = ["%s: %s" % (os.path.basename(path), read(path).hex()) for path in glob.glob(folder + "/wrong-*")]
        pytest.fail("\n".join([said[-6000:], "status %d of %s" % (status, " ".join(command)), *wrong]), pytrace=False)
    return said, usage.ru_utime + usage.ru_stime


def fuzz(name: str, folder: str) -> int:
    """How many inputs were tried in the CPU time that there is for each."""
    work = os.path.join(folder, "work")
    shutil.copytree(os.path.join(CORPUS, name), work)
    spent, executions = 0.0, 0
    while spent < tried.FUZZ_SECONDS:
        said, took = run(name, folder, "-max_total_time=%d" % math.ceil(tried.FUZZ_SECONDS - spent), work)
        counted = re.search(r"^stat::number_of_executed_units: (\d+)$", said, re.M)
        assert counted, said
        spent += took
        executions += int(counted.group(1))
    return executions


@pytest.fixture(scope="module")
def fuzzed(built: None, tmp_path_factory: Any) -> Iterator[Dict[str, "Future[int]"]]:
    """All of them at once, as far as there are CPUs."""
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        yield {name: pool.submit(fuzz, name, str(tmp_path_factory.mktemp(name))) for name in TARGETS}


@pytest.mark.full
@pytest.mark.parametrize("name", TARGETS)
def test_what_was_found_stays_found(built: None, name: str, tmp_path: Any) -> None:
    kept = corpus(name)
    said, _ = run(name, str(tmp_path), *kept)
    assert len(kept) > 5 and said.count("\nExecuted ") == len(kept)
    tried.count("bad input", "inputs kept from fuzzing C", NO_CRASH, len(kept))


@pytest.mark.fuzz
@pytest.mark.full
@pytest.mark.parametrize("name", TARGETS)
def test_random_input(fuzzed: Dict[str, "Future[int]"], name: str) -> None:
    executions = fuzzed[name].result()
    assert executions > len(corpus(name))
    tried.count("bad input", *TARGETS[name], times=executions)


def damage(content: bytes, chance: random.Random) -> bytes:
    """Some words of it changed, in the header or anywhere; sometimes cut off."""
    damaged = bytearray(content)
    for _ in range(chance.choice((1, 3, 100, 10000))):
        at = chance.choice((chance.randrange(24), chance.randrange(4096), chance.randrange(len(damaged)))) & ~3
        struct.pack_into("<I", damaged, at, chance.choice((
            0, 1, 0xffffffff, chance.getrandbits(32), chance.getrandbits(17), at)))
    if not chance.randrange(4):
        del damaged[chance.randrange(len(damaged)):]
    return bytes(damaged)


@pytest.mark.fuzz
@pytest.mark.full
@pytest.mark.parametrize("name", ["btf", "btf_core"])
def test_the_kernels_own_types_damaged(built: None, name: str, tmp_path: Any) -> None:
    """It is too large for a fuzzer to get anywhere."""
    whole, seed = read(KERNEL_BTF), random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    path = tmp_path / "damaged"
    for _ in range(DAMAGED // 5):
        paths = []
        for number in range(5):
            path = tmp_path / ("damaged-%d" % number)
            path.write_bytes(damage(whole, chance))
            paths.append(str(path))
        run(name, str(tmp_path), *paths)
    tried.count("bad input", "BTF file: the kernel's own, damaged", NO_CRASH, DAMAGED)


class At(WallClock):
    """A clock that is so far ahead of CLOCK_MONOTONIC."""

    def __init__(self, offset_ns: int) -> None:
        super().__init__()
        self.offset_ns = offset_ns


def job(content: bytes) -> Tuple[bool, int, Dict[str, str], List[bytes]]:
    """An input of native/ndjson.c: whether failed attempts count, clock, names, events."""
    without, _, offset_ns, length = struct.unpack("<BHqB", content[:12].ljust(12, b"\0"))
    name, packed = content[12:12 + length], content[12 + length:]
    size = Event.LAYOUT.size
    events = [packed[at:at + size].ljust(size, b"\0") for at in range(0, len(packed), size)][:16]
    text = name.split(b"\0")[0].decode("utf-8", "backslashreplace")
    return not without & 1, offset_ns, {"cmdline": text} if name else {}, events


@pytest.mark.parametrize("path", corpus("ndjson"), ids=os.path.basename)
def test_lines_round_trip(path: str) -> None:
    """What C writes is what Python's json module writes, and gives the values of the event again."""
    failed, offset_ns, names, events = job(read(path))
    made = [event for event in map(Event, events) if failed or not event.err]
    lines = b"".join(map(bytes, NdjsonWriter(failed=failed).lines(b"".join(events), offset_ns, names))).splitlines()
    plain = b"".join(map(bytes, PlainNdjsonWriter(failed=failed).lines(b"".join(events), offset_ns, names)))
    assert lines == plain.splitlines() and len(lines) == len(made)
    for line, event in zip(lines, made):
        told = dict(event.to_dict(), type="event", time=At(offset_ns).iso(event.ts_ns), **names)
        assert json.loads(line.decode("ascii")) == told
    tried.count("bad input", "NDJSON lines of kept inputs, read again", "the same values", max(len(lines), 1))


def test_the_corpora_are_small() -> None:
    sizes = [os.path.getsize(path) for name in TARGETS for path in corpus(name)]
    assert len(sizes) < 200 and sum(sizes) < 300 << 10
    assert sorted(TARGETS) == sorted(
        os.path.basename(path)[:-2] for path in glob.glob(os.path.join(HERE, "native", "*.c")))
