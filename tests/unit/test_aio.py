"""`async for` over a tracer, with the fake library in the kernel's place."""
import asyncio
import os
import subprocess
import sys
import threading
import time
from typing import Any, List

import pytest
from fake_library import FakeLibrary, FakeNative, packed
from lab import interpreters
from places import HERE, REPOSITORY
from retrans_ctypes import ClosedError, Tracer

SOON = 4.0
FOREVER = 30.0


def numbered(*sports: int) -> Any:
    return [packed(sport=sport) for sport in sports]


async def take(tracer: Tracer, most: int) -> List[int]:
    """The ports of that many events, or of fewer where it ends before."""
    ports: List[int] = []
    async for event in tracer:
        ports.append(event.sport)
        if len(ports) == most:
            break
    return ports


def run(job: Any) -> Any:
    return asyncio.run(asyncio.wait_for(job, FOREVER))


def test_events_come_in_order_and_the_next_loop_goes_on(tracer: Tracer, native: FakeNative) -> None:
    native.push(*numbered(1, 2, 3, 4))
    assert run(take(tracer, 2)) == [1, 2]
    tracer.stop()
    assert run(take(tracer, 9)) == [3, 4]
    assert run(take(tracer, 9)) == []


def test_a_loop_without_async_goes_on_where_it_left(tracer: Tracer, native: FakeNative) -> None:
    native.push(*numbered(1, 2, 3))
    assert run(take(tracer, 1)) == [1]
    assert next(tracer).sport == 2
    assert run(take(tracer, 1)) == [3]


def test_it_wakes_for_an_event_while_other_tasks_run(tracer: Tracer, native: FakeNative) -> None:
    async def job() -> List[int]:
        waiting = asyncio.ensure_future(take(tracer, 1))
        await asyncio.sleep(0.05)
        native.push(*numbered(7))
        return await waiting

    began = time.monotonic()
    assert run(job()) == [7]
    assert time.monotonic() - began < SOON


def test_stop_ends_it_at_once(tracer: Tracer, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is woken; its next look would come later."""
    monkeypatch.setattr("retrans_ctypes.tracer._SLICE", 60.0)

    async def job() -> List[int]:
        asyncio.get_running_loop().call_later(0.05, tracer.stop)
        return await take(tracer, 1)

    began = time.monotonic()
    assert run(job()) == []
    assert time.monotonic() - began < SOON


def test_close_in_another_task_ends_it(tracer: Tracer) -> None:
    async def job() -> List[int]:
        asyncio.get_running_loop().call_later(0.05, tracer.close)
        return await take(tracer, 1)

    assert run(job()) == []
    with pytest.raises(ClosedError):
        run(take(tracer, 1))


def test_close_in_another_thread_ends_it(tracer: Tracer) -> None:
    timer = threading.Timer(0.05, tracer.close)
    timer.start()
    assert run(take(tracer, 1)) == []
    timer.join()


def test_cancelling_loses_nothing_and_leaves_no_descriptor(tracer: Tracer, native: FakeNative) -> None:
    async def job() -> List[int]:
        waiting = asyncio.ensure_future(take(tracer, 1))
        await asyncio.sleep(0.05)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        native.push(*numbered(5, 6))
        fetching = asyncio.ensure_future(take(tracer, 1))
        await asyncio.sleep(0)  # it has fetched both, and lets others go on
        fetching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await fetching
        return await take(tracer, 2)

    before = os.listdir("/proc/self/fd")
    assert run(job()) == [5, 6]
    assert len(os.listdir("/proc/self/fd")) == len(before)


def test_two_tasks_share_the_events(tracer: Tracer, native: FakeNative) -> None:
    async def job() -> List[int]:
        both = asyncio.gather(take(tracer, 1), take(tracer, 1))
        await asyncio.sleep(0.05)
        native.push(*numbered(1))
        await asyncio.sleep(0.05)
        native.push(*numbered(2))
        return sorted(sum(await both, []))

    assert run(job()) == [1, 2]


def test_a_storm_lets_other_tasks_go_on(fake: FakeLibrary) -> None:
    fake.native.batch = 10
    turns: List[int] = []

    async def other() -> None:
        while True:
            turns.append(0)
            await asyncio.sleep(0)

    async def job() -> None:
        beside = asyncio.ensure_future(other())
        await take(tracer, 1000)
        beside.cancel()

    with Tracer(_native_library=fake) as tracer:  # type: ignore[arg-type]
        fake.native.push(*numbered(*range(1000)))
        run(job())
    assert len(turns) >= 100  # once for each batch


def test_importing_the_package_does_not_bring_asyncio() -> None:
    code = "import sys, retrans_ctypes; sys.exit('asyncio' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize("python", [found.path for found in interpreters.found()[:1]])
def test_under_the_oldest_python(python: str) -> None:
    code = (
        "import asyncio, fake_library, retrans_ctypes\n"
        "fake = fake_library.FakeLibrary()\n"
        "tracer = retrans_ctypes.Tracer(_native_library=fake)\n"
        "async def main():\n"
        "    loop = asyncio.get_event_loop()\n"
        "    loop.call_later(0.05, fake.native.push, fake_library.packed(sport=3))\n"
        "    loop.call_later(0.10, tracer.stop)\n"
        "    return [event.sport async for event in tracer]\n"
        "loop = asyncio.new_event_loop()\n"
        "assert loop.run_until_complete(main()) == [3]\n"
        "loop.close()\n"
        "tracer.close()\n")
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join([os.path.join(REPOSITORY, "src"), HERE]))
    subprocess.run([python, "-W", "error", "-c", code], check=True, env=environment)
