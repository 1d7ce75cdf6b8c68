/* SPDX-License-Identifier: BSD-2-Clause */
#include "buffer.h"

#include <sys/sysinfo.h>
#include <unistd.h>
#include "../libtcpretrans.h"
#include "../bpf/owner_question.h"

#define FOR_EACH_CPU (2ULL << 20)
#define LEAST        (4ULL << 20)
#define MOST         (64ULL << 20)
#define LEAST_OF_ALL (1ULL << 20)
#define SHARE        512 /* of the memory, at most one part of so many */

/* Storms grow with the CPUs that make them, and the buffer with them. */
size_t buffer_default_bytes(bool only_counts)
{
	uint64_t wanted = FOR_EACH_CPU * sysconf(_SC_NPROCESSORS_CONF), bytes = LEAST;
	struct sysinfo info;

	if (only_counts)
		return sysconf(_SC_PAGESIZE);
	while (bytes < wanted && bytes < MOST)
		bytes *= 2;
	if (sysinfo(&info))
		return bytes;
	while (bytes > LEAST_OF_ALL && bytes > (uint64_t)info.totalram * info.mem_unit / SHARE)
		bytes /= 2;
	return bytes;
}

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

void buffer_forget(struct buffer *buffer)
{
	if (buffer->is_ring)
		ring_unmap(&buffer->ring);
	else
		perf_forget(&buffer->perf);
}

void buffer_close(struct buffer *buffer)
{
	if (buffer->is_ring)
		ring_unmap(&buffer->ring);
	else
		perf_close(&buffer->perf);
}
