/* SPDX-License-Identifier: BSD-2-Clause */
#include "ring.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>
#include "../libtcpretrans.h"
#include "../bpf/owner_question.h"

/* include/uapi/linux/bpf.h: a record is a header of eight bytes, of which the first four hold the
 * length and these bits, then the payload, padded to eight. */
#define HEADER_BYTES 8
#define BUSY         (1U << 31)
#define DISCARDED    (1U << 30)
#define LENGTH       (~(BUSY | DISCARDED))
#define SPACE(length) (((length) + HEADER_BYTES + 7) & ~7UL)

/* Telling the kernel of each record takes its cache line away each time. */
#define RELEASE_EACH 32

int ring_map(struct ring *ring, int map_fd, size_t bytes)
{
	size_t page = sysconf(_SC_PAGESIZE);
	char *pages;
	int err;

	ring->consumer = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
	if (ring->consumer == MAP_FAILED) {
		ring->consumer = NULL;
		return -errno;
	}
	pages = mmap(NULL, page + 2 * bytes, PROT_READ, MAP_SHARED, map_fd, page);
	if (pages == MAP_FAILED) {
		err = -errno;
		munmap(ring->consumer, page);
		ring->consumer = NULL;
		return err;
	}
	ring->producer = (const unsigned long *)pages;
	ring->data = pages + page;
	ring->bytes = bytes;
	ring->page = page;
	return 0;
}

bool ring_waiting(const struct ring *ring)
{
	return __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE) != *ring->consumer;
}

/* The record at `at`, or the first behind it that no program took back; NULL where that one is not
 * there, not finished, or (`err`) not one of ours. */
static inline const struct tcpretrans_record *finished(const struct ring *ring, unsigned long *at,
						       unsigned long end, int *err)
{
	while (*at < end) {
		const char *place = ring->data + (*at & (ring->bytes - 1));
		uint32_t header = __atomic_load_n((const uint32_t *)place, __ATOMIC_ACQUIRE);

		if (header & BUSY)
			return NULL;
		if (!(header & DISCARDED) && (header & LENGTH) != sizeof(struct tcpretrans_record)) {
			*err = -EPROTO;
			return NULL;
		}
		if (!(header & DISCARDED))
			return (const struct tcpretrans_record *)(place + HEADER_BYTES);
		*at += SPACE(header & LENGTH);
	}
	return NULL;
}

/* Give the kernel back what lies before `at`. */
static inline void release(struct ring *ring, unsigned long at)
{
	__atomic_store_n(ring->consumer, at, __ATOMIC_RELEASE);
}

int ring_read(struct ring *ring, struct tcpretrans_record *out)
{
	unsigned long at = *ring->consumer;
	unsigned long end = __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE);
	const struct tcpretrans_record *record;
	int err = 0;

	record = finished(ring, &at, end, &err);
	if (record) {
		*out = *record;
		at += SPACE(sizeof(*record));
	}
	release(ring, at);
	return record ? 1 : err;
}

int ring_read_events(struct ring *ring, struct tcpretrans_event *events, int n)
{
	unsigned long at = *ring->consumer;
	unsigned long end = __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE);
	const struct tcpretrans_record *record;
	int read = 0, err = 0;

	while (read < n && (record = finished(ring, &at, end, &err)) && !record->question.asked_ns) {
		events[read++] = record->event;
		at += SPACE(sizeof(*record));
		if (!(read % RELEASE_EACH))
			release(ring, at);
	}
	release(ring, at);
	return read ?: err;
}

void ring_unmap(struct ring *ring)
{
	if (!ring->consumer)
		return;
	munmap((void *)ring->producer, ring->page + 2 * ring->bytes);
	munmap(ring->consumer, ring->page);
	ring->consumer = NULL;
}
