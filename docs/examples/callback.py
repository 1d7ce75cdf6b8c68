"""Let the native library own the loop: it calls back for each event, until Ctrl-C or SIGTERM."""
import signal
from collections import Counter

from retrans_ctypes import Filter, Tracer

segments = Counter()


def count(event):
    segments[event.daddr] += event.segs or 0


with Tracer(filter=Filter(family=4)) as tracer:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: tracer.stop())
    print("counting", flush=True)
    tracer.run(count)
    for address, number in segments.most_common(10):
        print(address, number)
