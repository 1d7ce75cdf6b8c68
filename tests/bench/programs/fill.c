/* SPDX-License-Identifier: BSD-2-Clause */
/* fill RING_ID EVENTS_FILE: write recorded events into that ring, as told on stdin:
 *
 *	full                    until one finds no room      -> "WRITTEN FAILED NANOSECONDS"
 *	rate PER_SECOND SECONDS so many, evenly              -> the same
 *	waiting                 how much nobody has read yet -> "BYTES"
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include "tcpretrans_event.h"
#include "bpf/owner_question.h"
#include "fill.h"
#include "fill.skel.h"

#define TICK_NS 1000000

static long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000L + now.tv_nsec;
}

/* Each recorded event in a record of its own, which asks for no owner. */
static int load_events(struct fill_bpf *bpf, const char *path)
{
	FILE *file = fopen(path, "rb");
	struct tcpretrans_record record = {};
	__u32 place;

	if (!file)
		return -errno;
	for (place = 0; place < FILL_RECORDS; place++) {
		if (fread(&record.event, sizeof(record.event), 1, file) != 1) {
			rewind(file);
			if (!place || fread(&record.event, sizeof(record.event), 1, file) != 1)
				break;
		}
		if (bpf_map__update_elem(bpf->maps.recorded, &place, sizeof(place), &record,
					 sizeof(record), BPF_ANY))
			break;
	}
	fclose(file);
	return place == FILL_RECORDS ? 0 : -EINVAL;
}

static struct fill_bpf *open_program(__u32 ring_id, const char *path)
{
	struct fill_bpf *bpf = fill_bpf__open();
	int ring = bpf_map_get_fd_by_id(ring_id);

	if (bpf && ring >= 0 && !bpf_map__reuse_fd(bpf->maps.ring, ring) && !fill_bpf__load(bpf) &&
	    !load_events(bpf, path))
		return bpf;
	fprintf(stderr, "fill: ring %u or %s cannot be used: %s\n", ring_id, path, strerror(errno));
	return NULL;
}

static int call(struct fill_bpf *bpf, __u32 records, bool until_full)
{
	LIBBPF_OPTS(bpf_test_run_opts, options);

	bpf->bss->order = (struct fill_order){ .records = records, .until_full = until_full };
	return bpf_prog_test_run_opts(bpf_program__fd(bpf->progs.fill), &options);
}

static int until_full(struct fill_bpf *bpf)
{
	const __u64 before = bpf->bss->result.failed;

	while (bpf->bss->result.failed == before) {
		if (call(bpf, FILL_AT_ONCE, true))
			return -1;
	}
	return 0;
}

/* What is due since the start is written each millisecond; who comes late catches up. */
static int at_rate(struct fill_bpf *bpf, long per_second, long seconds)
{
	const long began = now_ns();
	long done = 0, due, share;

	while (done < per_second * seconds) {
		due = (now_ns() - began) / 1000 * per_second / 1000000;
		if (due > per_second * seconds)
			due = per_second * seconds;
		while (done < due) {
			share = due - done < FILL_AT_ONCE ? due - done : FILL_AT_ONCE;
			if (call(bpf, share, false))
				return -1;
			done += share;
		}
		if (done < per_second * seconds)
			nanosleep(&(struct timespec){ .tv_nsec = TICK_NS }, NULL);
	}
	return 0;
}

static unsigned long waiting(const struct fill_bpf *bpf)
{
	const long page = sysconf(_SC_PAGESIZE);
	const unsigned long *consumer = mmap(NULL, page, PROT_READ, MAP_SHARED,
					     bpf_map__fd(bpf->maps.ring), 0);
	const unsigned long *producer = mmap(NULL, page, PROT_READ, MAP_SHARED,
					     bpf_map__fd(bpf->maps.ring), page);
	unsigned long bytes = 0;

	if (consumer == MAP_FAILED || producer == MAP_FAILED)
		exit(1);
	bytes = *producer - *consumer;
	munmap((void *)consumer, page);
	munmap((void *)producer, page);
	return bytes;
}

static int obey(struct fill_bpf *bpf, const char *line)
{
	const struct fill_result before = bpf->bss->result;
	const long began = now_ns();
	long per_second, seconds;
	int err;

	if (!strcmp(line, "waiting\n"))
		return printf("%lu\n", waiting(bpf)) < 0;
	if (sscanf(line, "rate %ld %ld", &per_second, &seconds) == 2)
		err = at_rate(bpf, per_second, seconds);
	else
		err = until_full(bpf);
	printf("%llu %llu %ld\n", (unsigned long long)(bpf->bss->result.written - before.written),
	       (unsigned long long)(bpf->bss->result.failed - before.failed), now_ns() - began);
	return err;
}

int main(int argc, char **argv)
{
	char line[80];
	struct fill_bpf *bpf = argc == 3 ? open_program(atoi(argv[1]), argv[2]) : NULL;

	if (!bpf)
		return 1;
	setlinebuf(stdout);
	printf("ready\n");
	while (fgets(line, sizeof(line), stdin)) {
		if (obey(bpf, line))
			return 1;
	}
	fill_bpf__destroy(bpf);
	return 0;
}
