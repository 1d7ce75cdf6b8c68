/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Every retransmitted segment and SYN-ACK, one record each, through typed tracepoints. */
#include "kernel_types.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>
#include "tcpretrans_event.h"
#include "counters.h"
#include "wakeup.h"
#include "socket_fields.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Set before loading. */
const volatile bool has_err;        /* the tracepoint passes `err` (6.17 and backports) */
const volatile __u8 only_family;    /* 4 or 6; 0 = both */
const volatile __u32 wakeup_bytes;  /* wake the reader when that much is waiting */

static __u64 last_wakeup_ns;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tcpretrans_counters);
} counters SEC(".maps");

/* Atomic although each CPU has its own: one program can interrupt another. */
#define ADD(counter, n) __sync_fetch_and_add(&(counter), n)

static __always_inline struct tcpretrans_counters *this_cpu(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&counters, &zero);
}

/* Reserve a record, or count why there is none. */
static __always_inline struct tcpretrans_event *begin(struct tcpretrans_counters *count,
						      const struct sock_common *common, __u32 segs)
{
	struct tcpretrans_event *event;

	if (only_family && only_family != ip_version(common)) {
		ADD(count->filtered, 1);
		ADD(count->filtered_segs, segs);
		return 0;
	}
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		ADD(count->lost, 1);
		ADD(count->lost_segs, segs);
		return 0;
	}
	__builtin_memset(event, 0, sizeof(*event));
	event->ts_ns = bpf_ktime_get_ns();
	return event;
}

/* Waking the reader costs more than all the rest. So it is woken for the first event after a quiet
 * while, and then only when much is waiting; what comes in between its timer fetches. */
static __always_inline bool should_wake(const struct tcpretrans_event *event)
{
	const __u32 record = sizeof(*event) + 8;
	__u64 waiting = bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA);

	if (event->ts_ns - last_wakeup_ns < TCPRETRANS_QUIET_NS &&
	    (waiting < wakeup_bytes || waiting - record >= wakeup_bytes))
		return false;
	last_wakeup_ns = event->ts_ns;
	return true;
}

static __always_inline void submit(struct tcpretrans_counters *count, struct tcpretrans_event *event,
				   __u32 segs)
{
	ADD(count->events, 1);
	ADD(count->segs, segs);
	/* never the kernel's own choice of waking: mixed with these it loses wake-ups */
	bpf_ringbuf_submit(event, should_wake(event) ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP);
}

SEC("tp_btf/tcp_retransmit_skb")
int BPF_PROG(on_retransmit_skb, const struct sock *sk, const struct sk_buff *skb)
{
	int err = has_err ? (int)ctx[2] : 0;
	const struct tcp_skb_cb *cb = (const void *)skb->cb;
	__u32 sent = err ? 0 : cb->tcp_gso_segs;
	struct tcpretrans_counters *count = this_cpu();
	struct tcp_sock *tp = bpf_skc_to_tcp_sock((void *)sk);
	struct tcpretrans_event *event;

	if (!count || !tp)
		return 0;
	event = begin(count, &sk->__sk_common, sent);
	if (!event)
		return 0;
	event->kind = TCPRETRANS_KIND_SKB;
	event->err = err;
	fill_tuple(event, &sk->__sk_common);
	fill_belongings(event, sk);
	fill_buffer(event, skb);
	event->reason = reason_of(tp, skb, event->state);
	event->snd_una = tp->snd_una;
	event->total_retrans = tp->total_retrans;
	event->mark = sk->sk_mark;
	event->ifindex = sk->__sk_common.skc_bound_dev_if;
	event->known |= TCPRETRANS_KNOWN_SOCK;
	if (err)
		ADD(count->failed, 1);
	submit(count, event, sent);
	return 0;
}

/* The handshake has no socket yet: tuple and sequence come from the request, the rest from the
 * listener. The kernel fires this only when the SYN-ACK was sent. */
SEC("tp_btf/tcp_retransmit_synack")
int BPF_PROG(on_retransmit_synack, const struct sock *sk, const struct request_sock *req)
{
	const struct tcp_request_sock *treq = (const void *)req;
	struct tcpretrans_counters *count = this_cpu();
	struct tcpretrans_event *event;

	if (!count)
		return 0;
	event = begin(count, &req->__req_common, 1);
	if (!event)
		return 0;
	event->kind = TCPRETRANS_KIND_SYNACK;
	event->reason = TCPRETRANS_REASON_SYNACK;
	fill_tuple(event, &req->__req_common);
	fill_belongings(event, sk);
	event->seq = BPF_CORE_READ(treq, snt_isn);
	event->end_seq = event->seq + 1;
	event->segs = 1;
	event->tcp_flags = 0x12; /* SYN, ACK */
	event->known |= TCPRETRANS_KNOWN_SNDBUF;
	submit(count, event, 1);
	return 0;
}
