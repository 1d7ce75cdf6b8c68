/* SPDX-License-Identifier: BSD-2-Clause */
#include "waiter.h"

#include <errno.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include "../bpf/wakeup.h"

static int watch(struct waiter *waiter, int fd)
{
	struct epoll_event interest = { .events = EPOLLIN, .data.fd = fd };

	return epoll_ctl(waiter->epoll, EPOLL_CTL_ADD, fd, &interest) ? -errno : 0;
}

static void arm(struct waiter *waiter, long ns)
{
	const struct itimerspec once = { .it_value.tv_nsec = ns < 1000000000 ? ns : 999999999 };

	waiter->armed = !timerfd_settime(waiter->timer, 0, &once, NULL);
	waiter->fetched = false;
}

void waiter_wake_in(struct waiter *waiter, long ns)
{
	arm(waiter, ns);
	waiter->fetched = true;
}

void waiter_look_again(struct waiter *waiter)
{
	waiter->fetched = true;
	if (!waiter->armed)
		arm(waiter, TCPRETRANS_LOOK_AGAIN_NS);
}

int waiter_open(struct waiter *waiter, int ring_fd)
{
	int err = 0;

	waiter->stopping = waiter->armed = waiter->fetched = false;
	waiter->epoll = epoll_create1(EPOLL_CLOEXEC);
	waiter->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	waiter->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (waiter->epoll < 0 || waiter->timer < 0 || waiter->stop < 0)
		err = -errno;
	err = err ?: watch(waiter, ring_fd);
	err = err ?: watch(waiter, waiter->timer);
	err = err ?: watch(waiter, waiter->stop);
	if (err)
		waiter_close(waiter);
	return err;
}

int waiter_sleep(struct waiter *waiter, int timeout_ms)
{
	struct epoll_event woken[3];
	uint64_t expired;

	if (epoll_wait(waiter->epoll, woken, 3, timeout_ms) < 0)
		return -errno;
	/* non-blocking: EAGAIN where it was not the timer that woke us */
	if (read(waiter->timer, &expired, sizeof(expired)) < 0)
		return errno == EAGAIN ? 0 : -errno;
	waiter->armed = false;
	if (waiter->fetched)
		arm(waiter, TCPRETRANS_LOOK_AGAIN_NS);
	return 0;
}

void waiter_stop(struct waiter *waiter)
{
	const uint64_t one = 1;
	int saved = errno;
	ssize_t written;

	__atomic_store_n(&waiter->stopping, true, __ATOMIC_RELEASE);
	written = write(waiter->stop, &one, sizeof(one));
	(void)written; /* EAGAIN: the counter is full, so it wakes all the same */
	errno = saved;
}

bool waiter_stopping(const struct waiter *waiter)
{
	return __atomic_load_n(&waiter->stopping, __ATOMIC_ACQUIRE);
}

static void close_one(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void waiter_close(struct waiter *waiter)
{
	close_one(&waiter->epoll);
	close_one(&waiter->timer);
	close_one(&waiter->stop);
}
