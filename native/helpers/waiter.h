/* SPDX-License-Identifier: BSD-2-Clause */
/* Sleeping until the ring may hold something.
 *
 * The programs wake the reader for the first event after a quiet while only (bpf/wakeup.h), so after
 * each fetch a timer has it look once more. One epoll descriptor holds ring, timer and the stop
 * event, and serves select, poll and event loops as well. When nothing happens, nothing wakes.
 */
#ifndef WAITER_H
#define WAITER_H

#include <stdbool.h>

struct waiter {
	int epoll;
	int timer;
	int stop;
	bool stopping;
	bool armed;    /* the timer runs */
	bool fetched;  /* events were fetched since it was set */
};

int waiter_open(struct waiter *waiter, int ring_fd);

/* Sleep until a wake-up, the timer or the end of `timeout_ms` (-1: none). 0 or -errno (-EINTR). */
int waiter_sleep(struct waiter *waiter, int timeout_ms);

/* To be called after fetching events: wake once more for those that wake nobody. */
void waiter_look_again(struct waiter *waiter);

/* Wake in `ns` (1 or more, at most a second), and then as after fetching events. */
void waiter_wake_in(struct waiter *waiter, long ns);

/* From any thread or signal handler. */
void waiter_stop(struct waiter *waiter);
bool waiter_stopping(const struct waiter *waiter);

void waiter_close(struct waiter *waiter);

#endif
