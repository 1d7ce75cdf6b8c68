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
#include "output.h"

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
static __always_inline bool is_v4_mapped(const __u32 *words)
{
	return !words[0] && !words[1] && words[2] == bpf_htonl(0xffff);
}

static __always_inline void fill_address(__u8 *to, __u8 family, const __u32 *words)
{
	if (family == 4)
		*(__u32 *)to = words[3];
	else
		__builtin_memcpy(to, words, 16);
}

/* What both tracepoints' records hold. */
static __always_inline struct tcpretrans_record *
begin_from(void *ctx, struct tcpretrans_counters *count, __u8 kind,
	   const volatile struct tcpretrans_offsets *at)
{
	__u32 local[4] = {}, remote[4] = {};
	struct tcpretrans_record *record;
	__u8 family;

	bpf_probe_read_kernel(local, sizeof(local), (const char *)ctx + at->saddr_v6);
	bpf_probe_read_kernel(remote, sizeof(remote), (const char *)ctx + at->daddr_v6);
	family = is_v4_mapped(remote) ? 4 : 6;
	record = begin(count, family, 0);
	if (!record)
		return 0;
	record->event.kind = kind;
	record->event.family = family;
	fill_address(record->event.saddr, family, local);
	fill_address(record->event.daddr, family, remote);
	record->event.sport = VALUE(__u16, ctx, at->sport);
	record->event.dport = VALUE(__u16, ctx, at->dport);
	record->event.known |= TCPRETRANS_KNOWN_SENT;
	return record;
}

static __always_inline void find_opener(struct tcpretrans_event *event, __u64 sk)
{
	const struct opener *opener = bpf_map_lookup_elem(&openers, &sk);

	if (!opener || settings.no_owners)
		return;
	event->owner_pid = opener->pid;
	event->owner_how = TCPRETRANS_OWNER_OPENER;
	__builtin_memcpy(event->owner_comm, opener->comm, sizeof(event->owner_comm));
	event->known |= TCPRETRANS_KNOWN_OWNER;
}

SEC("tracepoint/tcp/tcp_retransmit_skb")
int on_retransmit_skb(void *ctx)
{
	struct tcpretrans_counters *count = counters_of_others();
	struct tcpretrans_record *record;
	struct tcpretrans_event *event;

	record = count ? begin_from(ctx, count, TCPRETRANS_KIND_SKB, &settings.skb) : 0;
	if (!record)
		return 0;
	event = &record->event;
	event->state = VALUE(__u32, ctx, settings.skb.state);
	event->err = VALUE(__s32, ctx, settings.skb.err);
	if (event->state == TCP_SYN_SENT)
		event->reason = TCPRETRANS_REASON_SYN;
	find_opener(event, VALUE(__u64, ctx, settings.skb.skaddr));
	submit(ctx, count, record, false);
	return 0;
}

SEC("tracepoint/tcp/tcp_retransmit_synack")
int on_retransmit_synack(void *ctx)
{
	struct tcpretrans_counters *count = counters_of_others();
	struct tcpretrans_record *record;
	struct tcpretrans_event *event;

	record = count ? begin_from(ctx, count, TCPRETRANS_KIND_SYNACK, &settings.synack) : 0;
	if (!record)
		return 0;
	event = &record->event;
	event->reason = TCPRETRANS_REASON_SYNACK;
	event->state = TCP_NEW_SYN_RECV;
	find_opener(event, VALUE(__u64, ctx, settings.synack.skaddr));
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
