/* SPDX-License-Identifier: BSD-2-Clause */
#include "counts.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include "../bpf/count_row.h"
#include "attempt.h"
#include "conditions.h"

#define BATCH        4096
#define DEFAULT_ROWS 65536 /* of counts; */
#define LIMITED_ROWS 4096  /* of flows that the rate limit kept something back of */
#define SECOND_NS    1000000000ULL
#define KEY_BYTES(last) (offsetof(struct count_key, last) + sizeof(((struct count_key *)0)->last))

/* As long as what a count is kept by: a shorter key is found faster. */
static uint32_t key_bytes(uint32_t by)
{
	switch (by) {
	case TCPRETRANS_COUNT_NONE: /* flows that have more than the rate limit lets through */
	case TCPRETRANS_COUNT_FLOW:
		return KEY_BYTES(saddr);
	case TCPRETRANS_COUNT_REMOTE:
	case TCPRETRANS_COUNT_PREFIX:
		return KEY_BYTES(family);
	default:
		return KEY_BYTES(number);
	}
}

/* The word of an address in which a prefix of `bits` has its bits from `first` on. */
static uint32_t mask_word(uint32_t bits, uint32_t first)
{
	if (bits <= first)
		return 0;
	return bits - first >= 32 ? UINT32_MAX : htonl(UINT32_MAX << (32 - (bits - first)));
}

static void set_prefixes(struct tcpretrans_settings *settings, const struct tcpretrans_opts *opts)
{
	settings->mask4 = mask_word(opts->prefix4 ?: 24, 0);
	for (int i = 0; i < 4; i++)
		settings->mask6[i] = mask_word(opts->prefix6 ?: 64, 32 * i);
}

static void set_rate(struct tcpretrans_settings *settings, const struct tcpretrans_opts *opts)
{
	uint64_t rate = opts->rate ?: TCPRETRANS_DEFAULT_RATE;
	uint64_t burst = opts->burst ?: 2 * rate;

	if (opts->rate == TCPRETRANS_NO_RATE || opts->count_by)
		return;
	settings->interval_ns = rate > SECOND_NS ? 1 : SECOND_NS / rate;
	settings->burst_ns = (burst - 1) * settings->interval_ns;
}

static void add_needs(struct counts_needs *needs, const struct tcpretrans_conditions *given)
{
	const struct explain nobody = {};
	struct tcpretrans_conditions known;

	if (conditions_read(&known, given, &nobody))
		return;
	needs->cause = needs->cause || known.reasons || known.min_stall_us;
	needs->owners = needs->owners || known.n_pids;
}

struct counts_needs counts_needs_of(const struct tcpretrans_filter *filter)
{
	struct counts_needs needs = {};

	if (filter) {
		add_needs(&needs, filter->only);
		add_needs(&needs, filter->never);
	}
	return needs;
}

int counts_prepare(struct attempt *attempt)
{
	const struct tcpretrans_opts *opts = attempt->opts;
	struct tcpretrans_settings *settings = &attempt->settings;
	struct bpf_map *map = bpf_object__find_map_by_name(attempt->programs->object, "count_rows");
	int err;

	settings->count_by = opts->count_by;
	if (opts->count_by && !counts_needs_of(opts->filter).cause) {
		settings->no_reason = opts->count_by != TCPRETRANS_COUNT_REASON;
		settings->no_stall = true;
	}
	set_prefixes(settings, opts);
	set_rate(settings, opts);
	err = bpf_map__set_key_size(map, key_bytes(opts->count_by));
	return err ?: bpf_map__set_max_entries(
		map, opts->count_rows ?: opts->count_by ? DEFAULT_ROWS : LIMITED_ROWS);
}

static struct tcpretrans_count sums_of(const struct count_row *row)
{
	return (struct tcpretrans_count){ .events = row->events, .segs = row->segs, .bytes = row->bytes };
}

