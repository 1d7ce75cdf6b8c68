/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How long the data had been waiting since it was last sent.
 *
 * At the event the buffer already carries the time of the new transmission. But the kernel changes
 * the congestion state just before it retransmits (tcp_enter_loss, tcp_enter_recovery), and then
 * the first buffer of the retransmit queue still has the old time.
 */
#ifndef STALL_H
#define STALL_H

/* An event that belongs to a change of state comes right after it. */
#define AT_ONCE_NS 1000000

static __always_inline const struct sk_buff *first_unacked(const struct sock *sk)
{
	const struct rb_node *node = sk->tcp_rtx_queue.rb_node;

	/* depth of a red-black tree of a million buffers; rbnode lies at the start of one */
	for (int depth = 0; node && depth < 40; depth++) {
		const struct rb_node *left = BPF_CORE_READ(node, rb_left);

		if (!left)
			return (const void *)node;
		node = left;
	}
	return 0;
}

static __always_inline void notice_loss(struct socket_memory *memory, const struct sock *sk,
					bool timed_out)
{
	const struct sk_buff *skb = first_unacked(sk);
	const struct tcp_skb_cb *cb;

	memory->noticed_ns = bpf_ktime_get_ns();
	memory->timed_out = timed_out;
	memory->waiting_since_ns = 0;
	if (!skb || !bpf_core_field_exists(skb->skb_mstamp_ns))
		return;
	cb = (const void *)&skb->cb;
	memory->waiting_seq = BPF_CORE_READ(cb, seq);
	memory->waiting_since_ns = BPF_CORE_READ(skb, skb_mstamp_ns);
}

static __always_inline void fill_stall(struct tcpretrans_event *event, struct socket_memory *memory)
{
	if (!memory || !memory->waiting_since_ns || event->seq != memory->waiting_seq ||
	    event->ts_ns - memory->noticed_ns > AT_ONCE_NS || event->ts_ns < memory->waiting_since_ns)
		return;
	event->stall_us = (event->ts_ns - memory->waiting_since_ns) / 1000;
	event->known |= TCPRETRANS_KNOWN_STALL;
	memory->waiting_since_ns = 0;
}

#endif
