/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the loader tells the programs about this kernel and about the user's wishes, before loading.
 * The verifier takes it for constant, so what it rules out need not exist in the kernel. */
#ifndef SETTINGS_H
#define SETTINGS_H

#define TCPRETRANS_SETTINGS ".rodata.settings"

/* Bytes into a tracepoint's record (tracefs' format file); 0 = it has no such field. */
struct tcpretrans_offsets {
	uint16_t skaddr;
	uint16_t sport;
	uint16_t dport;
	uint16_t saddr_v6;
	uint16_t daddr_v6;
	uint16_t state;
	uint16_t err;
	uint16_t newstate;
	uint16_t protocol;
};

struct tcpretrans_settings {
	uint8_t  no_owners;
	uint8_t  has_err;           /* tcp_retransmit_skb passes `err` (6.17 and backports) */
	uint8_t  has_storage;       /* programs may use socket storage (5.11) */
	uint8_t  has_sock_from_file; /* the helper (5.11) */
	uint8_t  has_ring;          /* records go into a ring buffer, otherwise into perf buffers */
	uint8_t  has_netns_cookie;  /* and it can be asked for from outside (5.14) */
	uint8_t  count_by;          /* enum tcpretrans_count_by */
	uint8_t  no_reason;         /* nobody asks for reasons, */
	uint32_t wakeup_bytes;      /* wake the reader when that much is waiting in the ring */
	struct tcpretrans_offsets skb;    /* tcp:tcp_retransmit_skb */
	struct tcpretrans_offsets synack; /* tcp:tcp_retransmit_synack */
	struct tcpretrans_offsets set_state; /* sock:inet_sock_set_state */
	uint8_t  no_stall;          /* or for how long the data had been waiting */
	uint64_t interval_ns;       /* between a flow's events, on average; 0 = there is no limit */
	uint64_t burst_ns;          /* how much earlier than that one may come */
	uint32_t mask4;             /* prefixes by which remotes are counted, in network order */
	uint32_t mask6[4];
};

#ifdef __bpf__
const volatile struct tcpretrans_settings settings SEC(TCPRETRANS_SETTINGS);
#endif

#endif
