/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is remembered of a socket between events; the kernel frees it with the socket. */
#ifndef SOCKET_MEMORY_H
#define SOCKET_MEMORY_H

struct socket_memory {
	__u32 counted;           /* total_retrans when we last looked */
	bool looked;             /* `counted` means something */
	bool timed_out;          /* the retransmission timer just ran out; the event is still to come */
	__u32 waiting_seq;       /* first of the data that a loss was just noticed of */
	__u64 waiting_since_ns;  /* when that was last sent */
	__u64 noticed_ns;        /* when the loss was noticed */
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

static __always_inline struct socket_memory *recall(const struct sock_common *common)
{
	return bpf_sk_storage_get(&socket_memories, (void *)common, 0, 0);
}

#endif
