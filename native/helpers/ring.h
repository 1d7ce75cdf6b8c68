/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading a BPF ring buffer (kernel/bpf/ringbuf.c) straight into the caller's array. */
#ifndef RING_H
#define RING_H

#include <stdbool.h>
#include <stddef.h>

struct tcpretrans_event;
struct tcpretrans_record;

struct ring {
	unsigned long *consumer;       /* how far we have read */
	const unsigned long *producer; /* how far the kernel has reserved */
	const char *data;              /* mapped twice in a row, so that no record is torn */
	size_t bytes;
	size_t page;
};

/* Map the ring of `map_fd`, which holds `bytes`. 0 or -errno. */
int ring_map(struct ring *ring, int map_fd, size_t bytes);

/* Whether a record may be waiting. */
bool ring_waiting(const struct ring *ring);

/* Copy the next record. 1, 0 where there is none, or -EPROTO where it is not one of ours. */
int ring_read(struct ring *ring, struct tcpretrans_record *record);

/* Copy up to `n` events, as far as no record comes that asks a question. How many, or -EPROTO. */
int ring_read_events(struct ring *ring, struct tcpretrans_event *events, int n);

void ring_unmap(struct ring *ring);

#endif
