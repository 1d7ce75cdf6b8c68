/* SPDX-License-Identifier: BSD-2-Clause */
/* Where records come out: a ring buffer or perf buffers. */
#ifndef BUFFER_H
#define BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include "perf.h"
#include "ring.h"

struct buffer {
	bool is_ring;
	int ring_fd;
	struct ring ring;
	struct perf perf;
};

/* How big one is when nobody says; `only_counts`: nothing will be written into it. */
size_t buffer_default_bytes(bool only_counts);

/* Open the buffer behind a map: a ring of exactly `bytes`, or perf buffers of about as much. 0 or
 * -errno. */
int buffer_open(struct buffer *buffer, bool is_ring, int map_fd, size_t bytes);

/* A descriptor that is readable when something may be waiting. */
int buffer_fd(const struct buffer *buffer);

bool buffer_waiting(const struct buffer *buffer);

/* Copy the next record, the oldest. 1, 0 where there is none, or -EPROTO. */
int buffer_read(struct buffer *buffer, struct tcpretrans_record *record);

/* Copy up to `n` events at once, as far as no record comes that asks a question; none from perf
 * buffers. How many, or -EPROTO. */
int buffer_read_events(struct buffer *buffer, struct tcpretrans_event *events, int n);

void buffer_close(struct buffer *buffer);

/* The same in a fork()ed child, which ends nothing of the parent's. */
void buffer_forget(struct buffer *buffer);

#endif
