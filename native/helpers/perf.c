/* SPDX-License-Identifier: BSD-2-Clause */
#include "perf.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MIN_PAGES 8

/* A sample as our programs make it: a header, the length of what follows, and the record. */
struct sample {
	struct perf_event_header header;
	uint32_t length;
};

/* Records are read by perf_read(); libbpf wants something to call all the same. */
static enum bpf_perf_event_ret leave(void *ctx, int cpu, struct perf_event_header *event)
{
	(void)ctx, (void)cpu, (void)event;
	return LIBBPF_PERF_EVENT_CONT;
}

int perf_open(struct perf *perf, int map_fd, size_t bytes)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE, .config = PERF_COUNT_SW_BPF_OUTPUT, .size = sizeof(attr),
		.sample_type = PERF_SAMPLE_RAW, .sample_period = 1, .wakeup_events = 1,
	};
	int cpus = libbpf_num_possible_cpus();
	size_t pages = MIN_PAGES;

	if (cpus < 1)
		return cpus;
	while (2 * pages * cpus * sysconf(_SC_PAGESIZE) <= bytes)
		pages *= 2;
	perf->buffers = perf_buffer__new_raw(map_fd, pages, &attr, leave, NULL, NULL);
	if (!perf->buffers)
		return -errno;
	perf->count = perf_buffer__buffer_cnt(perf->buffers);
	return 0;
}

int perf_fd(const struct perf *perf)
{
	return perf_buffer__epoll_fd(perf->buffers);
}

/* One CPU's buffer: a page that says how far it is written and read, then the data. */
struct one {
	struct perf_event_mmap_page *page;
	const char *data;
	uint64_t mask;
};

static bool get_one(const struct perf *perf, int place, struct one *one)
{
	size_t size;
	void *base;

	if (perf_buffer__buffer(perf->buffers, place, &base, &size))
		return false; /* a CPU that is not online */
	one->page = base;
	one->data = (const char *)base + sysconf(_SC_PAGESIZE);
	one->mask = size - 1;
	return true;
}

/* Copy from what may begin at the end of the data and go on at its start. */
static void copy_from(const struct one *one, uint64_t at, void *out, size_t size)
{
	size_t before_end = one->mask + 1 - (at & one->mask);

	if (before_end > size)
		before_end = size;
	memcpy(out, one->data + (at & one->mask), before_end);
	memcpy((char *)out + before_end, one->data, size - before_end);
}

static void drop(struct one *one, const struct perf_event_header *header)
{
	__atomic_store_n(&one->page->data_tail, one->page->data_tail + header->size, __ATOMIC_RELEASE);
}

/* The next sample; other kinds of records tell of losses, which the programs count themselves. 1, 0 where
 * there is none, or -EPROTO where its lengths cannot be. */
static int peek(struct one *one, struct sample *sample)
{
	uint64_t head;

	while (one->page->data_tail != (head = __atomic_load_n(&one->page->data_head, __ATOMIC_ACQUIRE))) {
		uint32_t size;

		copy_from(one, one->page->data_tail, sample, sizeof(*sample));
		size = sample->header.size;
		if (size < sizeof(sample->header) || size > head - one->page->data_tail)
			return -EPROTO;
		if (sample->header.type == PERF_RECORD_SAMPLE)
			return sample->length + sizeof(*sample) <= size ? 1 : -EPROTO;
		drop(one, &sample->header);
	}
	return 0;
}

bool perf_waiting(const struct perf *perf)
{
	struct sample sample;
	struct one one;

	for (int i = 0; i < perf->count; i++)
		if (get_one(perf, i, &one) && peek(&one, &sample))
			return true;
	return false;
}

/* The CPU whose next record, of at least `size` bytes, is the oldest. 1, 0 where there is none, or -EPROTO. */
static int find_oldest(const struct perf *perf, size_t size, struct one *oldest, struct sample *sample)
{
	uint64_t earliest = 0, time;
	struct sample next;
	struct one one;
	int found = 0;

	for (int i = 0; i < perf->count; i++) {
		int got = get_one(perf, i, &one) ? peek(&one, &next) : 0;

		if (got > 0 && next.length < size)
			got = -EPROTO;
		if (got < 0)
			return got;
		if (!got)
			continue;
		copy_from(&one, one.page->data_tail + sizeof(next), &time, sizeof(time));
		if (found && time >= earliest)
			continue;
		found = 1;
		earliest = time;
		*oldest = one;
		*sample = next;
	}
	return found;
}

int perf_read(struct perf *perf, void *out, size_t size, int n)
{
	struct sample sample = {};
	struct one one = {};
	int copied, found = 0;

	for (copied = 0; copied < n; copied++) {
		/* Twice: what preceded the first one found was all there before it, but maybe not yet when its CPU was looked at. */
		found = find_oldest(perf, size, &one, &sample);
		if (found > 0)
			found = find_oldest(perf, size, &one, &sample);
		if (found <= 0)
			break;
		copy_from(&one, one.page->data_tail + sizeof(sample), (char *)out + copied * size, size);
		drop(&one, &sample.header);
	}
	return copied ?: found;
}

void perf_close(struct perf *perf)
{
	perf_buffer__free(perf->buffers);
	perf->buffers = NULL;
}

/* perf_buffer__free() would switch the events off and take them out of the map, for the parent too. */
void perf_forget(struct perf *perf)
{
	size_t size;
	void *base;

	for (int i = 0; i < perf->count; i++) {
		if (perf_buffer__buffer(perf->buffers, i, &base, &size))
			continue;
		munmap(base, size + sysconf(_SC_PAGESIZE));
		close(perf_buffer__buffer_fd(perf->buffers, i));
	}
	if (perf->buffers)
		close(perf_buffer__epoll_fd(perf->buffers));
	perf->buffers = NULL;
}
