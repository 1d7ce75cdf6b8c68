"""Names that are not ASCII, in the locale of C and in others."""
import subprocess
from typing import Dict, Optional, Tuple

import pytest
from lab.commands import environment
from lab.interpreters import Interpreter, found

PYTHONS = found()
SHOW = r"""
import sys
from retrans_ctypes import Event
from retrans_ctypes.cli.follow import tell
from retrans_ctypes.clock import WallClock
from retrans_ctypes.sinks.columns import columns
from retrans_ctypes.sinks.output import Output
from retrans_ctypes.sinks.text import TextSink
from retrans_ctypes.workload import Workload

class Names:
    def workload(self, event):
        return Workload(["b\xfccher\u20ac" for _ in Workload.FIELDS])

packed = bytearray(Event.LAYOUT.size)
sink = TextSink(Output(), columns(["unit", "state"]), WallClock(), Names())
sink.write_all(Event.read(bytes(packed)))
tell("b\xfccher\u20ac")
"""
ESCAPED = "b\\xfccher\\u20ac"


def shown(python: str, variables: Dict[str, str]) -> Tuple[bytes, bytes]:
    changes: Dict[str, Optional[str]] = {"LC_ALL": None, "LANG": None, "LC_CTYPE": None}
    changes.update(variables)
    done = subprocess.run([python, "-c", SHOW], env=environment(**changes), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


@pytest.mark.parametrize("python", [PYTHONS[0], PYTHONS[-1]], ids=lambda python: python.name)
@pytest.mark.parametrize("variables, encoding", [
    ({"LC_ALL": "C"}, "ascii"), ({"LC_ALL": "POSIX"}, "ascii"), ({"LC_ALL": "C", "PYTHONUTF8": "1"}, "ascii"),
    ({"LC_ALL": "C.UTF-8"}, "utf-8"), ({"LANG": "C.UTF-8"}, "utf-8"),
])
def test_names_in_a_locale(python: Interpreter, variables: Dict[str, str], encoding: str) -> None:
    name = ESCAPED if encoding == "ascii" else "b\u00fccher\u20ac"
    out, err = shown(python.path, variables)
    assert out.decode(encoding).startswith("%-25s " % name)
    assert err.decode(encoding) == name + "\n"
