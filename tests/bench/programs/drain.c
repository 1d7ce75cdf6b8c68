/* SPDX-License-Identifier: BSD-2-Clause */
/* drain ours|libbpf: empty a ring at each line of stdin, and tell "EVENTS NANOSECONDS" of CPU time.
 *
 * Ours is the ring of a tracer, copied into the caller's array; libbpf's is one of the same size,
 * read with a callback that does nothing. The first line of stdout is the ring's id.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "libtcpretrans.h"

#define RING_BYTES (4 << 20)
#define AT_ONCE    16384

static struct tcpretrans *tracer;
static struct ring_buffer *bare;
static struct tcpretrans_event events[AT_ONCE];

static long cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return now.tv_sec * 1000000000L + now.tv_nsec;
}

/* The id of this process's only ring buffer, or 0. */
static __u32 ring_of_tracer(void)
{
	struct bpf_map_info info;
	__u32 length;

	for (int fd = 3; fd < 256; fd++) {
		length = sizeof(info);
		memset(&info, 0, sizeof(info));
		if (!bpf_map_get_info_by_fd(fd, &info, &length) && info.type == BPF_MAP_TYPE_RINGBUF)
			return info.id;
	}
	return 0;
}

static int ignore(void *ctx, void *data, size_t size)
{
	return 0;
}

static __u32 open_ours(void)
{
	char why[512];
	struct tcpretrans_opts opts = { .size = sizeof(opts), .ring_bytes = RING_BYTES, .error = why,
					.error_size = sizeof(why) };

	if (!tcpretrans_open(&opts, &tracer))
		return ring_of_tracer();
	fprintf(stderr, "drain: %s\n", why);
	return 0;
}

static __u32 open_bare(void)
{
	struct bpf_map_info info = {};
	__u32 length = sizeof(info);
	int map = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "bare", 0, 0, RING_BYTES, NULL);

	bare = map < 0 ? NULL : ring_buffer__new(map, ignore, NULL, NULL);
	return bare && !bpf_map_get_info_by_fd(map, &info, &length) ? info.id : 0;
}

/* All that waits. How many, or -errno. */
static long empty(void)
{
	long all = 0, got;

	if (bare)
		return ring_buffer__consume(bare);
	do {
		got = tcpretrans_drain(tracer, events, AT_ONCE);
		all += got > 0 ? got : 0;
	} while (got > 0);
	return got < 0 ? got : all;
}

int main(int argc, char **argv)
{
	char line[80];
	__u32 ring = argc == 2 && !strcmp(argv[1], "ours") ? open_ours() : open_bare();

	if (!ring)
		return 1;
	setlinebuf(stdout);
	printf("%u\n", ring);
	while (fgets(line, sizeof(line), stdin)) {
		long began = cpu_ns();
		long count = empty();

		if (count < 0)
			return 1;
		printf("%ld %ld\n", count, cpu_ns() - began);
	}
	tcpretrans_close(tracer);
	ring_buffer__free(bare);
	return 0;
}