static void put(struct tcpretrans_count *to, const struct count_key *key, const struct count_row *row,
		uint32_t bytes)
{
	*to = sums_of(row);
	if (bytes <= sizeof(key->number)) {
		to->number = key->number;
		return;
	}
	to->family = key->family;
	memcpy(to->daddr, key->daddr, sizeof(to->daddr));
	if (bytes < sizeof(*key))
		return;
	memcpy(to->saddr, key->saddr, sizeof(to->saddr));
	to->sport = key->sport;
	to->dport = key->dport;
}

/* The map's keys, as long as they are, and values. */
struct reading {
	int map_fd;
	uint32_t bytes; /* of a key */
	char *keys;
	struct count_row *values;
	struct tcpretrans_count *rows;
	int n;
	int found;
};

static void take(struct reading *reading, uint32_t count)
{
	struct count_key key = {};

	for (uint32_t i = 0; i < count; i++, reading->found++) {
		if (reading->found >= reading->n)
			continue;
		memcpy(&key, reading->keys + i * reading->bytes, reading->bytes);
		put(&reading->rows[reading->found], &key, &reading->values[i], reading->bytes);
	}
}

static int read_batches(struct reading *reading)
{
	uint32_t count, place = 0;
	void *from = NULL;
	int err;

	do {
		count = BATCH;
		err = bpf_map_lookup_batch(reading->map_fd, from, &place, reading->keys, reading->values,
					   &count, NULL);
		if (err && err != -ENOENT)
			return err;
		take(reading, count);
		from = &place;
	} while (!err);
	return 0;
}

/* For kernels that read no batches. A row is never deleted, so each has a next one. */
static int read_one_by_one(struct reading *reading)
{
	char *previous = NULL, *next = reading->keys, *other = reading->keys + reading->bytes;

	while (!bpf_map_get_next_key(reading->map_fd, previous, next)) {
		if (bpf_map_lookup_elem(reading->map_fd, next, reading->values))
			return -errno;
		memmove(reading->keys, next, reading->bytes);
		take(reading, 1);
		previous = reading->keys;
		next = other;
	}
	return errno == ENOENT ? 0 : -errno;
}

static int read_rows(struct reading *reading)
{
	int err;

	reading->keys = calloc(BATCH, reading->bytes);
	reading->values = calloc(BATCH, sizeof(*reading->values));
	err = reading->keys && reading->values ? read_batches(reading) : -ENOMEM;
	if (err && err != -ENOMEM) {
		reading->found = 0;
		err = read_one_by_one(reading);
	}
	free(reading->keys);
	free(reading->values);
	return err;
}

/* What found no room, of all CPUs. */
static int read_beyond(int map_fd, struct tcpretrans_count *beyond)
{
	int cpus = libbpf_num_possible_cpus(), err;
	struct count_row *each = cpus > 0 ? calloc(cpus, sizeof(*each)) : NULL;
	struct count_row sum = {};
	const uint32_t zero = 0;

	if (!each)
		return cpus < 0 ? cpus : -ENOMEM;
	err = bpf_map_lookup_elem(map_fd, &zero, each) ? -errno : 0;
	for (int cpu = 0; cpu < cpus; cpu++) {
		sum.events += each[cpu].events;
		sum.segs += each[cpu].segs;
		sum.bytes += each[cpu].bytes;
	}
	free(each);
	*beyond = sums_of(&sum);
	return err;
}

int counts_read(const struct programs *programs, struct tcpretrans_count *rows, int n,
		struct tcpretrans_count *beyond)
{
	const struct bpf_map *map = bpf_object__find_map_by_name(programs->object, "count_rows");
	struct reading reading = { .rows = rows, .n = n, .map_fd = bpf_map__fd(map) };
	struct bpf_map_info info = {};
	uint32_t length = sizeof(info);
	int err;

	*beyond = (struct tcpretrans_count){};
	if (!bpf_map__autocreate(map)) /* nothing is limited, so there is none */
		return 0;
	if (bpf_obj_get_info_by_fd(reading.map_fd, &info, &length))
		return -errno;
	reading.bytes = info.key_size;
	err = read_rows(&reading);
	err = err ?: read_beyond(programs_map_fd(programs, "count_beyond"), beyond);
	return err ?: reading.found;
}
