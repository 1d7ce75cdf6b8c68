/* SPDX-License-Identifier: BSD-2-Clause */
#include "buffer.h"

int buffer_open(struct buffer *buffer, bool is_ring, int map_fd, size_t bytes)
{
	buffer->is_ring = is_ring;
	buffer->ring_fd = map_fd;
	return is_ring ? ring_map(&buffer->ring, map_fd, bytes) : perf_open(&buffer->perf, map_fd, bytes);
}

int buffer_fd(const struct buffer *buffer)
{
	return buffer->is_ring ? buffer->ring_fd : perf_fd(&buffer->perf);
}

bool buffer_waiting(const struct buffer *buffer)
{
	return buffer->is_ring ? ring_waiting(&buffer->ring) : perf_waiting(&buffer->perf);
}

int buffer_read(struct buffer *buffer, void *out, size_t size, int n)
{
	return buffer->is_ring ? ring_read(&buffer->ring, out, size, n) :
				 perf_read(&buffer->perf, out, size, n);
}

void buffer_close(struct buffer *buffer)
{
	if (buffer->is_ring)
		ring_unmap(&buffer->ring);
	else
		perf_close(&buffer->perf);
}
