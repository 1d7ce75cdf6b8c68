"""A consumer that is stopped, a disk that fills up, a reader that goes away: while retransmits come."""
import json
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from typing import Any, Iterator, List

import pytest
from lab import commands
from lab.books import inhabited
from lab.counters import Counters
from lab.link import V4, Lab
from lab.stage import open_folder
from lab.traffic import connecting, send_bulk

OUTPUT, READER_GONE = 6, 141
MORE_THAN_FITS = 2000  # segments: one event has at most 45 of them, and the smallest ring holds 16 events

# `trace --json` with the smallest ring there is, which soon is full.
SMALL_RING = """
import json, sys
from retrans_ctypes import Tracer
from retrans_ctypes.cli.follow import follow
from retrans_ctypes.cli.signals import StopSignals
from retrans_ctypes.clock import WallClock
from retrans_ctypes.sinks.ndjson import NdjsonSink
from retrans_ctypes.sinks.output import Output
from retrans_ctypes.workload import Lookups

with Lookups() as lookups, StopSignals() as signals, Tracer(ring_bytes=4096) as tracer:
    signals.stop_with(tracer.stop)
    print("Tracing", file=sys.stderr, flush=True)
    output = Output()
    follow(tracer, NdjsonSink(output, WallClock(), lookups), output, None)
    print(json.dumps([tracer.stats()._asdict(), tracer.ledger().to_dict()]), file=sys.stderr)
"""


@contextmanager
def storm(lab: Lab) -> Iterator[None]:
    """Retransmits from here to the end of the block, however long that takes."""
    lab.lose(lab.server, 50)
    over = threading.Event()

    def send() -> None:
        while not over.is_set():
            send_bulk(lab, V4, 2000000)
    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield
    finally:
        over.set()
        sender.join()


def events_in(lines: List[str], lab: Lab) -> List[Any]:
    return [record for record in map(json.loads, lines) if record["netns"] == lab.client.inode]


def test_a_stopped_consumer_loses_events_and_counts_them(lab: Lab, nothing_left_behind: None) -> None:
    with inhabited(lab), commands.Child([sys.executable, "-c", SMALL_RING]) as child:
        child.wait_tracing()
        counters = Counters(lab.client)
        child.interrupt(signal.SIGSTOP)
        lab.lose(lab.server, 50)
        until = time.monotonic() + 60
        while counters.gained()["RetransSegs"] < MORE_THAN_FITS and time.monotonic() < until:
            send_bulk(lab, V4, 5000000)
        child.interrupt(signal.SIGCONT)
        with connecting(lab.client, V4.dead, 4051):
            child.wait_line('"dport":4051')  # it goes on
            before_the_end = counters.gained()["RetransSegs"]
            child.interrupt()
            code, out, err = child.end()
            after_it = counters.gained()["RetransSegs"]
    assert code == 0, err
    stats, ledger = json.loads(err[-1])
    assert stats["lost"] > 0 and stats["events"] == stats["drained"] == len(out)
    row = next(row for row in ledger["namespaces"] if row["netns"] == lab.client.inode)
    assert row["lost"] > 0
    assert row["delivered"] == sum(record["segs"] for record in events_in(out, lab))
    assert before_the_end <= row["kernel"] <= after_it and abs(row["unexplained"]) <= 1, row


def check_end(err: List[str], word: str) -> None:
    """What was seen, the ledger, and one sentence about the end."""
    text = "\n".join(err)
    assert "Traceback" not in text and "Exception ignored" not in text, text
    assert [line for line in err if " events, " in line] and [line for line in err if line.startswith("ledger: ")]
    assert err[-1].startswith("in segments: seen ")
    commands.one_sentence(err[-2:-1], word)


@pytest.mark.parametrize("size", ["64k", "1m"])
def test_a_disk_fills_up(lab: Lab, nothing_left_behind: None, size: str) -> None:
    """What fits is there, in whole lines but for the last one."""
    script = ('mount -t tmpfs -o size={} none "$0" && {{ "$@" > "$0"/out; code=$?; cat "$0"/out; exit $code; }}'
              .format(size))
    with open_folder() as folder:
        shell = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, folder]
        with commands.Child(shell + commands.module("--json")) as child:
            child.wait_tracing()
            with storm(lab):
                code, out, err = child.end(60)
    assert code == OUTPUT, err
    check_end(err, "space")
    assert len(out) > 10 and {json.loads(line)["type"] for line in out[:-1]} == {"event"}


def test_the_reader_closes_the_pipe(lab: Lab, nothing_left_behind: None) -> None:
    with subprocess.Popen(commands.module("--json"), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          stdin=subprocess.DEVNULL) as process:
        try:
            assert process.stdout and process.stderr
            err = [process.stderr.readline().decode()]
            with storm(lab):
                assert json.loads(process.stdout.readline())["type"] == "event"
                process.stdout.close()
                err += process.stderr.read().decode().splitlines()
                assert process.wait(60) == READER_GONE
        finally:
            process.kill()
    check_end(err, "went away")
