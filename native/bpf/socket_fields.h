/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Filling an event from a socket, a buffer or a request. */
#ifndef SOCKET_FIELDS_H
#define SOCKET_FIELDS_H

#define IP6_WORD(common, which, n) get(common, which.in6_u.u6_addr32[n])

/* An IPv6 socket that talks to a mapped address sends IPv4. A kernel without IPv6 lacks the fields. */
static __always_inline __u8 ip_version(const struct sock_common *common)
{
	if (get(common, skc_family) != AF_INET6 || !bpf_core_field_exists(common->skc_v6_daddr))
		return 4;
	return IP6_WORD(common, skc_v6_daddr, 0) || IP6_WORD(common, skc_v6_daddr, 1) ||
	       IP6_WORD(common, skc_v6_daddr, 2) != bpf_htonl(0xffff) ? 6 : 4;
}

#define COPY_IP6(words, common, which) do { \
	(words)[0] = IP6_WORD(common, which, 0); \
	(words)[1] = IP6_WORD(common, which, 1); \
	(words)[2] = IP6_WORD(common, which, 2); \
	(words)[3] = IP6_WORD(common, which, 3); \
} while (0)

/* `tuple` must be zero. */
static __always_inline void read_tuple(struct tuple *tuple, const struct sock_common *common)
{
	tuple->family = ip_version(common);
	if (tuple->family == 6) {
		COPY_IP6(tuple->saddr, common, skc_v6_rcv_saddr);
		COPY_IP6(tuple->daddr, common, skc_v6_daddr);
	} else {
		tuple->saddr[0] = get(common, skc_rcv_saddr);
		tuple->daddr[0] = get(common, skc_daddr);
	}
	tuple->sport = get(common, skc_num);
	tuple->dport = bpf_ntohs(get(common, skc_dport));
	tuple->state = get(common, skc_state);
}

static __always_inline void fill_tuple(struct tcpretrans_event *event, const struct tuple *tuple,
				       const struct sock_common *common)
{
	const struct net *net = get(common, skc_net.net);

	event->family = tuple->family;
	__builtin_memcpy(event->saddr, tuple->saddr, sizeof(event->saddr));
	__builtin_memcpy(event->daddr, tuple->daddr, sizeof(event->daddr));
	event->sport = tuple->sport;
	event->dport = tuple->dport;
	event->state = tuple->state;
	event->netns = get(net, ns.inum);
	event->known |= TCPRETRANS_KNOWN_NETNS;
	event->sock_cookie = get(common, skc_cookie.counter);
	if (event->sock_cookie)
		event->known |= TCPRETRANS_KNOWN_SOCK_COOKIE;
}

static __always_inline __u64 node_id(const struct kernfs_node *kn)
{
	const struct kernfs_node___union *old = (const void *)kn;

	return bpf_core_field_exists(old->id.id) ? BPF_CORE_READ(old, id.id) : BPF_CORE_READ(kn, id);
}

/* The socket's cgroup, 0 where it has none or, on an old kernel, holds cgroup v1 data. */
static __always_inline const struct cgroup *cgroup_of(const struct sock *sk)
{
	const struct sock_cgroup_data___tagged *tagged = (const void *)&sk->sk_cgrp_data;
	__u64 value;

	if (bpf_core_field_exists(sk->sk_cgrp_data.cgroup))
		return get(sk, sk_cgrp_data.cgroup);
	if (!bpf_core_field_exists(tagged->val))
		return 0;
	value = BPF_CORE_READ(tagged, val);
	return value & 1 ? 0 : (const struct cgroup *)(value & ~3ULL);
}

/* The inode of its folder. */
static __always_inline __u64 cgroup_id(const struct sock *sk)
{
	const struct cgroup *cgroup = cgroup_of(sk);
	const struct kernfs_node *kn;

	if (!cgroup)
		return 0;
	if (!bpf_core_field_exists(sk->sk_cgrp_data.cgroup))
		return node_id(BPF_CORE_READ(cgroup, kn));
	kn = get(cgroup, kn);
	return kn ? get(kn, id) : 0;
}

/* Whose the socket is, as far as the socket itself says. */
static __always_inline void fill_belongings(struct tcpretrans_event *event, const struct sock *sk)
{
	event->uid = get(sk, sk_uid.val);
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

	event->seq = get(cb, seq);
	event->end_seq = get(cb, end_seq);
	event->tcp_flags = get_bits(cb, tcp_flags);
	event->len = get(skb, len);
	event->known |= TCPRETRANS_KNOWN_SNDBUF;
}

/* State of congestion control and timers, in the units of tcp_get_info() (net/ipv4/tcp.c). */
static __always_inline void fill_congestion(struct tcpretrans_event *event, const struct tcp_sock *tp)
{
	const struct inet_connection_sock *icsk = &tp->inet_conn;
	__u32 jiffies = hz();

	event->snd_una = get(tp, snd_una);
	event->total_retrans = get(tp, total_retrans);
	event->snd_cwnd = get(tp, snd_cwnd);
	event->ssthresh = get(tp, snd_ssthresh);
	event->packets_out = get(tp, packets_out);
	event->sacked_out = get(tp, sacked_out);
	event->lost_out = get(tp, lost_out);
	event->retrans_out = get(tp, retrans_out);
	event->delivered = get(tp, delivered);
	event->mss = get(tp, mss_cache);
	event->undo_retrans = get(tp, undo_retrans);
	event->bytes_acked = get(tp, bytes_acked);
	event->ca_state = get_bits(icsk, icsk_ca_state);
	event->icsk_pending = get(icsk, icsk_pending);
	event->retransmits = get(icsk, icsk_retransmits);
	event->backoff = get(icsk, icsk_backoff);
	bpf_probe_read_kernel_str(event->ca_name, sizeof(event->ca_name), get(icsk, icsk_ca_ops)->name);
	if (get(tp, srtt_us)) { /* before the first sample there is 0, and a variation that is a guess */
		event->srtt_us = get(tp, srtt_us) >> 3;
		event->rttvar_us = get(tp, mdev_us) >> 2;
		event->known |= TCPRETRANS_KNOWN_RTT;
	}
	if (jiffies) {
		event->rto_us = (__u64)get(icsk, icsk_rto) * 1000000 / jiffies;
		event->known |= TCPRETRANS_KNOWN_JIFFIES;
	}
}

static __always_inline void fill_bytes(struct tcpretrans_event *event, const struct tcp_sock *tp)
{
	if (!bpf_core_field_exists(tp->bytes_sent) || !bpf_core_field_exists(tp->reord_seen))
		return;
	event->bytes_sent = get(tp, bytes_sent);
	event->bytes_retrans = get(tp, bytes_retrans);
	event->dsack_dups = get(tp, dsack_dups);
	event->reord_seen = get(tp, reord_seen);
	event->known |= TCPRETRANS_KNOWN_BYTES;
}

#endif
