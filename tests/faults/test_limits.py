"""Too little of something: memory, by a cgroup's limit and by the process's own, descriptors, and bytes of a file."""
import os
import resource
import signal
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Dict, List, NamedTuple

import pytest
from ends import OUTPUT, check_complete, check_said, commands_of, path_in, recorded
from lab import cgroups, commands, tried
from lab.link import Lab
from lab.traffic import connecting_again

AT_ONCE = 4
MB = 1 << 20
KILLED = -signal.SIGKILL
FAILED, NO_LIBRARY = 1, 5
COMMANDS = ["trace", "count", "record.db", "record.ndjson"]
IMPORTED = """
import retrans_ctypes.cli.trace, retrans_ctypes.cli.count, retrans_ctypes.cli.record, sqlite3
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmPeak")))
"""


class Trial(NamedTuple):
    """A command that has too little of something, by what stands before it or by its options."""

    command: str
    before: List[str] = []
    options: Dict[str, Any] = {}


def limited(command: str, kind: int, most: int) -> Trial:
    return Trial(command, options={"preexec_fn": lambda: resource.setrlimit(kind, (most, most))})


def end_of(trial: Trial, lab: Lab, folder: str) -> int:
    """The exit code, where all that was said and left is right."""
    os.mkdir(folder)
    path = path_in(folder, trial.command)
    argv = commands.module(*commands_of(path, "")[trial.command])
    argv += ["--duration", "0.7", "--netns", str(lab.client.inode)]
    code, out, err = commands.run(trial.before + argv, 60, **trial.options)
    if code == KILLED:
        recorded(path)
    else:
        check_said(code, err)
        check_complete(trial.command, code, out, err, path)
    return code


def ends_of(trials: List[Trial], lab: Lab, folder: Any) -> "Counter[int]":
    """How many ended with which code."""
    with connecting_again(lab), ThreadPoolExecutor(AT_ONCE) as pool:
        return Counter(pool.map(lambda number: end_of(trials[number], lab, str(folder / str(number))),
                                range(len(trials))))


def steps(least: int, most: int, few: int, many: int) -> range:
    """So many from the least to the most, few in a CI run."""
    return range(least, most, max(1, (most - least) // (many if tried.AT_LENGTH else few)))


@pytest.mark.reliability
def test_memory_of_the_cgroup(lab: Lab, tmp_path: Any) -> None:
    """The kernel kills it, or refuses what it asks for."""
    trials = []
    with cgroups.memory("retrans-test") as make:
        for command in COMMANDS:
            for most in steps(1 * MB, 33 * MB, 4, 64):
                trials.append(Trial(command, cgroups.in_cgroup(make(most), [])))
            trials.append(Trial(command, cgroups.in_cgroup(make(256 * MB), [])))
        codes = ends_of(trials, lab, tmp_path)
    assert codes[KILLED] + codes[FAILED] and codes[0] >= len(COMMANDS) and set(codes) <= {KILLED, FAILED, 0}, codes
    tried.count("faults", "memory ends, by the limit of a cgroup",
                "killed, or says so and ends, or goes on; nothing left, recordings are sound", len(trials))


@pytest.mark.reliability
def test_memory_of_the_process(lab: Lab, tmp_path: Any) -> None:
    """From what Python takes to import the commands on."""
    least = int(subprocess.check_output([sys.executable, "-c", IMPORTED])) << 10
    trials = [limited(command, resource.RLIMIT_AS, most) for command in COMMANDS
              for most in steps(least, least + 60 * MB, 5, 120)]
    trials += [limited(command, resource.RLIMIT_AS, 4096 * MB) for command in COMMANDS]
    codes = ends_of(trials, lab, tmp_path)
    assert codes[FAILED] and codes[0] and set(codes) <= {FAILED, NO_LIBRARY, OUTPUT, 0}, codes
    tried.count("faults", "memory ends, by the limit of the process", "says so and ends, or goes on", len(trials))


@pytest.mark.reliability
def test_descriptors(lab: Lab, tmp_path: Any) -> None:
    trials = [limited(command, resource.RLIMIT_NOFILE, most) for command in COMMANDS for most in steps(8, 72, 6, 64)]
    trials += [limited(command, resource.RLIMIT_NOFILE, 1024) for command in COMMANDS]
    codes = ends_of(trials, lab, tmp_path)
    assert codes[FAILED] and codes[0] and set(codes) <= {FAILED, NO_LIBRARY, OUTPUT, 0}, codes
    tried.count("faults", "descriptors end, by the limit of the process", "says so and ends, or goes on", len(trials))


@pytest.mark.reliability
def test_bytes_of_a_file(lab: Lab, tmp_path: Any) -> None:
    trials = [limited(command, resource.RLIMIT_FSIZE, most) for command in ("record.db", "record.ndjson")
              for most in steps(0, 100000, 5, 100)]
    trials += [limited(command, resource.RLIMIT_FSIZE, 64 * MB) for command in ("record.db", "record.ndjson")]
    codes = ends_of(trials, lab, tmp_path)
    assert codes[OUTPUT] and codes[0] and set(codes) <= {OUTPUT, 0}, codes
    tried.count("faults", "a recording may not grow, by the limit of the process (ulimit -f)",
                "says so and ends; what was written stays sound", len(trials))
