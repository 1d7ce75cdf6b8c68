/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the oracle writes down: one record for each retransmission and each entry into Loss. */
#ifndef ORACLE_H
#define ORACLE_H

#define STACK_DEPTH 16

enum oracle_kind {
	ORACLE_RETRANSMIT = 0, /* tcp:tcp_retransmit_skb */
	ORACLE_LOSS       = 1, /* tcp:tcp_cong_state_set to Loss */
};

struct oracle_record {
	__u64 ts_ns;
	__u64 socket;      /* its address in the kernel */
	__u64 sent_ns;     /* when the network device last took the segment that begins at seq */
	__u64 before_ns;   /* and when the time before that; 0 = not known */
	__u32 netns;
	__u32 seq;
	__u32 end_seq;
	__u32 total_retrans;
	__s32 err;
	__u16 sport;
	__u16 dport;
	__u8 kind;         /* enum oracle_kind */
	__u8 state;
	__u8 ca_state;
	__u8 icsk_pending;
	__u32 stack_bytes;
	__u32 segs;
	__u32 reserved;
	__u64 stack[STACK_DEPTH]; /* return addresses, innermost first */
};

#endif
