/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is remembered of a socket between events; the kernel frees it with the socket. */
#ifndef SOCKET_MEMORY_H
#define SOCKET_MEMORY_H

/* How many buffers are remembered that may be sent again next. */
#define EXPECTED 2

/* What made the kernel take everything for lost (TCP_CA_Loss). */
enum loss_cause {
	LOSS_NOT_SEEN = 0,
	LOSS_BY_TIMER = 1, /* tcp_enter_loss */
	LOSS_BY_MTU   = 2, /* tcp_simple_retransmit */
};

struct waiting_buffer {
	__u64 since_ns; /* when it was last sent; 0 = no buffer */
	__u32 seq;
	__u32 reserved;
};

struct socket_memory {
	__u32 counted;    /* total_retrans when we last looked */
	bool looked;      /* `counted` means something */
	bool reverted;    /* an ICMP error just made the timer run out; the event is still to come */
	__u8 loss_cause;  /* enum loss_cause */
	__u8 reserved;
	__u32 loss_mss;   /* mss when that was */
	__u32 reserved2;
	__u64 noticed_ns; /* when that was */
	struct waiting_buffer waiting[EXPECTED];
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct socket_memory);
} socket_memories SEC(".maps");

static __always_inline struct socket_memory *remember(const struct sock *sk)
{
	return bpf_sk_storage_get(&socket_memories, (void *)sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
}

static __always_inline struct socket_memory *recall(const struct sock *sk)
{
	return bpf_sk_storage_get(&socket_memories, (void *)sk, 0, 0);
}

#endif
