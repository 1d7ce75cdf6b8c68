/* SPDX-License-Identifier: BSD-2-Clause */
#include "libtcpretrans.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "helpers/buffer.h"
#include "helpers/counts.h"
#include "helpers/explain.h"
#include "helpers/fields.h"
#include "helpers/netns.h"
#include "helpers/owners.h"
#include "helpers/programs.h"
#include "helpers/rights.h"
#include "helpers/sized.h"
#include "helpers/waiter.h"

#define MAX_COUNT_ROWS (1U << 24)

#define TEXT_OF(x) #x
#define TEXT(x)    TEXT_OF(x)

struct tcpretrans {
	struct programs programs;
	struct buffer buffer;
	struct owners owners;
	struct waiter waiter;
	pid_t pid; /* who opened it */
	uint64_t drained;
	bool detached;
	bool counts;               /* in the kernel, instead of events; */
	struct counts_needs needs; /* what that was made ready for */
};

/* A fork()ed child has copies of the descriptors and shares what is mapped: what it drained the parent
 * would miss. */
static bool is_foreign(const struct tcpretrans *tracer)
{
	return tracer->pid != getpid();
}

static int unusable(const struct tcpretrans *tracer)
{
	if (!tracer)
		return -EINVAL;
	return is_foreign(tracer) ? -ECHILD : 0;
}

static int read_opts(struct tcpretrans_opts *ours, const struct tcpretrans_opts *theirs)
{
	memset(ours, 0, sizeof(*ours));
	return theirs ? sized_read(ours, sizeof(*ours), theirs, theirs->size) : 0;
}

static int check_opts(const struct tcpretrans_opts *opts, const struct explain *why)
{
	uint32_t page = sysconf(_SC_PAGESIZE);

	if (opts->ring_bytes && (opts->ring_bytes < page || opts->ring_bytes & (opts->ring_bytes - 1)))
		return explain(why, -EINVAL, "the ring buffer cannot have %u bytes; give a power of two, "
			       "%u or more", opts->ring_bytes, page);
	if (opts->attach > TCPRETRANS_ATTACH_KPROBE)
		return explain(why, -EINVAL, "there is no way of attaching number %u", opts->attach);
	if (opts->buffer > TCPRETRANS_BUFFER_PERF)
		return explain(why, -EINVAL, "there is no buffer number %u", opts->buffer);
	if (opts->count_by > TCPRETRANS_COUNT_REASON)
		return explain(why, -EINVAL, "there is nothing number %u to count by", opts->count_by);
	if (opts->count_rows > MAX_COUNT_ROWS)
		return explain(why, -EINVAL, "there can be %u rows of counts at most, not %u", MAX_COUNT_ROWS,
			       opts->count_rows);
	if (opts->count_by == TCPRETRANS_COUNT_PID && opts->no_owners)
		return explain(why, -EINVAL, "to count by process, owners have to be found out");
	if (opts->prefix4 > 32 || opts->prefix6 > 128)
		return explain(why, -EINVAL, "a prefix has up to 32 bits (IPv4) or 128 (IPv6), not %u and %u",
			       opts->prefix4, opts->prefix6);
	if (opts->btf && opts->attach == TCPRETRANS_ATTACH_TP_BTF)
		return explain(why, -EINVAL, "tp_btf goes by the kernel's own type information only; with a "
			       "BTF file use raw_tp");
	if (opts->btf && opts->attach == TCPRETRANS_ATTACH_TP)
		return explain(why, -EINVAL, "tp goes by no type information; leave the BTF file out");
	return 0;
}

/* Perf buffers count as locked memory of the user, whatever rights to trace he has. */
static int explain_buffer(const struct explain *why, int err, const struct programs *programs)
{
	if (!programs_have_ring(programs) && (err == -EPERM || err == -EACCES))
		return explain(why, err, "the kernel forbids perf buffers of %zu bytes (%s): raise the limit "
			       "of locked memory (ulimit -l) or kernel.perf_event_mlock_kb, or give "
			       "CAP_IPC_LOCK; in a container its seccomp profile may forbid "
			       "perf_event_open()", programs->buffer_bytes, strerror(-err));
	return explain(why, err, "the buffer of %zu bytes cannot be mapped: %s; ask for a smaller one, or "
		       "raise the memory limit", programs->buffer_bytes, strerror(-err));
}

static int start(struct tcpretrans *tracer, const struct tcpretrans_opts *opts,
		 const struct explain *why)
{
	struct programs *programs = &tracer->programs;
	int err = programs_start(&tracer->programs, opts, why);

	if (err)
		return err;
	err = buffer_open(&tracer->buffer, programs_have_ring(programs), programs_buffer_fd(programs),
			  programs->buffer_bytes);
	if (err)
		return explain_buffer(why, err, programs);
	err = owners_open(&tracer->owners, &tracer->programs);
	if (err)
		return explain(why, err, NOT_ENOUGH_MEMORY);
	err = waiter_open(&tracer->waiter, buffer_fd(&tracer->buffer));
	if (err)
		return explain(why, err, "the kernel gives nothing to wait for events on: %s; its log may "
			       "say why", strerror(-err));
	return 0;
}

