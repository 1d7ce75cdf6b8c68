/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Filling an event from a socket, a buffer or a request. */
#ifndef SOCKET_FIELDS_H
#define SOCKET_FIELDS_H

static __always_inline bool is_v4_mapped(const struct in6_addr *addr)
{
	return !addr->in6_u.u6_addr32[0] && !addr->in6_u.u6_addr32[1] &&
	       addr->in6_u.u6_addr32[2] == bpf_htonl(0xffff);
}

/* An IPv6 socket that talks to a mapped address sends IPv4. */
static __always_inline __u8 ip_version(const struct sock_common *common)
{
	return common->skc_family == AF_INET6 && !is_v4_mapped(&common->skc_v6_daddr) ? 6 : 4;
}

static __always_inline void copy_ip6(__u8 *to, const struct in6_addr *from)
{
	__u32 *words = (__u32 *)to;

	words[0] = from->in6_u.u6_addr32[0];
	words[1] = from->in6_u.u6_addr32[1];
	words[2] = from->in6_u.u6_addr32[2];
	words[3] = from->in6_u.u6_addr32[3];
}

static __always_inline void fill_tuple(struct tcpretrans_event *event,
				       const struct sock_common *common)
{
	event->family = ip_version(common);
	if (event->family == 6) {
		copy_ip6(event->saddr, &common->skc_v6_rcv_saddr);
		copy_ip6(event->daddr, &common->skc_v6_daddr);
	} else {
		*(__u32 *)event->saddr = common->skc_rcv_saddr;
		*(__u32 *)event->daddr = common->skc_daddr;
	}
	event->sport = common->skc_num;
	event->dport = bpf_ntohs(common->skc_dport);
	event->state = common->skc_state;
	event->netns = common->skc_net.net->ns.inum;
	event->known |= TCPRETRANS_KNOWN_NETNS;
	event->sock_cookie = common->skc_cookie.counter;
	if (event->sock_cookie)
		event->known |= TCPRETRANS_KNOWN_SOCK_COOKIE;
}

/* Inode of the socket's cgroup, 0 where it has none or, on an old kernel, holds cgroup v1 data. */
static __always_inline __u64 cgroup_id(const struct sock *sk)
{
	const struct sock_cgroup_data___tagged *tagged = (const void *)&sk->sk_cgrp_data;
	const struct cgroup *cgroup;

	if (bpf_core_field_exists(sk->sk_cgrp_data.cgroup)) {
		cgroup = sk->sk_cgrp_data.cgroup;
		return cgroup ? cgroup->kn->id : 0;
	}
	cgroup = tagged->val & 1 ? 0 : (const struct cgroup *)(tagged->val & ~3ULL);
	return cgroup ? BPF_CORE_READ(cgroup, kn, id) : 0;
}

/* Whose the socket is, as far as the socket itself says. */
static __always_inline void fill_belongings(struct tcpretrans_event *event, const struct sock *sk)
{
	event->uid = sk->sk_uid.val;
	event->known |= TCPRETRANS_KNOWN_UID;
	event->cgroup_id = cgroup_id(sk);
	if (event->cgroup_id)
		event->known |= TCPRETRANS_KNOWN_CGROUP_ID;
}

/* The headers are written into a copy just before sending; what this buffer knows of them is in
 * its control block. */
static __always_inline void fill_buffer(struct tcpretrans_event *event, const struct sk_buff *skb)
{
	const struct tcp_skb_cb *cb = (const void *)skb->cb;

	event->seq = cb->seq;
	event->end_seq = cb->end_seq;
	event->segs = cb->tcp_gso_segs;
	event->tcp_flags = cb->tcp_flags;
	event->len = skb->len;
	event->known |= TCPRETRANS_KNOWN_SNDBUF;
}

/* First match wins; the order matters. A probe timer still pending on a buffer that is marked lost
 * is a fast retransmit that came before the timer was set anew. */
static __always_inline __u8 reason_of(const struct tcp_sock *tp, const struct sk_buff *skb, __u8 state)
{
	const struct inet_connection_sock *icsk = &tp->inet_conn;
	const struct tcp_skb_cb *cb = (const void *)skb->cb;

	if (state == TCP_SYN_SENT)
		return TCPRETRANS_REASON_SYN;
	if (icsk->icsk_pending == 0)
		return TCPRETRANS_REASON_RTO;
	if (icsk->icsk_pending == ICSK_TIME_LOSS_PROBE && !(cb->sacked & TCPCB_LOST))
		return TCPRETRANS_REASON_TLP;
	if (BPF_CORE_READ_BITFIELD(icsk, icsk_ca_state) == TCP_CA_LOSS)
		return TCPRETRANS_REASON_LOSS_RECOVERY;
	return TCPRETRANS_REASON_FAST;
}

#endif
