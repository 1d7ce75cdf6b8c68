/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading BPF perf buffers (include/uapi/linux/perf_event.h): one for each CPU, merged by time. */
#ifndef PERF_H
#define PERF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct perf_buffer;

struct perf {
	struct perf_buffer *buffers;
	int count;
};

/* Open the buffers of the map, of about `bytes` together. 0 or -errno. */
int perf_open(struct perf *perf, int map_fd, size_t bytes);

/* Readable when a record came. */
int perf_fd(const struct perf *perf);

bool perf_waiting(const struct perf *perf);

/* Copy up to `n` records of `size` bytes, which begin with their time, oldest first. How many, or
 * -EPROTO where one is shorter. */
int perf_read(struct perf *perf, void *out, size_t size, int n);

void perf_close(struct perf *perf);

/* In a fork()ed child: let go of what is mapped and open here, and leave the parent's buffers on. */
void perf_forget(struct perf *perf);

#endif
