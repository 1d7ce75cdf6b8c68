/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The same events for kernels that give no type information (BTF), out of the records of the
 * tracepoints alone. What a record does not hold stays unknown: how many segments, whose namespace,
 * and mostly why.
 *
 * An object of its own: one CO-RE relocation would make it unloadable there.
 */
#include "kernel_types.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include "tcpretrans_event.h"
#include "settings.h"
#include "counters.h"
#include "wakeup.h"
#include "owner_question.h"
#include "totals.h"
#include "cause.h"
#include "tuple.h"
#include "filter_rules.h"
#include "filter.h"
#include "output.h"
#include "counting.h"
#include "limit.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Who opened a socket, by its address. */
struct opener {
	__u32 pid;
	char comm[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct opener);
} openers SEC(".maps");

/* The value of a field, 0 where the record has none. */
#define VALUE(type, ctx, offset) ({ \
	type value = 0; \
	if (offset) \
		bpf_probe_read_kernel(&value, sizeof(value), (const char *)(ctx) + (offset)); \
	value; \
})

/* IPv4 addresses are in there as mapped ones. */
static __always_inline void read_address(__u32 *words, const void *from)
{
	bpf_probe_read_kernel(words, 16, from);
	if (is_v4_mapped(words)) {
		words[0] = words[3];
		words[2] = words[3] = 0;
	}
}

static __always_inline void read_tuple(struct tuple *tuple, const void *ctx,
				       const volatile struct tcpretrans_offsets *at)
{
	bpf_probe_read_kernel(tuple->daddr, sizeof(tuple->daddr), (const char *)ctx + at->daddr_v6);
	tuple->family = is_v4_mapped(tuple->daddr) ? 4 : 6;
	read_address(tuple->saddr, (const char *)ctx + at->saddr_v6);
	read_address(tuple->daddr, (const char *)ctx + at->daddr_v6);
	tuple->sport = VALUE(__u16, ctx, at->sport);
	tuple->dport = VALUE(__u16, ctx, at->dport);
}

/* The token buckets of sockets, by their addresses. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, __u64);
} buckets SEC(".maps");

static __always_inline bool is_held_back(struct tcpretrans_counters *count, const struct tuple *tuple,
					 __u64 sk, const struct cause *cause)
{
	__u64 *paid_until_ns, never = 0;

	if (!settings.interval_ns)
		return false;
	paid_until_ns = bpf_map_lookup_elem(&buckets, &sk);
	if (!paid_until_ns) {
		bpf_map_update_elem(&buckets, &sk, &never, BPF_NOEXIST);
		paid_until_ns = bpf_map_lookup_elem(&buckets, &sk);
	}
	if (!paid_until_ns || !is_over_limit(paid_until_ns, cause->ts_ns))
		return false;
	limit(count, tuple, 0, 0);
	return true;
}

static __always_inline bool is_counted(struct tcpretrans_counters *count, const struct tuple *tuple,
				       const struct opener *opener, const struct cause *cause, bool failed)
{
	__u64 number = cause->reason;

	if (!settings.count_by)
		return false;
	if (settings.count_by == TCPRETRANS_COUNT_PID)
		number = opener ? opener->pid : 0;
	count_event(count, tuple, number, 0, 0, failed);
	return true;
}

static __always_inline const struct opener *opener_of(__u64 sk)
{
	return settings.no_owners ? 0 : bpf_map_lookup_elem(&openers, &sk);
}

static __always_inline void fill_opener(struct tcpretrans_event *event, const struct opener *opener)
{
	if (!opener)
		return;
	event->owner_pid = opener->pid;
	event->owner_how = TCPRETRANS_OWNER_OPENER;
	__builtin_memcpy(event->owner_comm, opener->comm, sizeof(event->owner_comm));
	event->known |= TCPRETRANS_KNOWN_OWNER;
}

static __always_inline bool passes(const struct tuple *tuple, const struct cause *cause,
				   const struct opener *opener)
{
	const struct filter *filter = current_filter();

	return filter && passes_tuple(filter, tuple) && passes_cause(filter, cause) &&
	       passes_pid(filter, opener ? opener->pid : 0);
}

/* What both tracepoints' records hold. */
static __always_inline struct tcpretrans_record *begin_from(struct tcpretrans_counters *count,
							    const struct tuple *tuple, __u8 kind,
							    __u8 reason, __u64 sk, __s32 err)
{
	const struct cause cause = { .ts_ns = bpf_ktime_get_ns(), .reason = reason };
	const struct opener *opener = opener_of(sk);
	struct tcpretrans_record *record;

	if (!passes(tuple, &cause, opener)) {
		keep_back(count, 0);
		return 0;
	}
	if (is_counted(count, tuple, opener, &cause, err) || is_held_back(count, tuple, sk, &cause))
		return 0;
	record = begin(count, &cause, 0);
	if (!record)
		return 0;
	record->event.kind = kind;
	record->event.family = tuple->family;
	__builtin_memcpy(record->event.saddr, tuple->saddr, sizeof(record->event.saddr));
	__builtin_memcpy(record->event.daddr, tuple->daddr, sizeof(record->event.daddr));
	record->event.sport = tuple->sport;
	record->event.dport = tuple->dport;
	record->event.state = tuple->state;
	record->event.err = err;
	record->event.known |= TCPRETRANS_KNOWN_SENT;
	fill_opener(&record->event, opener);
	return record;
}

