/* SPDX-License-Identifier: BSD-2-Clause */
/* One retransmit as the kernel saw it: the record that BPF writes, C passes on and Python reads.
 *
 * Ports are in host order, addresses in network order (IPv4 in the first four bytes), times in
 * nanoseconds of the host's CLOCK_MONOTONIC. A field whose bit is missing from `known` has no meaning.
 */
#ifndef TCPRETRANS_EVENT_H
#define TCPRETRANS_EVENT_H

#ifndef __bpf__
#include <stdint.h>
#endif

#define TCPRETRANS_ABI_VERSION 2
#define TCPRETRANS_EVENT_SIZE  256

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
	TCPRETRANS_REASON_PMTU          = 7, /* the path takes smaller packets only */
};

/* How the owner is known. */
enum tcpretrans_owner_how {
	TCPRETRANS_OWNER_UNKNOWN   = 0,
	TCPRETRANS_OWNER_WAITING   = 1, /* a task sleeps on this socket: in recv, send, poll or epoll */
	TCPRETRANS_OWNER_LOCK      = 2, /* a task is inside a system call on this socket */
	TCPRETRANS_OWNER_LAST_USER = 3, /* the last process seen that way; no other holds the socket */
	TCPRETRANS_OWNER_FILE      = 4, /* who connected, or listened for it, holds it alone */
	TCPRETRANS_OWNER_CLOSE     = 5, /* nobody holds the socket any more: who closed it */
	TCPRETRANS_OWNER_ITERATOR  = 6, /* alone found to hold it, in the open files of all */
	TCPRETRANS_OWNER_INHERITED = 7, /* the listener's owner, for a connection not yet accepted */
	TCPRETRANS_OWNER_OPENER    = 8, /* who connected or listened; whether it still does is not known */
};

/* Bits of `known`; fields without a bit are always known. */
enum tcpretrans_known {
	TCPRETRANS_KNOWN_CGROUP_ID   = 1 << 0,
	TCPRETRANS_KNOWN_SOCK_COOKIE = 1 << 1,
	TCPRETRANS_KNOWN_NETNS       = 1 << 2,
	TCPRETRANS_KNOWN_UID         = 1 << 3,
	TCPRETRANS_KNOWN_SNDBUF      = 1 << 4, /* seq, end_seq, len and tcp_flags */
	TCPRETRANS_KNOWN_SOCK        = 1 << 5, /* snd_una, total_retrans, mark, ifindex and the state of
						* congestion control and timers */
	TCPRETRANS_KNOWN_BYTES       = 1 << 6, /* bytes_sent, bytes_retrans, dsack_dups and reord_seen */
	TCPRETRANS_KNOWN_JIFFIES     = 1 << 7, /* rto_us */
	TCPRETRANS_KNOWN_STALL       = 1 << 8,
	TCPRETRANS_KNOWN_OWNER       = 1 << 9, /* owner_pid and owner_comm */
	TCPRETRANS_KNOWN_SHARED      = 1 << 10, /* owner_shared; may be known where no owner is */
	TCPRETRANS_KNOWN_RTT         = 1 << 11, /* srtt_us and rttvar_us: once there was a round trip */
	TCPRETRANS_KNOWN_SENT        = 1 << 12, /* err: the transmission is over */
	TCPRETRANS_KNOWN_SEGS        = 1 << 13, /* segs, skipped_segs and limited_segs */
};

/* By what events are counted in the kernel. */
enum tcpretrans_count_by {
	TCPRETRANS_COUNT_NONE   = 0, /* they are not */
	TCPRETRANS_COUNT_FLOW   = 1, /* local and remote address and port */
	TCPRETRANS_COUNT_REMOTE = 2, /* remote address */
	TCPRETRANS_COUNT_PREFIX = 3, /* of the remote address */
	TCPRETRANS_COUNT_LPORT  = 4, /* local port */
	TCPRETRANS_COUNT_RPORT  = 5, /* remote port */
	TCPRETRANS_COUNT_PID    = 6, /* process that uses the socket */
	TCPRETRANS_COUNT_CGROUP = 7,
	TCPRETRANS_COUNT_REASON = 8,
};

