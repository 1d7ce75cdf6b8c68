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

static __always_inline __u64 node_id(const struct kernfs_node *kn)
{
	const struct kernfs_node___union *old = (const void *)kn;

	return bpf_core_field_exists(old->id.id) ? BPF_CORE_READ(old, id.id) : BPF_CORE_READ(kn, id);
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
	return cgroup ? node_id(BPF_CORE_READ(cgroup, kn)) : 0;
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
	event->tcp_flags = cb->tcp_flags;
	event->len = skb->len;
	event->known |= TCPRETRANS_KNOWN_SNDBUF;
}

/* State of congestion control and timers, in the units of tcp_get_info() (net/ipv4/tcp.c). */
static __always_inline void fill_congestion(struct tcpretrans_event *event, const struct tcp_sock *tp)
{
	const struct inet_connection_sock *icsk = &tp->inet_conn;
	__u32 jiffies = hz();

	event->snd_una = tp->snd_una;
	event->total_retrans = tp->total_retrans;
	event->snd_cwnd = tp->snd_cwnd;
	event->ssthresh = tp->snd_ssthresh;
	event->packets_out = tp->packets_out;
	event->sacked_out = tp->sacked_out;
	event->lost_out = tp->lost_out;
	event->retrans_out = tp->retrans_out;
	event->delivered = tp->delivered;
	event->mss = tp->mss_cache;
	event->undo_retrans = tp->undo_retrans;
	event->bytes_acked = tp->bytes_acked;
	event->ca_state = BPF_CORE_READ_BITFIELD(icsk, icsk_ca_state);
	event->icsk_pending = icsk->icsk_pending;
	event->retransmits = icsk->icsk_retransmits;
	event->backoff = icsk->icsk_backoff;
	bpf_probe_read_kernel_str(event->ca_name, sizeof(event->ca_name), icsk->icsk_ca_ops->name);
	if (tp->srtt_us) { /* before the first sample there is 0, and a variation that is a guess */
		event->srtt_us = tp->srtt_us >> 3;
		event->rttvar_us = tp->mdev_us >> 2;
		event->known |= TCPRETRANS_KNOWN_RTT;
	}
	if (jiffies) {
		event->rto_us = (__u64)icsk->icsk_rto * 1000000 / jiffies;
		event->known |= TCPRETRANS_KNOWN_JIFFIES;
	}
}

static __always_inline void fill_bytes(struct tcpretrans_event *event, const struct tcp_sock *tp)
{
	if (!bpf_core_field_exists(tp->bytes_sent) || !bpf_core_field_exists(tp->reord_seen))
		return;
	event->bytes_sent = tp->bytes_sent;
	event->bytes_retrans = tp->bytes_retrans;
	event->dsack_dups = tp->dsack_dups;
	event->reord_seen = tp->reord_seen;
	event->known |= TCPRETRANS_KNOWN_BYTES;
}

#endif
