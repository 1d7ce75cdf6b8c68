/* SPDX-License-Identifier: BSD-2-Clause */
/* Ten tracers, each in a thread that opens, drains and closes it. Half are handed to and fro between that
 * thread and others, which ask it and change its filter, under a lock; the rest run callbacks. All of them
 * are stopped from outside, with no lock. */
#include "exercise.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>

#define TRACERS  10
#define MEDDLERS 2

struct worker {
	struct task task;
	unsigned number;
	pthread_t thread;
	pthread_mutex_t lock;
	struct tcpretrans *tracer; /* for others under the lock, but to stop it */
	struct seen seen;
	unsigned long meddled;
};

static struct worker workers[TRACERS];
static pthread_barrier_t all_open, all_stopped;
static bool meddling = true;

static int on_event(const struct tcpretrans_event *event, void *worker)
{
	look_at(&((struct worker *)worker)->seen, event, 1);
	return 0;
}

/* Whether it was stopped. */
static bool take_turn(struct worker *worker)
{
	struct pollfd fd = { .fd = tcpretrans_fd(worker->tracer), .events = POLLIN };
	struct tcpretrans_event events[64];
	int polled, got;

	poll(&fd, 1, 10);
	pthread_mutex_lock(&worker->lock);
	polled = tcpretrans_poll(worker->tracer, 0);
	MUST(polled >= 0 || polled == -ECANCELED);
	while ((got = tcpretrans_drain(worker->tracer, events, 64)) > 0)
		look_at(&worker->seen, events, got);
	MUST(!got);
	pthread_mutex_unlock(&worker->lock);
	return polled == -ECANCELED;
}

static void *work(void *ctx)
{
	struct worker *worker = ctx;
	const struct tcpretrans_opts opts = { .ring_bytes = 256 << 10, .rate = worker->number % 3 ? 0 : 1 };

	worker->tracer = open_one(&worker->task, &opts);
	pthread_barrier_wait(&all_open);
	if (worker->number % 2)
		MUST(!tcpretrans_run(worker->tracer, on_event, worker));
	else
		while (!take_turn(worker))
			;
	pthread_barrier_wait(&all_stopped); /* until then others may call stop */
	pthread_mutex_lock(&worker->lock);
	ask_everything(worker->tracer);
	tcpretrans_close(worker->tracer);
	pthread_mutex_unlock(&worker->lock);
	return NULL;
}

static void *meddle(void *ctx)
{
	struct link_filter made;

	for (unsigned round = (unsigned long)ctx; __atomic_load_n(&meddling, __ATOMIC_RELAXED); round++) {
		struct worker *worker = &workers[round * 2 % TRACERS]; /* those that run no callback */
		uint64_t segs[SIDES];

		pthread_mutex_lock(&worker->lock);
		link_filter_fill(&made, &worker->task, round);
		MUST(!tcpretrans_set_filter(worker->tracer, &made.filter, NULL, 0));
		ask_everything(worker->tracer);
		read_kernel(&worker->task, worker->tracer, segs);
		worker->meddled++;
		pthread_mutex_unlock(&worker->lock);
	}
	return NULL;
}

static void open_all(const struct task *task)
{
	MUST(!pthread_barrier_init(&all_open, NULL, TRACERS + 1));
	MUST(!pthread_barrier_init(&all_stopped, NULL, TRACERS + 1));
	for (unsigned i = 0; i < TRACERS; i++) {
		struct worker *worker = &workers[i];

		worker->task = *task;
		worker->number = i;
		worker->task.attach = i % 4 < 2 ? TCPRETRANS_ATTACH_TP_BTF : TCPRETRANS_ATTACH_RAW_TP;
		worker->task.buffer = i % 3 ? TCPRETRANS_BUFFER_RING : TCPRETRANS_BUFFER_PERF;
		MUST(!pthread_mutex_init(&worker->lock, NULL));
		MUST(!pthread_create(&worker->thread, NULL, work, worker));
	}
	pthread_barrier_wait(&all_open);
}

void threads(struct task *task)
{
	uint64_t fewest = UINT64_MAX, meddled = 0;
	pthread_t meddlers[MEDDLERS];
	bool over = false;

	open_all(task);
	for (unsigned long i = 0; i < MEDDLERS; i++)
		MUST(!pthread_create(&meddlers[i], NULL, meddle, (void *)i));
	puts("open");
	while (!over) {
		poll(NULL, 0, 20);
		told_to_answer(&over);
	}
	__atomic_store_n(&meddling, false, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < MEDDLERS; i++)
		MUST(!pthread_join(meddlers[i], NULL));
	for (unsigned i = 0; i < TRACERS; i++)
		MUST(!tcpretrans_stop(workers[i].tracer));
	pthread_barrier_wait(&all_stopped);
	for (unsigned i = 0; i < TRACERS; i++) {
		MUST(!pthread_join(workers[i].thread, NULL));
		fewest = workers[i].seen.events < fewest ? workers[i].seen.events : fewest;
		meddled += workers[i].meddled;
	}
	printf("{\"tracers\": %d, \"fewest\": %lu, \"meddled\": %lu}\n", TRACERS, fewest, meddled);
}
