/* SPDX-License-Identifier: BSD-2-Clause */
/* Three tracers side by side: one that is drained, one that counts in the kernel, and one with a callback
 * and a rate limit of an event a second; and one that gives up its rights. */
#include "exercise.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <unistd.h>

#define MOST 512

struct called {
	struct tcpretrans *tracer;
	struct seen seen;
};

static struct tcpretrans *stopped_by_signal;

static int on_event(const struct tcpretrans_event *event, void *ctx)
{
	struct called *called = ctx;

	look_at(&called->seen, event, 1);
	return called->seen.events % 4 ? 0 : 7; /* now and then it wants out */
}

static void *run(void *ctx)
{
	struct called *called = ctx;
	int verdict;

	do
		verdict = tcpretrans_run(called->tracer, on_event, called);
	while (verdict == 7 || verdict == -EINTR);
	MUST(!verdict);
	return NULL;
}

static void *stop(void *tracer)
{
	MUST(!tcpretrans_stop(tracer));
	return NULL;
}

/* In arrays of all sizes, each in a block of its own. */
static int drain(struct tcpretrans *tracer, struct seen *seen, struct lines *lines)
{
	int room = seen->events % 3 ? seen->events % 3 : MOST, got;
	struct tcpretrans_event *events = malloc(room * sizeof(*events));

	MUST(events);
	got = tcpretrans_drain(tracer, events, room);
	MUST(got >= 0 && got <= room);
	look_at(seen, events, got);
	lines_write(lines, events, got);
	free(events);
	return got;
}

static void on_alarm(int number)
{
	(void)number;
	if (stopped_by_signal)
		tcpretrans_stop(stopped_by_signal);
}

static void interrupt_soon(void)
{
	const struct itimerval soon = { .it_value.tv_usec = 100000, .it_interval.tv_usec = 100000 };
	const struct sigaction action = { .sa_handler = on_alarm };

	MUST(!sigaction(SIGALRM, &action, NULL) && !setitimer(ITIMER_REAL, &soon, NULL));
}

static void interrupt_no_more(void)
{
	const struct itimerval never = {};

	MUST(!setitimer(ITIMER_REAL, &never, NULL));
}

/* Until something else ends it than an event: tp cannot filter by waiting times. */
static int poll_alone(struct tcpretrans *tracer, int timeout_ms)
{
	struct tcpretrans_event events[64];
	int polled;

	while ((polled = tcpretrans_poll(tracer, timeout_ms)) == 1)
		tcpretrans_drain(tracer, events, 64);
	return polled;
}

/* A signal ends poll; one whose handler calls stop ends it for good. */
static void by_signals(struct task *task)
{
	const struct tcpretrans_filter none = { .only = &(struct tcpretrans_conditions){
		.size = sizeof(struct tcpretrans_conditions), .min_stall_us = UINT64_MAX } };
	const struct tcpretrans_opts opts = { .no_owners = 1, .ring_bytes = 64 << 10,
		.filter = task->attach == TCPRETRANS_ATTACH_TP ? NULL : &none };
	struct tcpretrans *tracer = open_one(task, &opts);

	interrupt_soon();
	MUST(poll_alone(tracer, 5000) == -EINTR);
	stopped_by_signal = tracer;
	while (poll_alone(tracer, -1) == -EINTR)
		;
	MUST(poll_alone(tracer, -1) == -ECANCELED);
	interrupt_no_more();
	stopped_by_signal = NULL;
	tcpretrans_close(tracer);
}

static void follow(struct task *task, struct tcpretrans *tracer, struct tcpretrans *counting, struct seen *seen,
		   struct lines *lines)
{
	struct link_filter made;
	bool over = false;

