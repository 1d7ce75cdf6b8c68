"""How long data had been waiting when it was sent again: a histogram of ten seconds, by numpy."""
import time

import numpy
from retrans_ctypes import Tracer
from retrans_ctypes.arrays import event_dtype
from retrans_ctypes.event import KNOWN_STALL

EDGES_MS = [0, 1, 3, 10, 30, 100, 300, 1000, 3000, 1e9]
counts = numpy.zeros(len(EDGES_MS) - 1, dtype=int)

with Tracer() as tracer:
    print("measuring", flush=True)
    end = time.monotonic() + 10
    while time.monotonic() < end:
        batch = tracer.poll_batch(max(0, end - time.monotonic()))
        events = numpy.frombuffer(batch, dtype=event_dtype())
        known = events[events["known"] & KNOWN_STALL != 0]
        counts += numpy.histogram(known["stall_us"] / 1000, EDGES_MS)[0]

for least, count in zip(EDGES_MS, counts):
    print("from %4d ms %6d %s" % (least, count, "#" * min(count, 60)))
