/* SPDX-License-Identifier: BSD-2-Clause */
/* One retransmit as the kernel saw it: the record that BPF writes, C passes on and Python reads.
 *
 * Ports are in host order, addresses in network order (IPv4 in the first four bytes), times in
 * nanoseconds of CLOCK_MONOTONIC. A field whose bit is missing from `known` has no meaning.
 */
#ifndef TCPRETRANS_EVENT_H
#define TCPRETRANS_EVENT_H

#ifndef __bpf__
#include <stdint.h>
#endif

#define TCPRETRANS_ABI_VERSION 1
#define TCPRETRANS_EVENT_SIZE  128

enum tcpretrans_kind {
	TCPRETRANS_KIND_SKB    = 0, /* tcp:tcp_retransmit_skb */
	TCPRETRANS_KIND_SYNACK = 1, /* tcp:tcp_retransmit_synack */
};

/* Why the kernel retransmitted. */
enum tcpretrans_reason {
	TCPRETRANS_REASON_UNKNOWN       = 0,
	TCPRETRANS_REASON_RTO           = 1, /* the retransmission timer ran out */
	TCPRETRANS_REASON_FAST          = 2, /* SACK, RACK or duplicate ACKs told of a loss */
	TCPRETRANS_REASON_TLP           = 3, /* tail loss probe */
	TCPRETRANS_REASON_SYN           = 4, /* a connect still unanswered */
	TCPRETRANS_REASON_SYNACK        = 5, /* a handshake not yet completed by the peer */
	TCPRETRANS_REASON_LOSS_RECOVERY = 6, /* slow start after an RTO */
};

/* Bits of `known`; fields without a bit are always known. */
enum tcpretrans_known {
	TCPRETRANS_KNOWN_CGROUP_ID   = 1 << 0,
	TCPRETRANS_KNOWN_SOCK_COOKIE = 1 << 1,
	TCPRETRANS_KNOWN_NETNS       = 1 << 2,
	TCPRETRANS_KNOWN_UID         = 1 << 3,
	TCPRETRANS_KNOWN_SNDBUF      = 1 << 4, /* seq, end_seq, len, segs and tcp_flags */
	TCPRETRANS_KNOWN_SOCK        = 1 << 5, /* snd_una, total_retrans, mark and ifindex */
};

struct tcpretrans_event {
	uint64_t ts_ns;
	uint64_t known;         /* enum tcpretrans_known */
	uint64_t cgroup_id;     /* inode of the socket's cgroup v2 directory */
	uint64_t sock_cookie;   /* SO_COOKIE, where somebody asked the kernel for it before */
	uint8_t  saddr[16];     /* local address */
	uint8_t  daddr[16];     /* remote address */
	uint32_t netns;         /* inode of the network namespace */
	uint32_t uid;           /* who owns the socket, in the initial user namespace */
	uint32_t seq;           /* first sequence number sent */
	uint32_t end_seq;       /* one past the last, SYN and FIN counted */
	uint32_t snd_una;       /* first sequence number not yet acknowledged */
	uint32_t len;           /* payload bytes */
	uint32_t segs;          /* segments, as RetransSegs counts them */
	uint32_t total_retrans; /* segments this socket has retransmitted so far */
	int32_t  err;           /* 0; where it failed -errno, or 1 (NET_XMIT_DROP: the local queue) */
	uint32_t mark;          /* SO_MARK */
	uint32_t ifindex;       /* bound device, 0 = none */
	uint16_t sport;         /* local port */
	uint16_t dport;         /* remote port */
	uint8_t  family;        /* 4 or 6; IPv4-mapped IPv6 is 4 */
	uint8_t  kind;          /* enum tcpretrans_kind */
	uint8_t  state;         /* TCP_ESTABLISHED = 1 ... (include/net/tcp_states.h) */
	uint8_t  reason;        /* enum tcpretrans_reason */
	uint8_t  tcp_flags;     /* FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32, ECE 64, CWR 128 */
	uint8_t  reserved[11];
};

#ifdef __cplusplus
static_assert(sizeof(struct tcpretrans_event) == TCPRETRANS_EVENT_SIZE, "event layout");
#else
_Static_assert(sizeof(struct tcpretrans_event) == TCPRETRANS_EVENT_SIZE, "event layout");
#endif

#endif
