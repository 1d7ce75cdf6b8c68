"""Command lines from the options that the commands have, under hypothesis, without any rights:
python -X dev tests/fuzz/command_line.py SECONDS FOLDER

Each option has values that are right, wrong and odd. Whatever they are, the command ends with a code of
docs/exit-codes.md, and says why in one sentence.
"""
import importlib
import os
import random
import resource
import signal
import sys
import warnings
from typing import Any, Dict, List

from where import prepare

prepare()

import judging  # noqa: E402  (needs the paths above)
from fuzzing import MOST_MEGABYTES, SHORT, Judged  # noqa: E402
from hypothesis import HealthCheck, given, seed, settings, strategies  # noqa: E402
from recordings import seed_database, seed_lines  # noqa: E402
from retrans_ctypes.cli.commands import COMMANDS  # noqa: E402
from retrans_ctypes.cli.exits import DOCTOR_EXIT_CODES, EXIT_CODES  # noqa: E402

_KEPT = ("good.db", "good.ndjson")
FILES = _KEPT + ("bad.db", "bad.ndjson", "new.db", "new.ndjson", "new.html", "folder", "missing/file", "-", "/dev/null", "/dev/full",
                 "", "a\nb", "\x1b[2J", "\udcff")
VALUES = ("1", "0", "-1", "10", "80,443", "8000-8099", "10.0.0.0/8", "::1", "1e300", "nan", "inf", "", " ", "none", "help",
          "time,comm", "14:30", "2026-01-31 14:30", "99:99", "1969-12-31", "9999-12-31T23:59:59Z", "0001-01-01",
          "1h", "7d", "0s", "100M", "1K", "9" * 30, "9" * 4400,
          "127.0.0.1:0", "[::1]:1", ":", "root", "nobody", "0:0", "host", "/", "*", "[", "@good.db", "@/dev/zero", "@", "@\udcff",
          "rto", "ESTABLISHED", "\x1b[31m", "a\nb", "\udcff", "\u202e", "%s", "--", "-", "--json", "\u0661", "1_0", "1" + "0" * 400)
_SLOW = {"speed": ("10", "1e9x", "0", "x", "nan"),  # at less it would take its time
         "user": ("nobody", "no-such-user", "0:0", "-1", "")}
# 1 is for what nobody foresaw, and nobody presses Ctrl-C here.
_CODES = sorted(set(EXIT_CODES) - {1, 130})
_DOCTOR_CODES = sorted(set(DOCTOR_EXIT_CODES) - {70, 130})


def _parser(command: str) -> Any:
    return importlib.import_module("retrans_ctypes.cli." + command).parser()


def _option(action: Any) -> Any:
    """What may stand on the command line for it."""
    values = strategies.sampled_from(_SLOW.get(action.dest, VALUES + FILES))
    if action.choices:
        values = strategies.sampled_from(list(action.choices)) | values
    if action.metavar == "FILE":
        values = strategies.sampled_from(FILES) | values
    if action.dest not in _SLOW:
        values = values | strategies.text(max_size=12).filter(lambda text: "\0" not in text)
    if not action.option_strings:
        return strategies.lists(values, min_size=1, max_size=2)
    flag = strategies.sampled_from(action.option_strings).map(lambda text: [text])
    if action.nargs == 0:
        return flag
    apart = strategies.tuples(flag, values).map(lambda pair: pair[0] + [pair[1]])
    joined = strategies.tuples(flag, values).map(lambda pair: ["%s=%s" % (pair[0][0], pair[1])])
    return apart | joined | (flag if action.nargs == "?" else apart)


def _command(name: str) -> Any:
    options = strategies.lists(strategies.one_of([_option(action) for action in _parser(name)._actions]), max_size=5)
    return options.map(lambda parts: [name] + [word for part in parts for word in part])


LINES = strategies.one_of([_command(name) for name in COMMANDS] + [
    strategies.lists(strategies.sampled_from(VALUES + tuple(COMMANDS) + ("help", "tarce", "--version")), max_size=3)])


class Shell:
    """A folder with recordings, in which commands are run. No library is there, or one that refuses."""

    def __init__(self, libraries: List[str]) -> None:
        self._libraries = libraries
        self._made: Dict[str, bytes] = {
            "good.db": seed_database("good.db"), "good.ndjson": seed_lines(), "bad.db": b"SQLite format 3\0" + b"x" * 600,
            "bad.ndjson": b'{"type":"event",\n' * 3}
        os.mkdir("folder")

    def __call__(self, words: List[str]) -> None:
        for name, content in self._made.items():
            with open(name, "wb") as file:
                file.write(content)
        for number, library in enumerate(self._libraries):
            os.environ["RETRANS_CTYPES_LIBRARY"] = library
            self._run(words)
            if number == 0 and words[:1] in (["replay"], ["report"]):
                break  # they ask for no library

    def _run(self, words: List[str]) -> None:
        signal.alarm(20)  # ends what waits for ever
        ran = judging.run(*words)
        signal.alarm(0)
        if words[:1] == ["doctor"] or words[:2] == ["help", "doctor"]:
            assert ran.code in _DOCTOR_CODES, ran
            judging.harmless(ran.err)
        else:
            judging.judge(ran, _CODES)
        judging.harmless(ran.out.decode(errors="replace"), colours="always" in "".join(words))
        if words[:1] == ["report"]:
            assert all(_read(name) == self._made[name] for name in _KEPT), ran


def _read(name: str) -> bytes:
    with open(name, "rb") as file:
        return file.read()


def main(seconds: str, folder: str, *libraries: str) -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (MOST_MEGABYTES << 20,) * 2)
    warnings.simplefilter("error", ResourceWarning)
    os.makedirs(os.path.join(folder, "here"))
    os.chdir(os.path.join(folder, "here"))
    shell = Shell(["/missing/libtcpretrans.so", *libraries])
    shell(["report", "good.db", "-o", "-"])  # which imports what takes a second
    judged = Judged(shell, float(seconds), folder)

    @settings(max_examples=1000, database=None, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
    @given(LINES)
    def run(words: List[str]) -> None:
        judged(words)

    number = 0 if float(seconds) < SHORT else random.getrandbits(64)
    while True:  # until the time is over
        seed(number)(run)()
        number += 1


if __name__ == "__main__":
    main(*sys.argv[1:])
