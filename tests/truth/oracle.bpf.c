/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The truth that traced events are compared with. Why a segment was sent again it learns from the
 * kernel's call stack, and when it was sent before from the network device: both too dear for a
 * tracer, and neither used by ours.
 */
#include "kernel_types.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>
#include "oracle.h"

#define BPF_MAP_TYPE_LRU_HASH 9
#define BPF_ANY               0
#define IPPROTO_TCP           6
#define TCP_NEW_SYN_RECV      12
#define TCP_TIME_WAIT         6
#define MOST_SEGMENTS         128

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct sock___protocol {
	__u16 sk_protocol;
};
struct sk_buff___packet {
	struct sock *sk;
	unsigned char *head;
	unsigned char *data;
	__u32 end;
	__u32 len;
	__u16 transport_header;
};
struct skb_shared_info {
	unsigned short gso_size;
};
#pragma clang attribute pop

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile bool has_err; /* tcp_retransmit_skb passes `err` */
__u64 lost;                  /* records for which the ring had no room */

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 32 << 20);
} records SEC(".maps");

struct segment {
	__u64 socket;
	__u32 seq;
	__u32 reserved;
};

struct sendings {
	__u64 last_ns;
	__u64 before_ns;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1 << 18);
	__type(key, struct segment);
	__type(value, struct sendings);
} sent_segments SEC(".maps");

static __always_inline void note_sending(__u64 socket, __u32 seq, __u64 now)
{
	struct segment segment = { .socket = socket, .seq = seq };
	struct sendings *known = bpf_map_lookup_elem(&sent_segments, &segment);
	struct sendings first = { .last_ns = now };

	if (known) {
		known->before_ns = known->last_ns;
		known->last_ns = now;
	} else {
		bpf_map_update_elem(&sent_segments, &segment, &first, BPF_ANY);
	}
}

static __always_inline bool is_tcp_flow(const struct sock *sk)
{
	const struct sock___protocol *protocol = (const void *)sk;
	__u8 state;

	if (!sk)
		return false;
	state = sk->__sk_common.skc_state;
	return state != TCP_TIME_WAIT && state != TCP_NEW_SYN_RECV && state != TCP_LISTEN &&
	       protocol->sk_protocol == IPPROTO_TCP;
}

/* Each segment of a packet by itself: they may be sent again one by one. */
SEC("tp_btf/net_dev_queue")
int BPF_PROG(on_net_dev_queue, const struct sk_buff___packet *skb)
{
	const struct skb_shared_info *shared;
	__u32 header_bytes, bytes, gso_size, seq;
	__u64 now = bpf_ktime_get_ns();
	__u8 header[16];

	if (!is_tcp_flow(skb->sk) ||
	    bpf_probe_read_kernel(header, sizeof(header), skb->head + skb->transport_header))
		return 0;
	header_bytes = (header[12] >> 4) * 4 + skb->transport_header - (__u32)(skb->data - skb->head);
	bytes = skb->len - header_bytes + (header[13] & 3 ? 1 : 0); /* SYN and FIN count as one */
	if (!bytes)
		return 0;
	seq = bpf_ntohl(*(__u32 *)&header[4]);
	shared = (const void *)(skb->head + skb->end);
	gso_size = BPF_CORE_READ(shared, gso_size) ?: bytes;
	for (__u32 i = 0, at = 0; i < MOST_SEGMENTS && at < bytes; i++, at += gso_size)
		note_sending((__u64)skb->sk, seq + at, now);
	return 0;
}

static __always_inline struct oracle_record *begin(void *ctx, const struct sock *sk, __u8 kind)
{
	const struct inet_connection_sock *icsk = (const void *)sk;
	struct oracle_record *record = bpf_ringbuf_reserve(&records, sizeof(*record), 0);
	long stack_bytes;

	if (!record) {
		__sync_fetch_and_add(&lost, 1);
		return 0;
	}
	__builtin_memset(record, 0, sizeof(*record));
	record->ts_ns = bpf_ktime_get_ns();
	record->kind = kind;
	record->socket = (__u64)sk;
	record->netns = sk->__sk_common.skc_net.net->ns.inum;
	record->sport = sk->__sk_common.skc_num;
	record->dport = bpf_ntohs(sk->__sk_common.skc_dport);
	record->state = sk->__sk_common.skc_state;
	record->ca_state = BPF_CORE_READ_BITFIELD_PROBED(icsk, icsk_ca_state);
	record->icsk_pending = BPF_CORE_READ(icsk, icsk_pending);
	stack_bytes = bpf_get_stack(ctx, record->stack, sizeof(record->stack), 0);
	record->stack_bytes = stack_bytes < 0 ? 0 : stack_bytes;
	return record;
}

SEC("tp_btf/tcp_retransmit_skb")
int BPF_PROG(on_retransmit_skb, const struct sock *sk, const struct sk_buff *skb)
{
	const struct tcp_skb_cb *cb = (const void *)skb->cb;
	const struct tcp_sock *tp = (const void *)sk;
	struct segment segment = { .socket = (__u64)sk, .seq = cb->seq };
	struct sendings *known = bpf_map_lookup_elem(&sent_segments, &segment);
	struct oracle_record *record = begin(ctx, sk, ORACLE_RETRANSMIT);

	if (!record)
		return 0;
	record->seq = cb->seq;
	record->end_seq = cb->end_seq;
	record->total_retrans = BPF_CORE_READ(tp, total_retrans);
	record->segs = cb->tcp_gso_segs;
	record->err = has_err ? (int)ctx[2] : 0;
	if (known) {
		record->sent_ns = known->last_ns;
		record->before_ns = known->before_ns;
	}
	bpf_ringbuf_submit(record, 0);
	return 0;
}

SEC("tp_btf/tcp_cong_state_set")
int BPF_PROG(on_cong_state_set, const struct sock *sk, __u8 ca_state)
{
	struct oracle_record *record = ca_state == TCP_CA_LOSS ? begin(ctx, sk, ORACLE_LOSS) : 0;

	if (record)
		bpf_ringbuf_submit(record, 0);
	return 0;
}
