/* SPDX-License-Identifier: BSD-2-Clause */
#include "buffer.h"

#include "../libtcpretrans.h"
#include "../bpf/owner_question.h"

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

int buffer_read(struct buffer *buffer, struct tcpretrans_record *record)
{
	return buffer->is_ring ? ring_read(&buffer->ring, record) :
				 perf_read(&buffer->perf, record, sizeof(*record), 1);
}

int buffer_read_events(struct buffer *buffer, struct tcpretrans_event *events, int n)
{
	return buffer->is_ring ? ring_read_events(&buffer->ring, events, n) : 0;
}

void buffer_close(struct buffer *buffer)
{
	if (buffer->is_ring)
		ring_unmap(&buffer->ring);
	else
		perf_close(&buffer->perf);
}
