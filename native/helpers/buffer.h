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

/* Copy up to `n` records of `size` bytes, oldest first. How many, or -EPROTO. */
int buffer_read(struct buffer *buffer, void *out, size_t size, int n);

void buffer_close(struct buffer *buffer);

#endif
