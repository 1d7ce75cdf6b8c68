"""A sink of one's own: retransmits that waited for 200 ms or longer, as CSV on standard output."""
import csv
import sys

from retrans_ctypes import Filter, Tracer
from retrans_ctypes.clock import WallClock
from retrans_ctypes.sinks import Sink


class CsvSink(Sink):
    def __init__(self, file):
        self.file, self.rows, self.clock = file, csv.writer(file, lineterminator="\n"), WallClock()

    def start(self):
        self.rows.writerow(["time", "remote", "reason", "stall_ms", "pid"])
        self.file.flush()

    def write(self, event):
        self.rows.writerow([self.clock.iso(event.ts_ns), event.remote, event.reason,
                            event.stall_us / 1000, event.owner_pid])

    def flush(self):
        self.file.flush()


with Tracer(filter=Filter(min_stall_ms=200)) as tracer:
    sink = CsvSink(sys.stdout)
    sink.start()
    for batch in tracer.batches():
        sink.write_packed(batch)
