/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How long the data had been waiting since it was last sent.
 *
 * At the event a buffer already carries the time of the new transmission, so its old time has to be
 * known before. There are two moments to learn it: when the kernel changes the congestion state,
 * just before it retransmits (tcp_enter_loss, tcp_enter_recovery); and at the event of the buffer
 * before, since buffers are sent again in the order of the queue. What comes out of order stays
 * unknown.
 */
#ifndef STALL_H
#define STALL_H

/* Height of a red-black tree of 65,000 buffers. */
#define TREE_HEIGHT 32

/* Buffers looked at to find the one that may be sent again next. */
#define LOOK_AHEAD 4

/* Buffers are passed as numbers, so that the verifier looks at these functions once and not once
 * in each loop around them. rbnode lies at the start of a buffer. */
__noinline __u64 leftmost(__u64 node)
{
	for (int depth = 0; node && depth < TREE_HEIGHT; depth++) {
		__u64 left = (__u64)peek((const struct rb_node *)node, rb_left);

		if (!left)
			return node;
		node = left;
	}
	return 0;
}

__noinline __u64 next_in_queue(__u64 node)
{
	__u64 right = (__u64)peek((const struct rb_node *)node, rb_right);

	if (right)
		return leftmost(right);
	for (int depth = 0; depth < TREE_HEIGHT; depth++) {
		__u64 parent = peek((const struct rb_node *)node, __rb_parent_color) & ~3ULL;

		if (!parent || (__u64)peek((const struct rb_node *)parent, rb_left) == node)
			return parent;
		node = parent;
	}
	return 0;
}

/* Remember the first buffer from `node` on that the peer lacks and that was not sent again yet: it is
 * likely the next one. */
static __always_inline void expect(struct socket_memory *memory, const struct tcp_sock *tp, __u64 node)
{
	memory->waiting_since_ns = 0;
	memory->waiting_total = get(tp, total_retrans);
	if (!bpf_core_field_exists(struct sk_buff, skb_mstamp_ns))
		return;
	for (int i = 0; i < LOOK_AHEAD && node; i++, node = next_in_queue(node)) {
		const struct sk_buff *skb = (const void *)node;
		const struct tcp_skb_cb *cb = (const void *)&skb->cb;

		if (peek(cb, sacked) & (TCPCB_SACKED_ACKED | TCPCB_SACKED_RETRANS))
			continue;
		memory->waiting_seq = peek(cb, seq);
		memory->waiting_since_ns = peek(skb, skb_mstamp_ns);
		return;
	}
}

/* What was learnt holds as long as nothing was sent again since; this time it was `segs`. */
static __always_inline __u64 expected_since(const struct socket_memory *memory, __u32 seq, __u32 total,
					    __u32 segs)
{
	return memory->waiting_seq == seq && memory->waiting_total + segs == total ?
	       memory->waiting_since_ns : 0;
}

/* For a probe no state changes. But a buffer that was sent when nothing was in flight leaves its
 * time with the socket (tcp_rate_skb_sent), and there it stays until something is delivered. */
static __always_inline __u64 since_idle(const struct tcp_sock *tp, __u32 seq)
{
	__u64 delivered = get(tp, delivered_mstamp);

	return seq == get(tp, snd_una) && get(tp, first_tx_mstamp) == delivered ? delivered * 1000 : 0;
}

/* When this transmission was. The kernel stamps buffers with the time at which it last looked at the
 * clock, so from stamp to stamp is more exact than from stamp to now. A timeout first has to declare
 * everything lost, which takes a while; then the end of that is the better time. */
static __always_inline __u64 sent_at(__u64 ts_ns, int err, const struct sk_buff *skb,
				     const struct socket_memory *memory)
{
	__u64 stamp = get(skb, skb_mstamp_ns);

	if (err)
		return ts_ns;
	return memory && memory->noticed_ns > stamp ? memory->noticed_ns : stamp;
}

static __always_inline void note_stall(struct cause *cause, __u64 since, __u64 now)
{
	if (!since || now < since)
		return;
	cause->stall_us = (now - since) / 1000;
	cause->stall_known = true;
}

/* Of a buffer that was just sent again, as `segs` segments. */
static __always_inline void find_stall(struct cause *cause, const struct tcp_sock *tp,
				       const struct sk_buff *skb, const struct socket_memory *memory,
				       __u32 segs, int err)
{
	const struct tcp_skb_cb *cb = (const void *)skb->cb;
	__u32 seq = get(cb, seq);
	__u64 since = 0;

	if (!bpf_core_field_exists(skb->skb_mstamp_ns))
		return;
	if (memory)
		since = expected_since(memory, seq, get(tp, total_retrans), segs);
	if (!since && cause->reason == TCPRETRANS_REASON_TLP)
		since = since_idle(tp, seq);
	note_stall(cause, since, sent_at(cause->ts_ns, err, skb, memory));
}

#ifndef TYPED
/* Of a buffer that is about to be sent again, and still has its old time. */
static __always_inline void find_stall_before(struct cause *cause, const struct sk_buff *skb)
{
	if (bpf_core_field_exists(skb->skb_mstamp_ns))
		note_stall(cause, peek(skb, skb_mstamp_ns), cause->ts_ns);
}
#endif

#endif
