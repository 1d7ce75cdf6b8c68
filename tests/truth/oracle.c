/* SPDX-License-Identifier: BSD-2-Clause */
/* oracle HAS_ERR: write the oracle's records to stdout until stdin ends. "ready" on stderr says
 * that everything from now on is recorded; the last line there says what was not.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include "oracle.skel.h"

static int write_record(void *ctx, void *data, size_t size)
{
	return fwrite(data, size, 1, ctx) == 1 ? 0 : -1;
}

static bool told_to_end(void)
{
	struct pollfd input = { .fd = 0, .events = POLLIN };

	return poll(&input, 1, 0) != 0;
}

/* Times the kernel skipped the program about retransmits. */
static unsigned long long misses(const struct oracle_bpf *oracle)
{
	struct bpf_prog_info info = {};
	__u32 length = sizeof(info);

	if (bpf_obj_get_info_by_fd(bpf_program__fd(oracle->progs.on_retransmit_skb), &info, &length))
		return 0;
	return info.recursion_misses;
}

static int record(struct oracle_bpf *oracle)
{
	struct ring_buffer *ring = ring_buffer__new(bpf_map__fd(oracle->maps.records), write_record,
						    stdout, NULL);
	int err = 0;

	if (!ring)
		return -1;
	fprintf(stderr, "ready\n");
	while (err >= 0 && !told_to_end())
		err = ring_buffer__poll(ring, 20);
	oracle_bpf__detach(oracle);
	if (err >= 0)
		err = ring_buffer__consume(ring);
	ring_buffer__free(ring);
	return err;
}

int main(int argc, char **argv)
{
	struct oracle_bpf *oracle = oracle_bpf__open();
	int err = -1;

	if (!oracle)
		return 1;
	oracle->rodata->has_err = argc > 1 && !strcmp(argv[1], "1");
	if (!oracle_bpf__load(oracle) && !oracle_bpf__attach(oracle))
		err = record(oracle);
	if (err >= 0 && fflush(stdout))
		err = -1;
	if (err >= 0)
		fprintf(stderr, "lost %llu missed %llu\n", (unsigned long long)oracle->bss->lost,
			misses(oracle));
	oracle_bpf__destroy(oracle);
	return err < 0;
}
