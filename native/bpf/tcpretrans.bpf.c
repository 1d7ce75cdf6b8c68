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
#include "tally.h"
#include "socket_memory.h"
#include "accounting.h"
#include "stall.h"
#include "reason.h"
#include "jiffies.h"
#include "socket_fields.h"
#include "owner_question.h"
#include "owner_wait.h"
#include "owner_memory.h"
#include "owner.h"

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

/* Reserve a record, or count why there is none. */
static __always_inline struct tcpretrans_record *begin(struct tcpretrans_counters *count,
						       const struct sock_common *common, __u32 segs)
{
	struct tcpretrans_record *record;

	if (only_family && only_family != ip_version(common)) {
		ADD(count->filtered, 1);
		ADD(count->filtered_segs, segs);
		return 0;
	}
	record = bpf_ringbuf_reserve(&events, sizeof(*record), 0);
	if (!record) {
		ADD(count->lost, 1);
		ADD(count->lost_segs, segs);
		return 0;
	}
	__builtin_memset(record, 0, sizeof(*record));
	record->event.ts_ns = bpf_ktime_get_ns();
	record->event.segs = segs;
	return record;
}

/* Waking the reader costs more than all the rest. So it is woken for the first event after a quiet
 * while, and then only when much is waiting; what comes in between its timer fetches. Questions
 * about owners cannot wait for that. */
static __always_inline bool should_wake(const struct tcpretrans_record *record)
{
	const __u32 length = sizeof(*record) + 8;
	__u64 waiting = bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA);
	__u64 now = record->event.ts_ns;

	if (now - last_wakeup_ns < TCPRETRANS_QUIET_NS && !wakes_for_question(record) &&
	    (waiting < wakeup_bytes || waiting - length >= wakeup_bytes))
		return false;
	last_wakeup_ns = now;
	return true;
}

static __always_inline void submit(struct tcpretrans_counters *count, struct tcpretrans_record *record)
{
	ADD(count->events, 1);
	ADD(count->segs, record->event.segs);
	if (record->event.err)
		ADD(count->failed, 1);
	/* never the kernel's own choice of waking: mixed with these it loses wake-ups */
	bpf_ringbuf_submit(record, should_wake(record) ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP);
}

SEC("tp_btf/tcp_retransmit_skb")
int BPF_PROG(on_retransmit_skb, const struct sock *sk, const struct sk_buff *skb)
{
	int err = has_err ? (int)ctx[2] : 0;
	const struct tcp_skb_cb *cb = (const void *)skb->cb;
	struct tcpretrans_counters *count = counters_of(&sk->__sk_common);
	struct tcp_sock *tp = bpf_skc_to_tcp_sock((void *)sk);
	struct socket_memory *memory = remember(sk);
	__u32 total, segs, skipped;
	struct tcpretrans_record *record;
	struct tcpretrans_event *event;

	if (!count)
		return 0;
	segs = cb->tcp_gso_segs;
	if (!tp) { /* no full TCP socket: never seen, but never silent */
		ADD(count->lost, 1);
		ADD(count->lost_segs, segs);
		return 0;
	}
	total = grown(memory, tp->total_retrans, gave_up(err) ? 0 : segs);
	if (segs > total)
		segs = total;
	skipped = total - segs;
	if (skipped)
		ADD(count->skipped_segs, skipped);
	if (err)
		ADD(count->failed_segs, segs);
	record = begin(count, &sk->__sk_common, err ? 0 : segs);
	if (!record)
		return 0;
	event = &record->event;
	event->kind = TCPRETRANS_KIND_SKB;
	event->err = err;
	event->skipped_segs = skipped;
	event->mark = sk->sk_mark;
	event->ifindex = sk->__sk_common.skc_bound_dev_if;
	fill_tuple(event, &sk->__sk_common);
	fill_belongings(event, sk);
	fill_buffer(event, skb);
	fill_congestion(event, tp);
	fill_bytes(event, tp);
	event->reason = reason_of(tp, skb, memory, event->ts_ns);
	fill_stall(event, tp, skb, memory, segs);
	if (memory)
		expect(memory, tp, next_in_queue(number_at(&ctx[1])));
	event->known |= TCPRETRANS_KNOWN_SOCK;
	find_owner(record, sk);
	submit(count, record);
	return 0;
}

/* The handshake has no socket yet: tuple and sequence come from the request, the rest from the
 * listener. The kernel fires this only when the SYN-ACK was sent. */
