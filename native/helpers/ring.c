/* SPDX-License-Identifier: BSD-2-Clause */
#include "ring.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* include/uapi/linux/bpf.h: a record is a header of eight bytes, of which the first four hold the
 * length and these bits, then the payload, padded to eight. */
#define HEADER_BYTES 8
#define BUSY         (1U << 31)
#define DISCARDED    (1U << 30)
#define LENGTH       (~(BUSY | DISCARDED))

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

int ring_read(struct ring *ring, void *out, size_t size, int n)
{
	unsigned long at = *ring->consumer;
	unsigned long end = __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE);
	char *to = out;
	int copied = 0;

	while (copied < n && at < end) {
		const char *record = ring->data + (at & (ring->bytes - 1));
		uint32_t header = __atomic_load_n((const uint32_t *)record, __ATOMIC_ACQUIRE);
		size_t length = header & LENGTH;

		if (header & BUSY)
			break;
		if (!(header & DISCARDED)) {
			if (length != size)
				return copied ?: -EPROTO;
			memcpy(to, record + HEADER_BYTES, size);
			to += size;
			copied++;
		}
		at += (HEADER_BYTES + length + 7) & ~7UL;
		__atomic_store_n(ring->consumer, at, __ATOMIC_RELEASE);
	}
	return copied;
}

void ring_unmap(struct ring *ring)
{
	if (!ring->consumer)
		return;
	munmap((void *)ring->producer, ring->page + 2 * ring->bytes);
	munmap(ring->consumer, ring->page);
	ring->consumer = NULL;
}
