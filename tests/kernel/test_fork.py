"""fork() while a tracer is open: the child is told, and whatever it does, the parent traces on."""
import multiprocessing
import os
import subprocess
import sys
import threading
from typing import Any, Callable

import pytest
from lab import commands, tried, ways
from lab.books import ended, inhabited, row_of
from lab.counters import Counters
from lab.link import V4, Lab
from lab.traffic import connecting
from retrans_ctypes import Filter, ForkedError

NATIVE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "native")
TIMES = 25 if tried.AT_LENGTH else 2
RESULT = "the child is told, the parent's events and ledger are whole"


def in_child(job: Callable[[], None]) -> int:
    """Run ``job`` in a fork()ed child; its exit code, which is 1 where something was raised."""
    pid = os.fork()
    if not pid:
        try:
            job()
            os._exit(0)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
    return os.waitpid(pid, 0)[1] >> 8


def check_told(tracer: Any, loop: Any) -> None:
    """Whatever would take or tell something is one clear error."""
    uses = (lambda: tracer.poll(0), lambda: tracer.poll_batch(0), lambda: list(loop), lambda: next(iter(tracer)),
            lambda: tracer.run(print), tracer.stats, tracer.counts, tracer.ledger, tracer.fileno,
            lambda: tracer.set_filter(None), lambda: tracer.drop_rights(1, 1))
    for use in uses:
        with pytest.raises(ForkedError) as told:
            use()
        assert "process %d, from which this one (%d)" % (os.getppid(), os.getpid()) in str(told.value)
    tracer.stop()


def knock(lab: Lab) -> None:
    counters = Counters(lab.client)
    with connecting(lab.client, V4.dead, 4801, count=3):
        counters.wait("TCPSynRetrans", 3)


@pytest.mark.reliability
@pytest.mark.parametrize("way", ways.TYPED[:2] + ways.TRACEFS, ids=lambda way: way.name)
def test_the_parent_is_unharmed(lab: Lab, nothing_left_behind: None, way: ways.Way) -> None:
    """Children that close, or end, or do both in a library of processes."""
    with inhabited(lab), ways.tracing(way, filter=Filter(ports=[4801])) as tracer:
        counters = Counters(lab.client)
        loop = iter(tracer)
        knock(lab)
        first = next(loop)
        held = threading.Event()
        over = threading.Event()

        def hold() -> None:
            with tracer._lock:
                held.set()
                over.wait()
        holder = threading.Thread(target=hold)
        holder.start()
        held.wait()
        try:
            for _ in range(TIMES):
                assert in_child(lambda: check_told(tracer, loop)) == 0
                assert in_child(lambda: [check_told(tracer, loop), tracer.close(), tracer.close()] and None) == 0
                process = multiprocessing.get_context("fork").Process(target=check_told, args=(tracer, loop))
                process.start()
                process.join()
                assert process.exitcode == 0
        finally:
            over.set()
            holder.join()
        knock(lab)
        events = [event for event in [first] + ended(tracer) if event.dport == 4801]
        sent = counters.gained()["TCPSynRetrans"]
        assert len(events) == sent or way.attach == "tp" and sent - 2 <= len(events) < sent  # what was skipped is not told
        if way.attach != "tp":
            row = row_of(tracer.ledger(), lab.client)
            assert row.delivered == row.kernel and row.unexplained == 0, row
    tried.count("faults", "fork() while open, by %s" % way.name, RESULT, 3 * TIMES)


PROGRAM = r"""
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include "libtcpretrans.h"

static int ignore(const struct tcpretrans_event *event, void *ctx)
{
	(void)event, (void)ctx;
	return 0;
}

/* How many calls did not say that this is a child. */
static int untold(struct tcpretrans *tracer)
{
	struct tcpretrans_event event;
	struct tcpretrans_stats stats;
	struct tcpretrans_count beyond;
	char why[256] = "";
	uint64_t segs, cookie;

	return (tcpretrans_poll(tracer, 0) != -ECHILD) + (tcpretrans_drain(tracer, &event, 1) != -ECHILD) +
	       (tcpretrans_run(tracer, ignore, NULL) != -ECHILD) + (tcpretrans_stop(tracer) != -ECHILD) +
	       (tcpretrans_stats(tracer, &stats, sizeof(stats)) != -ECHILD) +
	       (tcpretrans_netns(tracer, NULL, 0) != -ECHILD) +
	       (tcpretrans_counts(tracer, NULL, 0, &beyond) != -ECHILD) +
	       (tcpretrans_kernel_segs(tracer, 0, &segs, &cookie) != -ECHILD) +
	       (tcpretrans_set_filter(tracer, NULL, why, sizeof(why)) != -ECHILD) + !why[0];
}

int main(int argc, char **argv)
{
	char why[1024];
	struct tcpretrans_opts opts = { .size = sizeof(opts), .error = why, .error_size = sizeof(why),
		.buffer = atoi(argv[1]) };
	struct tcpretrans *tracer;
	struct tcpretrans_event event;
	int wrong = 0, status, mine = 0;

	if (tcpretrans_open(&opts, &tracer))
		return fprintf(stderr, "%s\n", why), 1;
	for (int i = 0; i < atoi(argv[2]); i++) {
		pid_t child = fork();

		if (!child) {
			wrong = untold(tracer);
			if (i % 2)
				tcpretrans_close(tracer);
			_exit(wrong);
		}
		waitpid(child, &status, 0);
		wrong += status != 0;
	}
	printf("Tracing\n");
	fflush(stdout);
	while (mine < 3 && tcpretrans_poll(tracer, 20000) == 1)
		while (mine < 3 && tcpretrans_drain(tracer, &event, 1) == 1)
			mine += event.dport == 4801;
	tcpretrans_close(tracer);
	printf("%d wrong, %d events\n", wrong, mine);
	return argc != 3;
}
"""


@pytest.mark.reliability
@pytest.mark.parametrize("buffer", ["ring", "perf"])
def test_a_program_in_c(lab: Lab, tmp_path: Any, nothing_left_behind: None, buffer: str) -> None:
    source, program = tmp_path / "forks.c", tmp_path / "forks"
    source.write_text(PROGRAM)
    library = os.environ["RETRANS_CTYPES_LIBRARY"]
    subprocess.run(["cc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-I", NATIVE, str(source), "-o", str(program), library,
                    "-Wl,-rpath," + str(tmp_path)], check=True)
    os.symlink(library, str(tmp_path / "libtcpretrans.so.2"))
    with commands.Child([str(program), "1" if buffer == "ring" else "2", str(2 * TIMES)]) as child:
        child.wait_tracing()
        with connecting(lab.client, V4.dead, 4801, count=3):
            code, out, err = child.end(40)
    assert (code, out[-1]) == (0, "0 wrong, 3 events"), (out, err)
    tried.count("faults", "fork() in a C program, %s buffer" % buffer, "the child gets -ECHILD, the parent every event", 2 * TIMES)