int tcpretrans_open(const struct tcpretrans_opts *opts, struct tcpretrans **out)
{
	struct tcpretrans_opts known;
	struct tcpretrans *tracer;
	int err = read_opts(&known, opts);
	const struct explain why = { known.error, known.error_size };

	if (!out)
		return -EINVAL;
	*out = NULL;
	if (why.text && why.size)
		*why.text = '\0';
	if (err)
		return explain(&why, err, "the options are not those of version " TCPRETRANS_VERSION
			       " (%zu bytes, of which it knows %zu): set size to sizeof(struct tcpretrans_opts), "
			       "and the rest to zero", opts->size, sizeof(known));
	err = check_opts(&known, &why);
	if (err)
		return err;
	if (known.count_by && known.count_by != TCPRETRANS_COUNT_PID && !counts_needs_of(known.filter).owners)
		known.no_owners = 1;
	tracer = calloc(1, sizeof(*tracer));
	if (!tracer)
		return explain(&why, -ENOMEM, NOT_ENOUGH_MEMORY);
	tracer->pid = getpid();
	tracer->counts = known.count_by;
	tracer->needs = counts_needs_of(known.filter);
	tracer->needs.owners |= known.count_by == TCPRETRANS_COUNT_PID;
	tracer->waiter = (struct waiter){ .epoll = -1, .timer = -1, .stop = -1 };
	err = start(tracer, &known, &why);
	if (err == -EMFILE || err == -ENFILE) /* at whichever step it was */
		explain(&why, err, "tracing needs some 35 file descriptors, and this process or machine has "
			"no more of them (%s); raise the limit of open files (ulimit -n)", strerror(-err));
	if (err) {
		tcpretrans_close(tracer);
		return err;
	}
	*out = tracer;
	return 0;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* Nothing is traced any more once a stop was noticed, or a ring that fills faster than it is read
 * would never end. */
static bool stopped(struct tcpretrans *tracer)
{
	if (!waiter_stopping(&tracer->waiter))
		return false;
	if (!tracer->detached) {
		owners_finish(&tracer->owners, &tracer->buffer);
		programs_detach(&tracer->programs);
	}
	tracer->detached = true;
	return true;
}

/* Have the waiter wake when the oldest event's time is up, or the next search may begin. */
static void set_alarm(struct tcpretrans *tracer, uint64_t wait)
{
	uint64_t again = owners_again_ns(&tracer->owners);

	if (again < wait)
		wait = again;
	if (wait != UINT64_MAX)
		waiter_wake_in(&tracer->waiter, wait ?: 1);
}

/* Whether there is something to drain. */
static int look(struct tcpretrans *tracer)
{
	int err = owners_fetch(&tracer->owners, &tracer->buffer, 1);
	uint64_t wait = owners_wait_ns(&tracer->owners);

	if (wait)
		set_alarm(tracer, wait);
	return err ?: !wait;
}

int tcpretrans_capabilities(const struct tcpretrans *tracer,
			    struct tcpretrans_capabilities *capabilities, size_t size)
{
	if (!tracer || !capabilities)
		return -EINVAL;
	sized_write(capabilities, size, &tracer->programs.can, sizeof(tracer->programs.can));
	return 0;
}

const char *tcpretrans_notes(const struct tcpretrans *tracer)
{
	return tracer ? tracer->programs.notes.text : "";
}

/* Whether a filter asks for what counting was not made ready for. */
static bool lacks_ground(const struct counts_needs *ready, const struct tcpretrans_filter *filter)
{
	struct counts_needs needs = counts_needs_of(filter);

	return (needs.cause && !ready->cause) || (needs.owners && !ready->owners);
}

int tcpretrans_set_filter(struct tcpretrans *tracer, const struct tcpretrans_filter *filter,
			  char *error, size_t error_size)
{
	const struct explain why = { error, error_size };

	if (error && error_size)
		*error = '\0';
	if (!tracer)
		return explain(&why, -EINVAL, "there is no tracer to filter for; open one first");
	if (is_foreign(tracer))
		return explain(&why, -ECHILD, "this process was fork()ed from the one that opened the tracer, "
			       "which alone may use it; open another one here");
	if (tracer->counts && lacks_ground(&tracer->needs, filter))
		return explain(&why, -EINVAL, "counting goes without reasons, waiting times and owners unless "
			       "its first filter asks for them; make a new tracer with this one");
	owners_fetch(&tracer->owners, &tracer->buffer, 0); /* to see which filters nobody asks for any more */
	return filtering_set(&tracer->programs.filtering, filter, &tracer->programs.can, &why);
}

int tcpretrans_poll(struct tcpretrans *tracer, int timeout_ms)
{
	int64_t deadline = timeout_ms < 0 ? 0 : now_ms() + timeout_ms;
	int left = timeout_ms;
	int err, ready;

	err = unusable(tracer);
	if (err)
		return err;
	for (;;) {
		if (stopped(tracer))
			return -ECANCELED;
		/* sleeps even when something waits, for no time: that makes the descriptor unreadable */
		ready = look(tracer);
		err = ready < 0 ? ready : waiter_sleep(&tracer->waiter, ready ? 0 : left);
		if (err == -EINTR && waiter_stopping(&tracer->waiter))
			continue; /* the signal's handler called tcpretrans_stop() */
		if (err)
			return err;
		ready = look(tracer);
		if (ready)
			return ready;
		if (timeout_ms < 0)
			continue;
		left = deadline > now_ms() ? deadline - now_ms() : 0;
		if (!left)
			return 0;
	}
}

static int drain(struct tcpretrans *tracer, struct tcpretrans_event *events, int n)
{
	int drained;

	drained = owners_drain(&tracer->owners, &tracer->buffer, events, n, waiter_stopping(&tracer->waiter));
	tracer->drained += drained > 0 ? drained : 0;
	/* what is still there may be a record that its program has not finished, and will wake nobody */
	if (drained > 0 || buffer_waiting(&tracer->buffer))
		waiter_look_again(&tracer->waiter);
	if (drained > 0)
		set_alarm(tracer, owners_wait_ns(&tracer->owners));
	return drained;
}

int tcpretrans_drain(struct tcpretrans *tracer, struct tcpretrans_event *events, int n)
{
	int err = n < 0 || (n && !events) ? -EINVAL : unusable(tracer);

	return err ? err : drain(tracer, events, n);
}

/* One at a time, so that what comes after the callback's last event can still be drained. */
static int pass_on(struct tcpretrans *tracer, tcpretrans_callback callback, void *ctx)
{
	struct tcpretrans_event event;
	int got, verdict;

	while ((got = drain(tracer, &event, 1)) > 0) {
		stopped(tracer);
		verdict = callback(&event, ctx);
		if (verdict)
			return verdict;
	}
	return got;
}

int tcpretrans_run(struct tcpretrans *tracer, tcpretrans_callback callback, void *ctx)
{
	int polled, verdict;

	if (!callback)
		return -EINVAL;
	do {
		polled = tcpretrans_poll(tracer, -1);
		if (polled < 0 && polled != -ECANCELED)
			return polled;
		verdict = pass_on(tracer, callback, ctx);
		if (verdict)
			return verdict;
	} while (polled != -ECANCELED);
	return 0;
}

int tcpretrans_stop(struct tcpretrans *tracer)
{
	int err = unusable(tracer);

	if (err)
		return err;
	waiter_stop(&tracer->waiter);
	return 0;
}

int tcpretrans_stats(struct tcpretrans *tracer, struct tcpretrans_stats *stats, size_t size)
{
	struct tcpretrans_stats now = {};
	int err = stats ? unusable(tracer) : -EINVAL;

	if (err)
		return err;
	err = programs_count(&tracer->programs, &now);
	if (err)
		return err;
	now.drained = tracer->drained;
	sized_write(stats, size, &now, sizeof(now));
	return 0;
}

int tcpretrans_netns(struct tcpretrans *tracer, struct tcpretrans_netns *rows, int n)
{
	int err = n < 0 || (n && !rows) ? -EINVAL : unusable(tracer);

	return err ? err : programs_netns(&tracer->programs, rows, n);
}

static void settle(void *programs)
{
	programs_settle(programs);
}

int tcpretrans_counts(struct tcpretrans *tracer, struct tcpretrans_count *rows, int n,
		      struct tcpretrans_count *beyond)
{
	int err = !beyond || n < 0 || (n && !rows) ? -EINVAL : unusable(tracer);

	return err ? err : counts_read(&tracer->programs, rows, n, beyond);
}

int tcpretrans_kernel_segs(struct tcpretrans *tracer, int netns_fd, uint64_t *segs, uint64_t *cookie)
{
	if (!segs || !cookie)
		return -EINVAL;
	if (tracer && is_foreign(tracer))
		return -ECHILD;
	return netns_read(netns_fd, tracer ? settle : NULL, tracer ? &tracer->programs : NULL, segs, cookie);
}

int tcpretrans_drop_rights(uint32_t uid, uint32_t gid)
{
	return rights_drop(uid, gid);
}

uint64_t tcpretrans_lasting_rights(void)
{
	return rights_lasting();
}

int tcpretrans_fd(const struct tcpretrans *tracer)
{
	return tracer ? tracer->waiter.epoll : -EINVAL;
}

const struct tcpretrans_field *tcpretrans_fields(size_t *count)
{
	if (count)
		*count = event_field_count;
	return count ? event_fields : NULL;
}

const char *tcpretrans_version(void)
{
	return TCPRETRANS_VERSION " abi " TEXT(TCPRETRANS_ABI_VERSION);
}

void tcpretrans_close(struct tcpretrans *tracer)
{
	if (!tracer)
		return;
	waiter_close(&tracer->waiter);
	owners_close(&tracer->owners);
	if (is_foreign(tracer)) {
		buffer_forget(&tracer->buffer);
		programs_forget(&tracer->programs);
	} else {
		buffer_close(&tracer->buffer);
		programs_free(&tracer->programs);
	}
	free(tracer);
}
