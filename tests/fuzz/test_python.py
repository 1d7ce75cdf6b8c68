"""The Python package and bad input: what was found once stays found, and a while of random input finds no more.

Each target is a file target_*.py, with its corpus in corpus/. An input that went wrong goes in there as a file.
"""
import glob
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Iterator, List

import pytest
from lab import tried

HERE = os.path.dirname(os.path.abspath(__file__))
CORPUS = os.path.join(HERE, "corpus")

REFUSED = "read, or refused in one sentence"
SHOWN = "shown as it is, and does no harm"
TARGETS = {
    "recording_sqlite": ("recordings: damaged SQLite", REFUSED),
    "recording_ndjson": ("recordings: damaged NDJSON", REFUSED),
    "recording_values": ("recordings: hostile rows, names and tables", REFUSED),
    "filters": ("filter expressions", "the same filter when read again, or refused in one sentence"),
    "names": ("cgroup paths, /proc, pods and users of a hostile host", SHOWN),
    "events": ("event bytes of a hostile library", SHOWN),
    "books": ("ledgers and counts of a hostile file", REFUSED),
}
COMMAND_LINES = "command lines", "a code of docs/exit-codes.md and one sentence"
ENVIRONMENT = dict(os.environ, PYTHONHASHSEED="0", TZ="UTC", LC_ALL="C.UTF-8")


def corpus(name: str) -> List[str]:
    return sorted(glob.glob(os.path.join(CORPUS, name, "*")))


@pytest.mark.parametrize("name", TARGETS)
def test_what_was_found_stays_found(name: str) -> None:
    """The seeds and each file of the corpus, in every way that the target has."""
    ran = subprocess.run([sys.executable, os.path.join(HERE, "replaying.py"), "target_" + name, *corpus(name)],
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=ENVIRONMENT)
    said = ran.stdout.decode(errors="replace")
    assert ran.returncode == 0, said[-6000:]
    assert len(corpus(name)) > 5
    tried.count("bad input", "inputs kept from fuzzing Python", "no crash", int(said.splitlines()[-1]))


def test_the_corpora_are_small() -> None:
    sizes = [os.path.getsize(path) for name in TARGETS for path in corpus(name)]
    assert len(sizes) < 300 and sum(sizes) < 300 << 10
    assert set(TARGETS) <= set(os.listdir(CORPUS))


def fuzz(folder: str, name: str) -> Any:
    """Run a fuzzer; what it did. Fails with what it said, and the input that went wrong."""
    done = os.path.join(folder, "done.json")
    command = (_command_line if name == "command_line" else _target)(folder, name)
    ran = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         env=dict(ENVIRONMENT, HYPOTHESIS_STORAGE_DIRECTORY=folder), timeout=300 + 30 * tried.FUZZ_SECONDS)
    if ran.returncode or not os.path.exists(done):
        said = ran.stdout.decode(errors="replace")
        wrong = ["%s: %s" % (os.path.basename(path), _hex(path)) for path in glob.glob(os.path.join(folder, "*-*"))]
        return "\n".join([said[-6000:], "exit code %d of %s" % (ran.returncode, " ".join(command)), *wrong])
    with open(done) as file:
        return json.load(file)


def _hex(path: str) -> str:
    with open(path, "rb") as file:
        return file.read(16384).hex()


def _target(folder: str, name: str) -> List[str]:
    return [*tried.OF_ITS_OWN, sys.executable, "-X", "dev", os.path.join(HERE, "fuzzing.py"), "target_" + name,
            str(tried.FUZZ_SECONDS), folder, os.path.join(CORPUS, name)]


def _command_line(folder: str, name: str) -> List[str]:
    """As root without any rights, or whoever runs the tests."""
    library = os.path.join(folder, "libtcpretrans.so")
    subprocess.run(["gcc", "-shared", "-fPIC", "-I", os.path.join(HERE, "../../native"), "-DSTUB_OPEN_ERROR=EPERM", "-o", library,
                    os.path.join(HERE, "../unit/stub_library.c")], check=True)
    without = [] if os.geteuid() else ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all", "--"]
    return without + [sys.executable, "-X", "dev", os.path.join(HERE, "command_line.py"), str(tried.FUZZ_SECONDS), folder, library]


@pytest.fixture(scope="module")
def fuzzed(request: Any, tmp_path_factory: Any) -> Iterator[Any]:
    """By name what each fuzzer did that is asked for; as many run at once as there are CPUs."""
    names = [item.callspec.params["name"] for item in request.session.items
             if item.path == request.path and item.originalname == "test_random_input"]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        yield {name: pool.submit(fuzz, str(tmp_path_factory.mktemp(name)), name) for name in names}


@pytest.mark.fuzz
@pytest.mark.full
@pytest.mark.parametrize("name", [*TARGETS, "command_line"])
def test_random_input(name: str, fuzzed: Any) -> None:
    found = fuzzed[name].result()
    if isinstance(found, str):
        pytest.fail(found, pytrace=False)
    assert found["executions"] > tried.FUZZ_SECONDS
    tried.count("bad input", *(TARGETS[name] if name in TARGETS else COMMAND_LINES), times=found["executions"])
