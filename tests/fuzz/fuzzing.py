"""One target under atheris: python -X dev tests/fuzz/fuzzing.py TARGET SECONDS FOLDER [CORPUS]...

Tries random input for SECONDS of CPU time, and writes into FOLDER how often (done.json), what led further (found/)
and what went wrong (crash-*, with the input; the report of it is on stderr). An input that takes more than 5 s or
1 GB is wrong too.
"""
import hashlib
import importlib
import json
import os
import pkgutil
import sys
import time
import traceback
import warnings
from typing import Any, Callable, List

import atheris
from where import prepare

MOST_SECONDS = 5.0  # of CPU time, for one input
MOST_MEGABYTES = 1024
SHORT = 60.0  # seconds; below, the random numbers are always the same: no build fails by chance


class Judged:
    """What tries one input, counted and timed."""

    def __init__(self, one_input: Callable[[Any], None], seconds: float, folder: str,
                 done: Callable[[], None] = lambda: None) -> None:
        self._one_input = one_input
        self._done = done
        self._began = time.process_time()  # what was imported by now is no trial
        self._seconds = seconds
        self._folder = folder
        self._count = 0
        self._unraisable: List[str] = []
        sys.unraisablehook = lambda raised: self._unraisable.append("%r in %r" % (raised.exc_value, raised.object))

    def __call__(self, data: Any) -> None:
        began = time.process_time()
        try:
            self._one_input(data)
        except BaseException:
            if isinstance(data, bytes):
                self._wrong(data)
            raise
        now = time.process_time()
        assert now - began < MOST_SECONDS, "it took %.1f s" % (now - began)
        assert not self._unraisable, self._unraisable
        self._count += 1
        if now - self._began >= self._seconds:
            self._end(now - self._began)

    def _wrong(self, data: bytes) -> None:
        """libFuzzer would write the input too, unless its own alarm comes first."""
        traceback.print_exc()
        with open(os.path.join(self._folder, "crash-" + hashlib.sha1(data).hexdigest()), "wb") as file:
            file.write(data)
        os._exit(77)

    def _end(self, seconds: float) -> None:
        with open(os.path.join(self._folder, "done.json"), "w") as file:
            json.dump({"executions": self._count, "seconds": seconds}, file)
        self._done()
        os._exit(0)  # libFuzzer has no other end by CPU time


def load(name: str) -> Any:
    """The target ``name``; all of the package is watched, what commands load later too."""
    with atheris.instrument_imports(include=["retrans_ctypes"]):
        import retrans_ctypes
        for module in pkgutil.walk_packages(retrans_ctypes.__path__, "retrans_ctypes."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    return importlib.import_module(name)


def main(name: str, seconds: str, folder: str, *corpora: str) -> None:
    prepare()
    warnings.simplefilter("error", ResourceWarning)
    target = load(name)
    found = os.path.join(folder, "found")
    os.makedirs(found, exist_ok=True)
    for number, seed in enumerate(target.seeds()):
        with open(os.path.join(found, "seed-%d" % number), "wb") as file:
            file.write(seed)
    words = os.path.join(folder, "words")
    with open(words, "w") as text:
        text.writelines('"%s"\n' % "".join("\\x%02x" % byte for byte in word) for word in target.WORDS)
    atheris.Setup([
        sys.argv[0], "-artifact_prefix=" + folder + "/", "-rss_limit_mb=%d" % MOST_MEGABYTES,
        "-timeout=%d" % (5 * MOST_SECONDS),  # of the wall clock: such an input never ends
        "-seed=%d" % (float(seconds) < SHORT), "-max_len=%d" % target.MOST, "-dict=" + words, "-verbosity=0",
        found] + list(corpora), Judged(target.one_input, float(seconds), folder, target.done))
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