SEC("tp_btf/tcp_retransmit_synack")
int BPF_PROG(on_retransmit_synack, const struct sock *sk, const struct request_sock *req)
{
	const struct tcp_request_sock *treq = (const void *)req;
	struct tcpretrans_counters *count = counters_of(&sk->__sk_common);
	struct tcpretrans_record *record;
	struct tcpretrans_event *event;
	struct tcp_sock *tp;
	__u32 total;

	if (!count)
		return 0;
	/* with TCP Fast Open the child exists already, and counts this too */
	tp = sk->__sk_common.skc_state == TCP_LISTEN ? 0 : bpf_skc_to_tcp_sock((void *)sk);
	total = tp ? grown(remember(sk), tp->total_retrans, 1) : 1;
	if (total > 1)
		ADD(count->skipped_segs, total - 1);
	record = begin(count, &req->__req_common, 1);
	if (!record)
		return 0;
	event = &record->event;
	event->kind = TCPRETRANS_KIND_SYNACK;
	event->reason = TCPRETRANS_REASON_SYNACK;
	fill_tuple(event, &req->__req_common);
	fill_belongings(event, sk);
	event->seq = BPF_CORE_READ(treq, snt_isn);
	event->end_seq = event->seq + 1;
	event->tcp_flags = TCPHDR_SYN | TCPHDR_ACK;
	event->known |= TCPRETRANS_KNOWN_SNDBUF;
	find_owner(record, sk);
	submit(count, record);
	return 0;
}

/* What came since the last event: there may be none any more. */
static __always_inline void count_rest(const struct sock_common *common, const struct tcp_sock *tp)
{
	struct socket_memory *memory = recall(common);
	struct tcpretrans_counters *count;
	__u32 rest;

	if (!memory || !memory->looked)
		return;
	rest = grown(memory, tp->total_retrans, 0);
	count = rest ? counters_of(common) : 0;
	if (count)
		ADD(count->skipped_segs, rest);
}

/* The kernel skips a program that would interrupt itself on the same CPU: when a softirq or another
 * task comes while one is in there. This one, on the same hook, then at least counts. */
SEC("tp_btf/tcp_retransmit_skb")
int BPF_PROG(on_skipped_retransmit_skb, const struct sock *sk, const struct sk_buff *skb)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock((void *)sk);

	if (tp)
		count_rest(&sk->__sk_common, tp);
	return 0;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(on_set_state, const struct sock *sk, int oldstate, int newstate)
{
	struct socket_memory *memory;
	struct tcp_sock *tp;

	note_state(sk, newstate);
	if (newstate != TCP_SYN_SENT && newstate != TCP_ESTABLISHED && newstate != TCP_CLOSE)
		return 0;
	tp = bpf_skc_to_tcp_sock((void *)sk);
	if (!tp)
		return 0;
	if (newstate == TCP_CLOSE) {
		count_rest(&sk->__sk_common, tp);
		return 0;
	}
	memory = remember(sk);
	if (memory && (newstate == TCP_SYN_SENT || !memory->looked))
		look(memory, tp->total_retrans);
	return 0;
}

SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(on_destroy_sock, struct sock *sk)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);

	if (tp)
		count_rest(&sk->__sk_common, tp);
	return 0;
}

SEC("tp_btf/tcp_cong_state_set")
int BPF_PROG(on_cong_state_set, struct sock *sk, __u8 ca_state)
{
	struct socket_memory *memory;
	struct tcp_sock *tp;

	if (ca_state < TCP_CA_RECOVERY)
		return 0;
	memory = remember(sk);
	tp = bpf_skc_to_tcp_sock(sk);
	if (!memory || !tp)
		return 0;
	expect(memory, tp, leftmost(number_at(&sk->tcp_rtx_queue.rb_node)));
	memory->reverted = false;
	if (ca_state == TCP_CA_LOSS)
		notice_loss(memory, tp);
	return 0;
}

/* Looks at each socket that is open when tracing begins, so that what it retransmitted before is
 * not taken for new. */
SEC("iter/task_file")
int look_at_open_socket(struct bpf_iter__task_file *ctx)
{
	struct file *file = ctx->file;
	struct socket *socket = file ? bpf_sock_from_file(file) : 0;
	struct sock *sk = socket ? socket->sk : 0;
	struct tcp_sock *tp = sk ? bpf_skc_to_tcp_sock(sk) : 0;
	struct socket_memory *memory = tp ? remember(sk) : 0;

	if (memory && !memory->looked)
		look(memory, tp->total_retrans);
	return 0;
}

/* Goes through the sockets of one network namespace before its books are read. */
SEC("iter/tcp")
int settle_open_socket(struct bpf_iter__tcp *ctx)
{
	struct sock_common *common = ctx->sk_common;
	struct tcp_sock *tp = common ? bpf_skc_to_tcp_sock(common) : 0;

	if (tp)
		count_rest(common, tp);
	return 0;
}

/* Finds the processes that hold each socket; run at the start and whenever an owner is asked for. */
SEC("iter/task_file")
int find_holders(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct socket *socket;
	struct sock *sk;

	if (!task || !file)
		return 0;
	socket = bpf_sock_from_file(file);
	sk = socket ? socket->sk : 0;
	if (sk && bpf_skc_to_tcp_sock(sk))
		note_holder(sk, task, ctx->fd, file, ctx->meta->session_id);
	return 0;
}
