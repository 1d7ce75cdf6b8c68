/* SPDX-License-Identifier: BSD-2-Clause */
/* The same again and again, or for long: nothing may grow. Each line on stdin is answered with what is
 * in use; what the kernel holds, the tests ask the kernel. */
#include "exercise.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define BATCH 4096
#define WAYS  4 /* tp_btf and raw_tp, each with both buffers */

static size_t heap_in_use(void)
{
	struct mallinfo2 now = mallinfo2();

	return now.uordblks + now.hblkhd;
}

static time_t seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

static void cycle(struct task *task, unsigned long number, bool pause)
{
	const struct tcpretrans_opts kinds[] = {
		{}, { .rate = 5, .ring_bytes = 64 << 10 }, { .count_by = TCPRETRANS_COUNT_REMOTE }, { .no_owners = 1 },
	};
	struct tcpretrans_event events[16];
	struct tcpretrans *tracer;

	task->attach = number % 2 ? TCPRETRANS_ATTACH_RAW_TP : TCPRETRANS_ATTACH_TP_BTF;
	task->buffer = number / 2 % 2 ? TCPRETRANS_BUFFER_PERF : TCPRETRANS_BUFFER_RING;
	tracer = open_one(task, &kinds[number / WAYS % 4]);
	MUST(tcpretrans_poll(tracer, 0) >= 0);
	MUST(tcpretrans_drain(tracer, events, 16) >= 0);
	if (pause) {
		puts("open");
		MUST(getchar() == '\n');
	}
	tcpretrans_close(tracer);
}

/* For each line, so many; in the last of them it pauses while the tracer is open. */
void cycles(struct task *task)
{
	unsigned long done = 0;

	setvbuf(stdin, NULL, _IONBF, 0);
	puts("ready");
	while (getchar() == '\n') {
		for (unsigned long i = 1; i <= task->number; i++)
			cycle(task, done++, i == task->number);
		printf("{\"cycles\": %lu, \"heap\": %zu, \"descriptors\": %d}\n", done, heap_in_use(),
		       open_descriptors());
	}
	puts("{}");
}

static void every_second(struct task *task, struct tcpretrans *tracer, unsigned long second)
{
	struct tcpretrans_stats stats;
	struct link_filter made;
	uint64_t segs[SIDES];

	link_filter_fill(&made, task, second & 3); /* none by process: those are kept while events wait */
	MUST(!tcpretrans_set_filter(tracer, &made.filter, NULL, 0));
	MUST(!tcpretrans_stats(tracer, &stats, sizeof(stats)));
	ask_everything(tracer);
	read_kernel(task, tracer, segs);
}

static void answer(struct tcpretrans *tracer, const struct seen *seen)
{
	struct tcpretrans_stats stats;

	MUST(!tcpretrans_stats(tracer, &stats, sizeof(stats)));
	printf("{\"heap\": %zu, \"descriptors\": %d, \"events\": %lu, \"segs\": %lu, \"lost\": %lu}\n",
	       heap_in_use(), open_descriptors(), seen->events, seen->segs, stats.lost_segs + stats.skipped_segs);
}

void soak(struct task *task)
{
	const struct tcpretrans_opts opts = { .rate = TCPRETRANS_NO_RATE };
	struct tcpretrans_event *events = malloc(BATCH * sizeof(*events));
	struct lines *lines = malloc(sizeof(*lines));
	struct tcpretrans *tracer;
	time_t now, last = 0;
	uint64_t before[SIDES];
	struct seen seen = {};
	bool over = false;
	int64_t left;
	int got;

	MUST(events && lines);
	lines_open(lines);
	read_kernel(task, NULL, before);
	tracer = open_one(task, &opts);
	/* what was asked for is resident at once, so that more of it later is growth */
	MUST(!mlockall(MCL_CURRENT | MCL_FUTURE));
	puts("open");
	while (!over) {
		MUST(tcpretrans_poll(tracer, 50) >= 0);
		got = tcpretrans_drain(tracer, events, BATCH);
		MUST(got >= 0);
		look_at(&seen, events, got);
		lines_write(lines, events, got);
		if (told_to_answer(&over))
			answer(tracer, &seen);
		now = seconds_now();
		if (now != last)
			every_second(task, tracer, now);
		last = now;
	}
	left = unexplained(task, tracer, before);
	MUST(!tcpretrans_stop(tracer));
	tcpretrans_poll(tracer, 0);
	while ((got = tcpretrans_drain(tracer, events, BATCH)) > 0) {
		look_at(&seen, events, got);
		lines_write(lines, events, got);
	}
	printf("{\"events\": %lu, \"failed\": %lu, \"segs\": %lu, \"lines\": %lu, \"unexplained\": %ld}\n",
	       seen.events, seen.failed, seen.segs, lines->written, left);
	tcpretrans_close(tracer);
	lines_close(lines);
	free(lines);
	free(events);
}
