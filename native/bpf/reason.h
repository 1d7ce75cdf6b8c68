/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Why the kernel retransmitted. */
#ifndef REASON_H
#define REASON_H

/* An event that belongs to a change of state comes right after it. */
#define AT_ONCE_NS 1000000

/* tcp_simple_retransmit(), which answers an ICMP 'fragmentation needed', leaves no old threshold and
 * no place to return to. tcp_enter_loss() does as well, but only after tcp_enter_cwr(). */
static __always_inline bool nothing_to_undo(const struct tcp_sock *tp)
{
	return !get(tp, prior_ssthresh) && !get(tp, undo_marker);
}

/* Fast Open data that the SYN-ACK did not acknowledge is sent again in the same way as what was too
 * big; the SYN is all that was acknowledged by then. */
static __always_inline bool refused_in_syn(const struct tcp_sock *tp)
{
	return get_bits(tp, syn_data) && get(tp, bytes_acked) <= 1;
}

/* To be asked while the state still is the old one. tcp_simple_retransmit() does nothing to the
 * state where it is Loss already. The retransmission timer is not pending while its handler runs;
 * that handler is also called by tcp_ld_RTO_revert(), with the timer pending, but then from Loss. */
static __always_inline __u8 loss_cause(const struct tcp_sock *tp)
{
	const struct inet_connection_sock *icsk = &tp->inet_conn;

	if (get_bits(icsk, icsk_ca_state) == TCP_CA_LOSS || !get(icsk, icsk_pending) ||
	    !nothing_to_undo(tp))
		return LOSS_BY_TIMER;
	return refused_in_syn(tp) ? LOSS_NOT_SEEN : LOSS_BY_MTU;
}

static __always_inline void notice_loss(struct socket_memory *memory, const struct tcp_sock *tp)
{
	memory->loss_cause = loss_cause(tp);
	memory->loss_mss = get(tp, mss_cache);
	memory->reverted = memory->loss_cause == LOSS_BY_TIMER && get(tp, inet_conn.icsk_pending);
	memory->noticed_ns = bpf_ktime_get_ns();
}

/* Whether this is what tcp_ld_RTO_revert() sends: the head of the queue, at once. */
static __always_inline bool just_reverted(struct socket_memory *memory, const struct tcp_sock *tp,
					  __u32 seq, __u64 now)
{
	bool just = memory && memory->reverted && seq == get(tp, snd_una) &&
		    now - memory->noticed_ns < AT_ONCE_NS;

	if (memory)
		memory->reverted = false;
	return just;
}

/* Where nobody saw what the loss came from, it may have been a smaller path, and the head of the
 * queue alone may be what tcp_ld_RTO_revert() sends. */
static __always_inline bool doubtful(const struct tcp_sock *tp, __u32 seq)
{
	return nothing_to_undo(tp) || (seq == get(tp, snd_una) && !get(tp, retrans_out));
}

/* In Loss, acknowledgements make room to go on. But where the path shrank meanwhile, it may also be
 * that. */
static __always_inline __u8 reason_in_loss(const struct tcp_sock *tp, __u32 seq,
					   const struct socket_memory *memory)
{
	__u8 cause = memory ? memory->loss_cause : LOSS_NOT_SEEN;

	if (cause == LOSS_BY_MTU)
		return TCPRETRANS_REASON_PMTU;
	if (cause == LOSS_BY_TIMER ? get(tp, mss_cache) < memory->loss_mss : doubtful(tp, seq))
		return TCPRETRANS_REASON_UNKNOWN;
	return TCPRETRANS_REASON_LOSS_RECOVERY;
}

/* First match wins; the order matters. No timer is pending while the retransmission timer's own
 * handler runs. A probe timer still pending on a buffer that is marked lost is a fast retransmit
 * that came before the timer was set anew. */
static __always_inline __u8 reason_of(const struct tcp_sock *tp, const struct sk_buff *skb,
				      struct socket_memory *memory, __u64 now)
{
	const struct inet_connection_sock *icsk = &tp->inet_conn;
	const struct tcp_skb_cb *cb = (const void *)skb->cb;
	__u8 pending = get(icsk, icsk_pending);
	__u32 seq = get(cb, seq);
	bool reverted = just_reverted(memory, tp, seq, now);

	if (get_bits(cb, tcp_flags) & TCPHDR_SYN)
		return TCPRETRANS_REASON_SYN;
	if (reverted || !pending)
		return TCPRETRANS_REASON_RTO;
	if (pending == ICSK_TIME_LOSS_PROBE && !(get(cb, sacked) & TCPCB_LOST))
		return TCPRETRANS_REASON_TLP;
	if (get_bits(icsk, icsk_ca_state) != TCP_CA_LOSS)
		return TCPRETRANS_REASON_FAST;
	return reason_in_loss(tp, seq, memory);
}

#endif
