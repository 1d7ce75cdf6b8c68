/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Why the kernel retransmitted. */
#ifndef REASON_H
#define REASON_H

/* tcp_enter_loss() keeps the old threshold to return to; tcp_simple_retransmit(), which answers an
 * ICMP 'fragmentation needed', has none. */
static __always_inline bool lost_by_mtu(const struct tcp_sock *tp)
{
	return !tp->prior_ssthresh && !tp->undo_marker;
}

static __always_inline bool just_timed_out(struct socket_memory *memory, __u64 now)
{
	bool just = memory && memory->timed_out && now - memory->noticed_ns < AT_ONCE_NS;

	if (memory)
		memory->timed_out = false;
	return just;
}

/* First match wins; the order matters. No timer is pending while the retransmission timer's own
 * handler runs. A probe timer still pending on a buffer that is marked lost is a fast retransmit
 * that came before the timer was set anew. */
static __always_inline __u8 reason_of(const struct tcp_sock *tp, const struct sk_buff *skb,
				      struct socket_memory *memory, __u64 now)
{
	const struct inet_connection_sock *icsk = &tp->inet_conn;
	const struct tcp_skb_cb *cb = (const void *)skb->cb;
	bool timed_out = just_timed_out(memory, now);

	if (cb->tcp_flags & TCPHDR_SYN)
		return TCPRETRANS_REASON_SYN;
	if (timed_out || icsk->icsk_pending == 0)
		return TCPRETRANS_REASON_RTO;
	if (icsk->icsk_pending == ICSK_TIME_LOSS_PROBE && !(cb->sacked & TCPCB_LOST))
		return TCPRETRANS_REASON_TLP;
	if (BPF_CORE_READ_BITFIELD(icsk, icsk_ca_state) != TCP_CA_LOSS)
		return TCPRETRANS_REASON_FAST;
	return lost_by_mtu(tp) ? TCPRETRANS_REASON_PMTU : TCPRETRANS_REASON_LOSS_RECOVERY;
}

#endif
