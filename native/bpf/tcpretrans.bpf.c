/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Every retransmitted segment and SYN-ACK, one record each.
 *
 * Compiled twice: with TYPED for typed tracepoints, and without for raw ones (reading.h).
 */
#include "kernel_types.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>
#include "tcpretrans_event.h"
#include "settings.h"
#include "reading.h"
#include "counters.h"
#include "wakeup.h"
#include "owner_question.h"
#include "totals.h"
#include "socket_memory.h"
#include "tally.h"
#include "cause.h"
#include "tuple.h"
#include "filter_rules.h"
#include "filter.h"
#include "output.h"
#include "counting.h"
#include "limit.h"
#include "accounting.h"
#include "stall.h"
#include "reason.h"
#include "jiffies.h"
#include "socket_fields.h"
#include "filter_socket.h"
#include "owner_wait.h"
#include "owner_memory.h"
#include "owner.h"
#include "sample.h"
#include "count_socket.h"
#include "calls.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* All that does not depend on whether the buffer is about to be sent, or was. */
static __always_inline void fill_retransmit(struct tcpretrans_event *event, const struct tuple *tuple,
					    const struct sock *sk, const struct tcp_sock *tp,
					    const struct sk_buff *skb)
{
	event->kind = TCPRETRANS_KIND_SKB;
	event->mark = get(sk, sk_mark);
	event->ifindex = get(sk, __sk_common.skc_bound_dev_if);
	fill_tuple(event, tuple, &sk->__sk_common);
	fill_belongings(event, sk);
	fill_buffer(event, skb);
	fill_congestion(event, tp);
	fill_bytes(event, tp);
	event->known |= TCPRETRANS_KNOWN_SOCK;
}

/* The owner will be known to the reader only, which then says what the filter says. */
static __always_inline void leave_judgement(struct tcpretrans_record *record, const struct filter *filter,
					    const struct tcpretrans_counters *count, const struct sock *sk)
{
	record->judgement.filter = filter->number;
	record->judgement.netns_cookie = key_of(&sk->__sk_common).cookie;
	record->judgement.uncounted_netns = count == counters_of_others();
}

static __always_inline void finish(void *ctx, const struct filter *filter, struct tcpretrans_counters *count,
				   struct tcpretrans_record *record, const struct sock *sk)
{
	find_owner(record, sk);
	if (has_conditions(filter, FILTER_PID) && !record->event.owner_pid && record->question.asked_ns) {
		leave_judgement(record, filter, count, sk);
	} else if (!passes_pid(filter, record->event.owner_pid)) {
		keep_back(count, record->event.segs);
		discard(record);
		return;
	}
	submit(ctx, count, record, wakes_for_question(record));
}

SEC_OF("tcp_retransmit_skb")
int BPF_PROG(on_retransmit_skb, const struct sock *sk, const struct sk_buff *skb)
{
	int err = settings.has_err ? (int)ctx[2] : 0;
	const struct tcp_skb_cb *cb = (const void *)skb->cb;
	const struct tcp_sock *tp = tcp_sock_of(sk);
	struct socket_memory *memory = remember(sk);
	struct tcpretrans_counters *count = counters_of(&sk->__sk_common, memory);
	const struct filter *filter = current_filter();
	struct tcpretrans_record *record;
	struct cause cause = {};
	struct tuple tuple = {};
	__u32 total, segs, grew, skipped;

	if (!count || !filter)
		return 0;
	segs = get(cb, tcp_gso_segs);
	if (!tp) { /* no full TCP socket: never seen, but never silent */
		ADD(count->lost, 1);
		ADD(count->lost_segs, segs);
		return 0;
	}
	total = grown(memory, get(tp, total_retrans), gave_up(err) ? 0 : segs);
	if (segs > total)
		segs = total;
	skipped = total - segs;
	ADD(count->skipped_segs, skipped);
	grew = segs;
	if (err) {
		ADD(count->failed_segs, segs);
		segs = 0;
	}
	read_tuple(&tuple, &sk->__sk_common);
	if (!passes_socket(filter, &tuple, sk)) {
		keep_back(count, segs);
		return 0;
	}
	cause.ts_ns = bpf_ktime_get_ns();
	if (!settings.no_reason)
		cause.reason = reason_of(tp, skb, memory, cause.ts_ns);
	if (!settings.no_stall)
		find_stall(&cause, tp, skb, memory, grew, err);
	if (is_done(filter, count, &tuple, sk, memory, &cause, segs, get(skb, len), err))
		record = 0;
	else
		record = begin(count, &cause, segs);
	if (record) {
		tell_limited(&record->event, memory);
		record->event.err = err;
		record->event.known |= TCPRETRANS_KNOWN_SENT | TCPRETRANS_KNOWN_SEGS;
		record->event.skipped_segs = skipped;
		fill_retransmit(&record->event, &tuple, sk, tp, skb);
		finish(ctx, filter, count, record, sk);
	}
	if (memory && !settings.no_stall)
		expect(memory, tp, next_in_queue(number_at(&ctx[1])));
	return 0;
}

