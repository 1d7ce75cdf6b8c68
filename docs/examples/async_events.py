"""Retransmits in an asyncio program, beside whatever else its loop does; ends after ten seconds."""
import asyncio

from retrans_ctypes import Tracer


async def watch(tracer):
    async for event in tracer:
        print(event.remote, event.reason, "after", event.stall_us, "us", flush=True)


async def main():
    with Tracer() as tracer:
        print("tracing", flush=True)
        watching = asyncio.ensure_future(watch(tracer))
        await asyncio.sleep(10)  # the program's own work
        tracer.stop()
        await watching
        print(tracer.stats().segs, "segments")


asyncio.run(main())  # Python 3.7; the tracer itself needs 3.6
