"""Child processes of the tests: `python -m retrans_ctypes` and small scripts, with their output."""
import os
import signal
import subprocess
import sys
import threading
import time
from types import TracebackType
from typing import IO, Any, Callable, Dict, List, Optional, Tuple, Type

from .skipped import since_test_began

BANNER = "Tracing"


def module(*arguments: str, python: str = sys.executable) -> List[str]:
    return [python, "-m", "retrans_ctypes"] + list(arguments)


class Stream:
    """A pipe that a thread empties, so that a test can wait for a line with a deadline."""

    def __init__(self, source: Optional[IO[bytes]]) -> None:
        assert source is not None
        self.source = source
        self.lines: List[Tuple[float, str]] = []
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self) -> None:
        for raw in iter(self.source.readline, b""):
            self.lines.append((time.monotonic(), raw.decode("utf-8", "replace").rstrip("\n")))

    @property
    def text(self) -> List[str]:
        return [line for _, line in list(self.lines)]


class Child:
    """A running command; leaving the `with` block ends it, whatever state it is in."""

    def __init__(self, argv: List[str], **options: Any) -> None:
        self.started = time.monotonic()
        options.setdefault("stdin", subprocess.DEVNULL)
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
        self.out = Stream(self.process.stdout)
        self.err = Stream(self.process.stderr)

    def wait_for(self, enough: Callable[[], bool], what: str, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not enough():
            if time.monotonic() > deadline or self.process.poll() is not None and not self._late(enough):
                raise AssertionError("no {} within {} s (exit code {}); stdout {!r}, stderr {!r}".format(
                    what, seconds, self.process.poll(), self.out.text, self.err.text))
            time.sleep(0.01)

    def _late(self, enough: Callable[[], bool]) -> bool:
        """The process has ended; its last lines may still be on their way through the threads."""
        self.out.thread.join(2)
        self.err.thread.join(2)
        return enough()

    def wait_tracing(self, seconds: float = 20.0) -> None:
        """Wait for the banner, wherever it is printed."""
        self.wait_for(lambda: any(BANNER in line for line in self.out.text + self.err.text),
                      "banner", seconds)

    def wait_line(self, *words: str, seconds: float = 10.0) -> str:
        """Wait for a line on stdout that holds all `words`."""
        def found() -> List[str]:
            return [line for line in self.out.text if all(word in line for word in words)]
        self.wait_for(lambda: bool(found()), "line with {}".format(words), seconds)
        return found()[0]

    def interrupt(self, number: int = signal.SIGINT) -> None:
        self.process.send_signal(number)

    def end(self, seconds: float = 15.0) -> Tuple[int, List[str], List[str]]:
        """Wait for the end: (exit code, lines of stdout, lines of stderr)."""
        code = self.process.wait(seconds)
        self.out.thread.join(5)
        self.err.thread.join(5)
        since_test_began.note_lines(self.err.text)
        return code, self.out.text, self.err.text

    def __enter__(self) -> "Child":
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for stream in (self.out, self.err):
            stream.source.close()


def run(argv: List[str], seconds: float = 30.0, **options: Any) -> Tuple[int, List[str], List[str]]:
    """Run a command to its end: (exit code, lines of stdout, lines of stderr)."""
    with Child(argv, **options) as child:
        return child.end(seconds)


def environment(**changes: Optional[str]) -> Dict[str, str]:
    """This process's environment with `changes`; None takes a variable away."""
    changed = dict(os.environ)
    for name, value in changes.items():
        if value is None:
            changed.pop(name, None)
        else:
            changed[name] = value
    return changed


def one_sentence(lines: List[str], *words: str) -> str:
    """Check that stderr is one clear line that holds all `words`, and return it."""
    text = "\n".join(lines)
    assert "Traceback" not in text, text
    assert len(lines) == 1, "expected one line on stderr, got:\n" + text
    for word in words:
        assert word.lower() in text.lower(), "{!r} is not in: {}".format(word, text)
    return text