/* The handshake has no socket yet: tuple and sequence come from the request, the rest from the
 * listener, which has one bucket for all its SYN-ACKs. The kernel fires this only when the SYN-ACK was
 * sent. */
SEC_OF("tcp_retransmit_synack")
int BPF_PROG(on_retransmit_synack, const struct sock *sk, const struct request_sock *req)
{
	const struct tcp_request_sock *treq = (const void *)req;
	struct socket_memory *memory = remember(sk);
	struct tcpretrans_counters *count = counters_of(&sk->__sk_common, memory);
	struct cause cause = { .reason = TCPRETRANS_REASON_SYNACK };
	const struct filter *filter = current_filter();
	struct tcpretrans_record *record;
	struct tcpretrans_event *event;
	struct tuple tuple = {};
	const struct tcp_sock *tp;
	__u32 total;

	if (!count || !filter)
		return 0;
	/* with TCP Fast Open the child exists already, and counts this too */
	tp = get(sk, __sk_common.skc_state) == TCP_LISTEN ? 0 : tcp_sock_of(sk);
	total = tp ? grown(memory, get(tp, total_retrans), 1) : 1;
	ADD(count->skipped_segs, total ? total - 1 : 0);
	read_tuple(&tuple, &req->__req_common);
	if (!passes_socket(filter, &tuple, sk)) {
		keep_back(count, 1);
		return 0;
	}
	cause.ts_ns = bpf_ktime_get_ns();
	if (is_done(filter, count, &tuple, sk, memory, &cause, 1, 0, false))
		return 0;
	record = begin(count, &cause, 1);
	if (!record)
		return 0;
	event = &record->event;
	event->kind = TCPRETRANS_KIND_SYNACK;
	fill_tuple(event, &tuple, &req->__req_common);
	fill_belongings(event, sk);
	event->seq = peek(treq, snt_isn);
	event->end_seq = event->seq + 1;
	event->tcp_flags = TCPHDR_SYN | TCPHDR_ACK;
	event->known |= TCPRETRANS_KNOWN_SNDBUF | TCPRETRANS_KNOWN_SENT | TCPRETRANS_KNOWN_SEGS;
	finish(ctx, filter, count, record, sk);
	return 0;
}

#ifndef TYPED
/* For kernels without the tracepoint: the function is about to be called, so what it will do is not
 * known. The buffer still has its old time. */
static __always_inline int report_call(void *ctx, const struct sock *sk, const struct sk_buff *skb)
{
	struct socket_memory *memory = remember(sk);
	struct tcpretrans_counters *count = counters_of(&sk->__sk_common, memory);
	const struct filter *filter = current_filter();
	struct tcpretrans_record *record;
	struct cause cause = {};
	struct tuple tuple = {};

	if (!count || !filter)
		return 0;
	read_tuple(&tuple, &sk->__sk_common);
	if (!passes_socket(filter, &tuple, sk)) {
		keep_back(count, 0);
		return 0;
	}
	cause.ts_ns = bpf_ktime_get_ns();
	cause.reason = reason_of((const void *)sk, skb, memory, cause.ts_ns);
	find_stall_before(&cause, skb);
	if (is_done(filter, count, &tuple, sk, memory, &cause, 0, get(skb, len), false))
		return 0;
	record = begin(count, &cause, 0);
	if (!record)
		return 0;
	fill_retransmit(&record->event, &tuple, sk, (const void *)sk, skb);
	finish(ctx, filter, count, record, sk);
	return 0;
}

/* All but tail loss probes come through here, */
SEC("kprobe/tcp_retransmit_skb")
int on_outer_call(struct pt_regs *ctx)
{
	const struct sock *sk = (const void *)argument(ctx, 0);
	const struct sk_buff *skb = (const void *)argument(ctx, 1);

	report_call(ctx, sk, skb);
	note_call(sk, skb);
	return 0;
}

/* and these come only here. */
SEC("kprobe/__tcp_retransmit_skb")
int on_call_retransmit_skb(struct pt_regs *ctx)
{
	const struct sock *sk = (const void *)argument(ctx, 0);
	const struct sk_buff *skb = (const void *)argument(ctx, 1);

	return is_noted(sk, skb) ? 0 : report_call(ctx, sk, skb);
}

SEC_OF("inet_sock_set_state")
int BPF_PROG(sample_socket, const struct sock *sk, int oldstate, int newstate)
{
	if (newstate == TCP_LISTEN)
		take_sample(sk);
	return 0;
}
#endif

/* What came since the last event: there may be none any more. */
static __always_inline void count_rest(const struct sock_common *common, __u32 total)
{
	struct socket_memory *memory = recall(common);
	struct tcpretrans_counters *count;
	__u32 rest;

	if (!memory || !memory->looked)
		return;
	rest = grown(memory, total, 0);
	count = rest ? counters_of(common, memory) : 0;
	if (count)
		ADD(count->skipped_segs, rest);
}

