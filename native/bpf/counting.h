/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Counting in the kernel: instead of events, or of what the rate limit keeps back. */
#ifndef COUNTING_H
#define COUNTING_H

#include "count_row.h"

/* The loader sets sizes of key and map. Its rows exist from the start: older kernels let tracing programs
 * have no others. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(struct count_key));
	__uint(value_size, sizeof(struct count_row));
} count_rows SEC(".maps");

/* What found no room in there. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct count_row);
} count_beyond SEC(".maps");

static const struct count_row empty_count_row;

static __always_inline void add_to(struct count_row *row, const struct count_row *more)
{
	__sync_fetch_and_add(&row->events, more->events);
	ADD(row->segs, more->segs);
	ADD(row->bytes, more->bytes);
}

static __always_inline void count_under(const struct count_key *key, const struct count_row *more)
{
	struct count_row *row = bpf_map_lookup_elem(&count_rows, key);
	__u32 zero = 0;

	if (!row) {
		bpf_map_update_elem(&count_rows, key, &empty_count_row, BPF_NOEXIST);
		row = bpf_map_lookup_elem(&count_rows, key);
	}
	if (!row)
		row = bpf_map_lookup_elem(&count_beyond, &zero);
	if (row)
		add_to(row, more);
}

static __always_inline void key_of_flow(struct count_key *key, const struct tuple *tuple)
{
	__builtin_memcpy(key->daddr, tuple->daddr, sizeof(key->daddr));
	__builtin_memcpy(key->saddr, tuple->saddr, sizeof(key->saddr));
	key->family = tuple->family;
	key->sport = tuple->sport;
	key->dport = tuple->dport;
}

static __always_inline void key_of_remote(struct count_key *key, const struct tuple *tuple)
{
	__builtin_memcpy(key->daddr, tuple->daddr, sizeof(key->daddr));
	key->family = tuple->family;
}

static __always_inline void key_of_prefix(struct count_key *key, const struct tuple *tuple)
{
	key->family = tuple->family;
	if (tuple->family == 4) {
		key->daddr[0] = tuple->daddr[0] & settings.mask4;
		return;
	}
	for (int i = 0; i < 4; i++)
		key->daddr[i] = tuple->daddr[i] & settings.mask6[i];
}

/* `key` must be zero; `number` is what is not in a tuple: pid, cgroup or reason. */
static __always_inline void fill_key(struct count_key *key, const struct tuple *tuple, __u64 number)
{
	switch (settings.count_by) {
	case TCPRETRANS_COUNT_FLOW:
		key_of_flow(key, tuple);
		break;
	case TCPRETRANS_COUNT_REMOTE:
		key_of_remote(key, tuple);
		break;
	case TCPRETRANS_COUNT_PREFIX:
		key_of_prefix(key, tuple);
		break;
	case TCPRETRANS_COUNT_LPORT:
		key->number = tuple->sport;
		break;
	case TCPRETRANS_COUNT_RPORT:
		key->number = tuple->dport;
		break;
	default:
		key->number = number;
	}
}

/* One event; a failed attempt is no retransmit, so it is in the books and in no row. */
static __always_inline void count_event(struct tcpretrans_counters *count, const struct tuple *tuple,
					__u64 number, __u32 segs, __u32 bytes, bool failed)
{
	const struct count_row more = { .events = 1, .segs = segs, .bytes = bytes };
	struct count_key key = {};

	ADD(count->events, 1);
	ADD(count->segs, segs);
	if (failed) {
		ADD(count->failed, 1);
		return;
	}
	fill_key(&key, tuple, number);
	count_under(&key, &more);
}

#endif
