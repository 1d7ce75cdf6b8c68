"""run() through ctypes, where a signal comes at the worst moment: between two callbacks, in C."""
import os
import subprocess
import sys
from typing import Any, Callable, List, Tuple

import pytest


def run_script(script: str, library: str) -> Tuple[int, str, str]:
    environment = dict(os.environ, RETRANS_CTYPES_LIBRARY=library)
    done = subprocess.run([sys.executable, "-c", script], env=environment, timeout=20,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
    return done.returncode, done.stdout, done.stderr


INTERRUPTED = """
import signal
from retrans_ctypes import Tracer
signal.signal(signal.SIGINT, signal.default_int_handler)
with Tracer() as tracer:
    seen = []
    try:
        tracer.run(seen.append)
        print("not interrupted")
    except KeyboardInterrupt:
        print("interrupted after", len(seen))
"""


def test_ctrl_c_between_callbacks_is_not_swallowed(stub: Callable[..., str]) -> None:
    """ctypes prints and forgets what a callback raises, and a callback may be where it comes up."""
    library = stub(STUB_SIGNAL="SIGINT", STUB_EVENTS="100000")
    code, out, err = run_script(INTERRUPTED, library)
    assert code == 0 and err == "", err
    assert out in ("interrupted after 0\n", "interrupted after 1\n")


HANDLED = """
import signal
from retrans_ctypes import Tracer
handled = []
signal.signal(signal.SIGUSR1, lambda number, frame: handled.append(number))
with Tracer() as tracer:
    seen = []
    tracer.run(seen.append)
    print(len(seen), len(handled) > 0)
"""


def test_other_signals_are_handled_and_it_goes_on(stub: Callable[..., str]) -> None:
    code, out, err = run_script(HANDLED, stub(STUB_SIGNAL="SIGUSR1", STUB_EVENTS="50", STUB_EINTR="3"))
    assert (code, out) == (0, "50 True\n"), err
    assert err == ""


def test_closed_before_the_first_callback(stub: Callable[..., str], use_library: Callable[[str], None]) -> None:
    from retrans_ctypes import Tracer

    use_library(stub())
    with Tracer() as tracer:
        assert tracer._native is not None
        tracer._native.closing = True  # as close() in another thread does it
        calls: List[Any] = []
        tracer._native.run(calls.append)
        assert not calls
        tracer._native.closing = False


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, SystemExit])
def test_exceptions_end_run_and_come_out(stub: Callable[..., str], use_library: Callable[[str], None],
                                         kind: Any) -> None:
    from retrans_ctypes import Tracer

    use_library(stub())
    thrown, calls = kind("thrown"), []

    def callback(event: Any) -> None:
        calls.append(event.ts_ns)
        raise thrown

    with Tracer() as tracer:
        with pytest.raises(kind) as caught:
            tracer.run(callback)
        assert caught.value is thrown and calls == [1000]
        assert [event.ts_ns for event in tracer.poll()] == [1001, 1002]


def test_events_cross_the_callback_unharmed(stub: Callable[..., str],
                                            use_library: Callable[[str], None]) -> None:
    from retrans_ctypes import Tracer

    use_library(stub(STUB_EINTR="2"))
    seen: Any = []
    with Tracer() as tracer:
        tracer.run(seen.append)
    assert [event.ts_ns for event in seen] == [1000, 1001, 1002]
    assert {(event.remote, event.state, event.uid) for event in seen} == {("10.0.0.2:80", "SYN_RECV", None)}


def test_a_second_signal_insists_unless_it_comes_with_the_first(monkeypatch: Any) -> None:
    """`timeout` sends each twice at once."""
    from types import SimpleNamespace

    from retrans_ctypes.cli import signals
    now, asked = [100.0], []
    monkeypatch.setattr(signals, "time", SimpleNamespace(monotonic=lambda: now[0]))
    stop = signals.StopSignals()
    stop.stop_with(lambda: asked.append(1))
    for _ in range(2):
        stop._on_signal(15, None)
    assert asked == [1]
    now[0] += 1
    with pytest.raises(KeyboardInterrupt):
        stop._on_signal(15, None)
