/* SPDX-License-Identifier: BSD-2-Clause */
#include "tally.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "../bpf/counters.h"
#include "programs.h"

struct tally {
	int cpus;
	struct tcpretrans_counters *each; /* one for each possible CPU */
};

static void put(struct tcpretrans_netns *rows, int n, int place, const struct netns_key *key,
		const struct tcpretrans_counters *sum)
{
	if (place >= n)
		return;
	rows[place] = (struct tcpretrans_netns){
		.cookie = key->cookie, .netns = key->netns,
		.events = sum->events, .segs = sum->segs,
		.failed_segs = sum->failed_segs, .lost_segs = sum->lost_segs,
		.filtered_segs = sum->filtered_segs, .skipped_segs = sum->skipped_segs,
		.limited_segs = sum->limited_segs,
	};
}

static bool counted_anything(const struct tcpretrans_counters *sum)
{
	static const struct tcpretrans_counters nothing;

	return memcmp(sum, &nothing, sizeof(nothing)) != 0;
}

static int begin(struct tally *tally)
{
	tally->cpus = libbpf_num_possible_cpus();
	if (tally->cpus < 1)
		return tally->cpus;
	tally->each = calloc(tally->cpus, sizeof(*tally->each));
	return tally->each ? 0 : -ENOMEM;
}

/* The counters are 64-bit numbers and nothing else, so they add up as an array. */
static int add_up(const struct tally *tally, int map_fd, const void *key,
		  struct tcpretrans_counters *sum)
{
	uint64_t *total = (uint64_t *)sum;

	if (bpf_map_lookup_elem(map_fd, key, tally->each))
		return -errno;
	for (int cpu = 0; cpu < tally->cpus; cpu++) {
		const uint64_t *part = (const uint64_t *)&tally->each[cpu];

		for (size_t i = 0; i < sizeof(*sum) / sizeof(*total); i++)
			total[i] += part[i];
	}
	return 0;
}

/* One namespace after the other: `*place` is where its counters are. Returns 1, or 0 after the last. */
static int next_netns(const struct programs *programs, uint32_t *place, bool first, struct netns_key *key)
{
	int map_fd = programs_map_fd(programs, "netns_places");

	if (map_fd < 0)
		return 0;
	if (bpf_map_get_next_key(map_fd, first ? NULL : place, place))
		return errno == ENOENT ? 0 : -errno;
	return bpf_map_lookup_elem(map_fd, place, key) ? -errno : 1;
}

int tally_netns(const struct programs *programs, struct tcpretrans_netns *rows, int n)
{
	int map_fd = programs_map_fd(programs, "counters");
	struct tcpretrans_counters sum;
	struct tally tally = {};
	struct netns_key key;
	const uint32_t zero = 0;
	uint32_t place = 0;
	int found = 0, err = begin(&tally);

	while (!err && (err = next_netns(programs, &place, !found, &key)) > 0) {
		memset(&sum, 0, sizeof(sum));
		err = add_up(&tally, map_fd, &place, &sum);
		withheld_move(&programs->withheld, &key, &sum);
		put(rows, n, found++, &key, &sum);
	}
	memset(&sum, 0, sizeof(sum));
	err = err ?: add_up(&tally, programs_map_fd(programs, "other_netns"), &zero, &sum);
	withheld_move(&programs->withheld, &(struct netns_key){}, &sum);
	if (!err && counted_anything(&sum))
		put(rows, n, found++, &(struct netns_key){}, &sum);
	free(tally.each);
	return err ?: found;
}

int tally_all(const struct programs *programs, struct tcpretrans_stats *stats)
{
	int map_fd = programs_map_fd(programs, "counters");
	struct tcpretrans_counters sum = {};
	struct tally tally = {};
	struct netns_key key;
	const uint32_t zero = 0;
	uint32_t place = 0;
	int err = begin(&tally);

	err = err ?: add_up(&tally, programs_map_fd(programs, "other_netns"), &zero, &sum);
	for (bool first = true; !err && (err = next_netns(programs, &place, first, &key)) > 0; first = false)
		err = add_up(&tally, map_fd, &place, &sum);
	withheld_move(&programs->withheld, NULL, &sum);
	stats->events = sum.events;
	stats->segs = sum.segs;
	stats->failed = sum.failed;
	stats->failed_segs = sum.failed_segs;
	stats->lost = sum.lost;
	stats->lost_segs = sum.lost_segs;
	stats->filtered = sum.filtered;
	stats->filtered_segs = sum.filtered_segs;
	stats->skipped_segs = sum.skipped_segs;
	stats->limited = sum.limited;
	stats->limited_segs = sum.limited_segs;
	free(tally.each);
	return err;
}