SEC("tracepoint/tcp/tcp_retransmit_skb")
int on_retransmit_skb(void *ctx)
{
	struct tcpretrans_counters *count = counters_of_others();
	struct tuple tuple = { .state = VALUE(__u32, ctx, settings.skb.state) };
	struct tcpretrans_record *record;

	if (!count)
		return 0;
	read_tuple(&tuple, ctx, &settings.skb);
	record = begin_from(count, &tuple, TCPRETRANS_KIND_SKB,
			    tuple.state == TCP_SYN_SENT ? TCPRETRANS_REASON_SYN :
							  TCPRETRANS_REASON_UNKNOWN,
			    VALUE(__u64, ctx, settings.skb.skaddr), VALUE(__s32, ctx, settings.skb.err));
	if (!record)
		return 0;
	submit(ctx, count, record, false);
	return 0;
}

SEC("tracepoint/tcp/tcp_retransmit_synack")
int on_retransmit_synack(void *ctx)
{
	struct tcpretrans_counters *count = counters_of_others();
	struct tuple tuple = { .state = TCP_NEW_SYN_RECV };
	struct tcpretrans_record *record;

	if (!count)
		return 0;
	read_tuple(&tuple, ctx, &settings.synack);
	record = begin_from(count, &tuple, TCPRETRANS_KIND_SYNACK, TCPRETRANS_REASON_SYNACK,
			    VALUE(__u64, ctx, settings.synack.skaddr), 0);
	if (!record)
		return 0;
	submit(ctx, count, record, false);
	return 0;
}

/* connect() and listen() change the state in the process that calls them; nothing else that the
 * record tells of surely does. */
SEC("tracepoint/sock/inet_sock_set_state")
int on_set_state(void *ctx)
{
	__u64 sk = VALUE(__u64, ctx, settings.set_state.skaddr);
	__u32 state = VALUE(__u32, ctx, settings.set_state.newstate);
	struct opener opener = { .pid = bpf_get_current_pid_tgid() >> 32 };

	if (VALUE(__u8, ctx, settings.set_state.protocol) != IPPROTO_TCP)
		return 0;
	if (state == TCP_SYN_SENT || state == TCP_LISTEN) {
		bpf_get_current_comm(opener.comm, sizeof(opener.comm));
		bpf_map_update_elem(&openers, &sk, &opener, 0);
	} else if (state == TCP_CLOSE || state == TCP_SYN_RECV) {
		bpf_map_delete_elem(&openers, &sk);
	}
	return 0;
}