struct tcpretrans_event {
	uint64_t ts_ns;
	uint64_t known;         /* enum tcpretrans_known */
	uint64_t cgroup_id;     /* inode of the socket's cgroup v2 directory */
	uint64_t sock_cookie;   /* SO_COOKIE, where somebody asked the kernel for it before */
	uint64_t stall_us;      /* how long the data had been waiting since it was last sent */
	uint64_t bytes_sent;    /* by this socket so far, retransmits included */
	uint64_t bytes_retrans; /* of them */
	uint64_t bytes_acked;
	uint8_t  saddr[16];     /* local address */
	uint8_t  daddr[16];     /* remote address */
	char     ca_name[16];   /* congestion control */
	char     owner_comm[16]; /* name of the owner's thread, any bytes, NUL-terminated */
	uint32_t netns;         /* inode of the network namespace */
	uint32_t uid;           /* who owns the socket, in the initial user namespace */
	uint32_t owner_pid;     /* process (tgid) in the initial pid namespace */
	uint32_t seq;           /* first sequence number sent */
	uint32_t end_seq;       /* one past the last, SYN and FIN counted */
	uint32_t snd_una;       /* first sequence number not yet acknowledged */
	uint32_t len;           /* payload bytes */
	uint32_t segs;          /* segments sent, as RetransSegs counts them; 0 where err is not 0 */
	uint32_t skipped_segs;  /* segments this socket sent before, for which no event came */
	uint32_t total_retrans; /* segments this socket has retransmitted so far */
	int32_t  err;           /* 0; where it failed -errno, or 1 (NET_XMIT_DROP: the local queue) */
	uint32_t mark;          /* SO_MARK */
	uint32_t ifindex;       /* bound device, 0 = none */
	uint32_t rto_us;        /* retransmission timeout, backoff included */
	uint32_t srtt_us;       /* smoothed round-trip time */
	uint32_t rttvar_us;
	uint32_t snd_cwnd;      /* segments, as the next ones are */
	uint32_t ssthresh;
	uint32_t packets_out;   /* sent and not acknowledged */
	uint32_t sacked_out;
	uint32_t lost_out;      /* taken for lost */
	uint32_t retrans_out;   /* retransmitted and not acknowledged */
	uint32_t delivered;     /* segments the peer has received so far */
	uint32_t mss;           /* bytes */
	uint32_t dsack_dups;    /* duplicates the peer reported: spurious retransmits */
	uint32_t reord_seen;    /* reorderings seen */
	uint32_t undo_retrans;  /* retransmits of this episode that may yet prove spurious */
	uint16_t sport;         /* local port */
	uint16_t dport;         /* remote port */
	uint8_t  family;        /* 4 or 6; IPv4-mapped IPv6 is 4 */
	uint8_t  kind;          /* enum tcpretrans_kind */
	uint8_t  state;         /* TCP_ESTABLISHED = 1 ... (include/net/tcp_states.h) */
	uint8_t  reason;        /* enum tcpretrans_reason */
	uint8_t  tcp_flags;     /* FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32, ECE 64, CWR 128 */
	uint8_t  ca_state;      /* Open 0, Disorder 1, CWR 2, Recovery 3, Loss 4 */
	uint8_t  icsk_pending;  /* which timer runs: retransmit 1, probe 3, loss probe 5, reordering 6 */
	uint8_t  retransmits;   /* timeouts in a row */
	uint8_t  backoff;       /* how often the timeout was doubled */
	uint8_t  owner_how;     /* enum tcpretrans_owner_how */
	uint8_t  owner_shared;  /* 1: other live processes hold the socket too */
	uint8_t  reserved;
	uint32_t limited_segs;  /* segments this socket sent before, which the rate limit kept back */
};

#ifdef __cplusplus
static_assert(sizeof(struct tcpretrans_event) == TCPRETRANS_EVENT_SIZE, "event layout");
#else
_Static_assert(sizeof(struct tcpretrans_event) == TCPRETRANS_EVENT_SIZE, "event layout");
#endif

#endif
