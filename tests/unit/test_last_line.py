"""The last line on stderr, for each command that traces and each way to end; with a stub in place of the library."""
import os
import re
import subprocess
import sys
from typing import Any, Callable, Tuple

import pytest
from lab import tried

COMMANDS = {"trace": ["trace", "--json", "-v"], "count": ["count", "--interval", "0.1"], "top": ["top", "--batch"],
            "record": ["record", "-o", "-"], "metrics": ["metrics", "--listen", "127.0.0.1:0"]}

# What brings the end about, in the process itself, and its exit code.
ENDS = {
    "--duration": ("sys.argv += ['--duration', '0.3']", 0),
    "SIGTERM": ("begun(lambda: os.kill(os.getpid(), signal.SIGTERM))", 0),
    "SIGHUP": ("begun(lambda: os.kill(os.getpid(), signal.SIGHUP))", 0),
    "Ctrl-C twice": ("begun(lambda: [os.kill(os.getpid(), signal.SIGINT), os.kill(os.getpid(), signal.SIGINT)])", None),
    "stop() by another thread": ("stopped()", 0),
    "error of the library": ("broken(RetransError('it broke'))", 1),
    "unexpected exception": ("broken(ValueError('it broke'))", 1),
    "disk full": ("os.dup2(os.open('/dev/full', os.O_WRONLY), 1)", 6),
    "reader closes": ("ends = os.pipe(); os.close(ends[0]); once(lambda tracer: os.dup2(ends[1], 1))", 141),
}
DRIVER = """
import os, signal, sys, threading
from retrans_ctypes import RetransError, Tracer
from retrans_ctypes.__main__ import main
polls = {{name: getattr(Tracer, name) for name in ("poll", "poll_batch")}}
done = []

def once(what):
    def wrap(name):
        def poll(self, *arguments):
            if not done:
                done.append(name)
                what(self)
            return polls[name](self, *arguments)
        setattr(Tracer, name, poll)
    wrap("poll")
    wrap("poll_batch")

def begun(what):
    once(lambda tracer: threading.Timer(0.3, what).start())

def stopped():
    once(lambda tracer: threading.Timer(0.3, tracer.stop).start())

def broken(error):
    def throw(tracer):
        raise error
    once(throw)

signal.signal(signal.SIGINT, signal.default_int_handler)
{}
sys.exit(main())
"""
LAST = re.compile(r"in segments: seen 12, lost 36, limited 23, unexplained \?; \d+ netns unreadable$")
# metrics writes nothing to standard output, and record's first line comes before it traces.
PAIRS = [(command, end) for end, (_, code) in ENDS.items() for command in COMMANDS
         if (command != "metrics" or code not in (6, 141)) and (command != "record" or code != 6)]


@pytest.mark.reliability
@pytest.mark.full
@pytest.mark.parametrize("command, end", PAIRS)
def test_last_line(stub: Callable[..., str], tmp_path: Any, command: str, end: str) -> None:
    does, code = ENDS[end]  # type: Tuple[str, Any]
    done = subprocess.run(
        [sys.executable, "-c", DRIVER.format(does)] + COMMANDS[command], cwd=str(tmp_path), timeout=60,
        env=dict(os.environ, RETRANS_CTYPES_LIBRARY=stub()), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE)
    lines = done.stderr.decode().splitlines()
    assert done.returncode == code or code is None and done.returncode in (0, 130), lines
    assert LAST.match(lines[-1]), lines
    if "it broke" in does:
        assert "it broke" in lines[-2] and len([line for line in lines if "it broke" in line]) == 1, lines
    tried.count("last line", "%s, %s" % (end, command), "tells seen, lost, limited, unexplained")
