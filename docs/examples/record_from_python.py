"""Record five seconds as the command `record` does, for replay, report and SQL: record_from_python.py FILE"""
import sys
import time

from retrans_ctypes import Tracer
from retrans_ctypes.clock import WallClock
from retrans_ctypes.recording.database import DatabaseWriter
from retrans_ctypes.recording.writer import this_session
from retrans_ctypes.workload import Lookups

clock = WallClock()
with Tracer() as tracer, Lookups() as lookups:
    writer = DatabaseWriter(sys.argv[1], this_session(tracer.capabilities, None), lookups.workload)
    print("recording", flush=True)
    end = time.monotonic() + 5
    try:
        while not tracer.ended:
            if time.monotonic() > end:
                tracer.stop()  # what was traced before is still handed out
            writer.write(tracer.poll_batch(0.5), clock.offset_ns)
            writer.keep(tracer.stats()._asdict(), None)  # outlives a crash from here on
        writer.end(tracer.stats()._asdict(), tracer.ledger().to_dict())
    finally:
        writer.close()
    print(writer.events, "events")