	for (unsigned round = 0; !over; round++) {
		struct pollfd fd = { .fd = tcpretrans_fd(tracer), .events = POLLIN };
		int polled;

		told_to_answer(&over);
		poll(&fd, 1, 50);
		polled = tcpretrans_poll(tracer, 0);
		MUST(polled == 0 || polled == 1);
		for (int i = 0; i < 64 && drain(tracer, seen, lines) > 0; i++)
			; /* without namespaces there may be others' storms, which never end */
		if (round % 16)
			continue;
		link_filter_fill(&made, task, round / 16);
		MUST(!tcpretrans_set_filter(tracer, &made.filter, task->error, sizeof(task->error)));
		link_filter_fill(&made, task, round / 16 & 3); /* no processes: it was not opened for them */
		MUST(!tcpretrans_set_filter(counting, &made.filter, NULL, 0));
		ask_everything(tracer);
		ask_everything(counting);
	}
}

static void end(struct tcpretrans *tracer, struct seen *seen, struct lines *lines)
{
	struct tcpretrans_stats stats;
	pthread_t other;

	MUST(!pthread_create(&other, NULL, stop, tracer) && !pthread_join(other, NULL));
	MUST(tcpretrans_poll(tracer, -1) == -ECANCELED);
	while (drain(tracer, seen, lines) > 0)
		;
	MUST(!tcpretrans_stats(tracer, &stats, sizeof(stats)));
	MUST(stats.drained == seen->events && stats.events == seen->events);
	ask_everything(tracer);
}

void whole(struct task *task)
{
	const struct tcpretrans_opts plain = {}, counting = { .count_by = task->number, .count_rows = 64 };
	const struct tcpretrans_opts limited = { .rate = 1, .burst = 1, .ring_bytes = 64 << 10 };
	struct lines *lines = malloc(sizeof(*lines));
	struct tcpretrans *tracer, *counts;
	struct tcpretrans_stats counted;
	struct called called = {};
	struct seen seen = {};
	uint64_t before[SIDES];
	pthread_t thread;
	int64_t left = 0;
	int descriptors = open_descriptors();

	MUST(lines);
	by_signals(task);
	lines_open(lines);
	read_kernel(task, NULL, before);
	tracer = open_one(task, &plain);
	counts = open_one(task, &counting);
	called.tracer = open_one(task, &limited);
	MUST(!pthread_create(&thread, NULL, run, &called));
	puts("open");
	follow(task, tracer, counts, &seen, lines);
	if (task->attach != TCPRETRANS_ATTACH_TP)
		left = unexplained(task, tracer, before);
	end(tracer, &seen, lines);
	MUST(!tcpretrans_stop(called.tracer) && !pthread_join(thread, NULL));
	ask_everything(called.tracer);
	MUST(!tcpretrans_stats(counts, &counted, sizeof(counted)));
	printf("{\"events\": %lu, \"segs\": %lu, \"rto\": %lu, \"syn\": %lu, \"synack\": %lu, \"lines\": %lu, "
	       "\"called\": %lu, \"counted\": %lu, \"unexplained\": %ld}\n", seen.events, seen.segs,
	       seen.reasons[TCPRETRANS_REASON_RTO], seen.reasons[TCPRETRANS_REASON_SYN],
	       seen.reasons[TCPRETRANS_REASON_SYNACK], lines->written, called.seen.events, counted.events, left);
	lines_close(lines);
	free(lines);
	tcpretrans_close(called.tracer);
	tcpretrans_close(counts);
	tcpretrans_close(tracer);
	MUST(open_descriptors() == descriptors);
}

/* All is given up but what tracing needs; it goes on, and closes. */
void rights(struct task *task)
{
	const struct tcpretrans_opts plain = {};
	struct tcpretrans *tracer = open_one(task, &plain);
	struct tcpretrans_event event;

	tcpretrans_lasting_rights();
	MUST(tcpretrans_drop_rights(UINT32_MAX, 1) == -EINVAL);
	MUST(!tcpretrans_drop_rights(65534, 65534));
	MUST(geteuid() == 65534);
	prctl(PR_SET_DUMPABLE, 1); /* or nobody may look for leaks */
	puts("open");
	for (bool over = false; !over; told_to_answer(&over)) {
		MUST(tcpretrans_poll(tracer, 20) >= 0);
		MUST(tcpretrans_drain(tracer, &event, 1) >= 0);
	}
	ask_everything(tracer);
	tcpretrans_close(tracer);
	puts("{}");
}
