"""Waiting in an asyncio loop. asyncio is imported where it is used, since most programs do not."""

import os


async def readable(fd: int, seconds: float) -> None:
    """Until ``fd`` is readable, in the running loop, but no longer than ``seconds``."""
    import asyncio

    loop = asyncio.get_event_loop()  # the running one; get_running_loop() came with Python 3.7
    ready = loop.create_future()

    def wake() -> None:
        if not ready.done():
            ready.set_result(None)

    try:
        # A loop has one reader for each descriptor, so each task that waits has a copy of its own. It also
        # keeps the number from being another file's, should a thread close the tracer meanwhile.
        copy = os.dup(fd)
    except OSError:
        return  # closed already: the caller's next look tells
    timer = loop.call_later(seconds, wake)
    try:
        loop.add_reader(copy, wake)
        await ready
    finally:
        timer.cancel()
        loop.remove_reader(copy)
        os.close(copy)


async def others() -> None:
    """Let the loop's other tasks go on."""
    import asyncio

    await asyncio.sleep(0)