/* The kernel skips a program that would interrupt itself on the same CPU: when a softirq or another
 * task comes while one is in there. This one, on the same hook, then at least counts. */
SEC_OF("tcp_retransmit_skb")
int BPF_PROG(on_skipped_retransmit_skb, const struct sock *sk, const struct sk_buff *skb)
{
	const struct tcp_sock *tp = tcp_sock_of(sk);

	if (tp)
		count_rest(&sk->__sk_common, get(tp, total_retrans));
	return 0;
}

/* Whether something begins or ends here. */
static __always_inline bool is_noted_state(int state)
{
	return state != TCP_FIN_WAIT2 && state != TCP_TIME_WAIT && state != TCP_CLOSING &&
	       (state != TCP_SYN_RECV || !settings.has_storage);
}

/* What ends may have a rest; mostly it never had anything to send again. */
static __always_inline void count_last(const struct sock *sk, const struct tcp_sock *tp)
{
	__u32 total = get(tp, total_retrans);

	if (total)
		count_rest(&sk->__sk_common, total);
}

SEC_OF("inet_sock_set_state")
int BPF_PROG(on_set_state, const struct sock *sk, int oldstate, int newstate)
{
	const struct tcp_sock *tp;
	struct socket_memory *memory;

	if (!is_noted_state(newstate))
		return 0;
	tp = tcp_sock_of(sk);
	if (!tp)
		return 0;
	if (newstate == TCP_SYN_SENT || (newstate == TCP_SYN_RECV && oldstate != TCP_SYN_SENT))
		forget(sk);
	note_state(sk, newstate);
	if (newstate == TCP_CLOSE)
		count_last(sk, tp);
	if (newstate != TCP_SYN_SENT && newstate != TCP_ESTABLISHED)
		return 0;
	memory = remember(sk);
	if (memory && (newstate == TCP_SYN_SENT || !memory->looked))
		look(memory, get(tp, total_retrans));
	return 0;
}

SEC_OF("tcp_destroy_sock")
int BPF_PROG(on_destroy_sock, const struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sock_of(sk);

	if (!tp)
		return 0;
	count_last(sk, tp);
	forget(sk);
	return 0;
}

SEC_OF("tcp_cong_state_set")
int BPF_PROG(on_cong_state_set, const struct sock *sk, __u8 ca_state)
{
	struct socket_memory *memory;
	const struct tcp_sock *tp;

	if (ca_state < TCP_CA_RECOVERY)
		return 0;
	memory = remember(sk);
	tp = tcp_sock_of(sk);
	if (!memory || !tp)
		return 0;
	if (!settings.no_stall)
		expect(memory, tp, leftmost(number_at(&sk->tcp_rtx_queue.rb_node)));
	memory->reverted = false;
	if (ca_state == TCP_CA_LOSS)
		notice_loss(memory, tp);
	return 0;
}

/* The iterators know the types of what they are given, but not on every kernel that of a socket. */

/* The TCP socket behind an open file, or 0. */
static __always_inline const struct sock *tcp_sock_of_file(struct file *file)
{
	const struct socket *socket;
	const struct sock *sk;

	if (!file)
		return 0;
	if (settings.has_sock_from_file) {
		socket = bpf_sock_from_file(file);
		sk = socket ? socket->sk : 0;
		return sk && is_tcp(sk) ? sk : 0;
	}
	/* no other kind of file has this circle in it */
	socket = BPF_CORE_READ(file, private_data);
	sk = BPF_CORE_READ(socket, sk);
	if (!sk || BPF_CORE_READ(socket, file) != file || BPF_CORE_READ(sk, sk_socket) != socket)
		return 0;
	return is_tcp(sk) ? sk : 0;
}

/* Looks at each socket that is open when tracing begins, so that what it retransmitted before is
 * not taken for new. */
SEC("iter/task_file")
int look_at_open_socket(struct bpf_iter__task_file *ctx)
{
	const struct sock *sk = tcp_sock_of_file(ctx->file);
	struct socket_memory *memory = sk ? remember(sk) : 0;

	if (memory && !memory->looked)
		look(memory, BPF_CORE_READ((const struct tcp_sock *)sk, total_retrans));
	return 0;
}

/* Goes through the sockets of one network namespace before its books are read. */
SEC("iter/tcp")
int settle_open_socket(struct bpf_iter__tcp *ctx)
{
	const struct sock_common *common = ctx->sk_common;

	if (common && is_full(common))
		count_rest(common, BPF_CORE_READ((const struct tcp_sock *)common, total_retrans));
	return 0;
}

/* Finds the processes that hold each socket; run at the start and whenever an owner is asked for. */
SEC("iter/task_file")
int find_holders(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	const struct sock *sk = tcp_sock_of_file(file);

	if (task && sk)
		note_holder(sk, task, ctx->fd, file, ctx->meta->session_id);
	return 0;
}
