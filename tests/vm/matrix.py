"""All trials on several kernels, two at a time.

    PYTHONPATH=tests:src python3 -m vm.matrix [KERNEL...]

KERNEL is a series such as 5.10, or "newest"; none: every series that can be had. Prints the table of
docs/compatibility.md and fails where something that must hold does not. Exit status 0, 1 where
something failed, 2 where a kernel could not be had.
"""
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

from . import expected, places, table
from .archive import NotFetched
from .guest.trial import Trial
from .guest.trials import ALL
from .kernels import Choice, Kernel, order

SECONDS = 1200      # for all trials on one kernel; it takes two or three minutes
AT_ONCE = 2
RESULTS = os.path.join(places.WORK, "results")


class Result(NamedTuple):
    """What came of one kernel."""

    kernel: Kernel
    document: Dict[str, Any]
    problem: str             # why there are not all trials

    def of(self, trial: Trial) -> Optional[Dict[str, Any]]:
        """What came of one trial."""
        for document in self.document.get("trials", []):
            if all(document[name] == value for name, value in trial._asdict().items()):
                return dict(document)
        return None

    def problems(self, trial: Trial) -> List[str]:
        document = self.of(trial)
        if document is None:
            return ["not run: " + self.problem]
        return expected.problems(document, self.document["offers"])

    def all_problems(self) -> List[str]:
        return ["{}, {}: {}".format(self.kernel.name, trial.name, problem)
                for trial in ALL for problem in self.problems(trial)]


class Going:
    """The trials of one kernel, under way in a process of their own."""

    def __init__(self, kernel: Kernel, stack: ExitStack) -> None:
        self.kernel = kernel
        self.path = os.path.join(RESULTS, kernel.version + ".json")
        if os.path.exists(self.path):
            os.remove(self.path)
        log = stack.enter_context(open(os.path.join(RESULTS, kernel.version + ".log"), "w+"))
        self.log = log
        self.process = subprocess.Popen(
            [sys.executable, "-m", "vm", "--timeout", str(SECONDS), "--writable", RESULTS, kernel.version, "--",
             sys.executable, "-m", "vm.guest.trials", self.path],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=places.REPOSITORY,
            env=dict(os.environ, PYTHONPATH=os.pathsep.join(places.PYTHON_PATH), PYTHONDONTWRITEBYTECODE="1"))
        stack.callback(self.end)

    def end(self) -> None:
        """SIGTERM, and it cleans up."""
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait()

    def result(self) -> Result:
        problem = ""
        if self.process.returncode != 0:
            self.log.seek(0)
            problem = "exit status {}; {}".format(self.process.returncode, self.log.read().strip())
        document: Dict[str, Any] = {}
        if os.path.exists(self.path):
            with open(self.path) as file:
                document = json.load(file)
        return Result(self.kernel, document, problem)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def choose(wanted: Sequence[str]) -> List[Kernel]:
    """Oldest first, each once. Raises NotFetched."""
    choice = Choice()
    if choice.problem:
        say("vm: {}; only cached kernels are used".format(choice.problem))
    found = {kernel.version: kernel for kernel in map(choice.get, wanted or choice.series())}
    if not found:
        raise NotFetched(choice.problem or "there are no kernels")
    return [found[version] for version in sorted(found, key=order)]


def run(kernels: Sequence[Kernel]) -> List[Result]:
    """In the order of `kernels`."""
    os.makedirs(RESULTS, exist_ok=True)
    waiting, results = list(kernels), {}
    with ExitStack() as stack:
        going: List[Going] = []
        while waiting or going:
            while waiting and len(going) < AT_ONCE:
                going.append(Going(waiting.pop(0), stack))
                say("vm: {} ...".format(going[-1].kernel.version))
            for done in [one for one in going if one.process.poll() is not None]:
                going.remove(done)
                results[done.kernel] = done.result()
                say("vm: {}: {}".format(done.kernel.version, verdict(results[done.kernel])))
            time.sleep(0.1)
    return [results[kernel] for kernel in kernels]


def verdict(result: Result) -> str:
    failed = sum(bool(result.problems(trial)) for trial in ALL)
    return "{} of {} trials as they must be".format(len(ALL) - failed, len(ALL))


def main(wanted: List[str]) -> int:
    results = run(choose(wanted))
    print("\n".join(table.lines(results)))
    problems = [problem for result in results for problem in result.all_problems()]
    for problem in problems:
        say("vm: " + problem)
    return 1 if problems else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything is cleaned up
    try:
        sys.exit(main(sys.argv[1:]))
    except NotFetched as error:
        say("vm: {}".format(error))
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
