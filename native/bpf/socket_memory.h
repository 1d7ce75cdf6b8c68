/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is remembered of a socket between events. Where programs have socket storage, the kernel frees
 * it with the socket; elsewhere a map by the socket's address holds it. */
#ifndef SOCKET_MEMORY_H
#define SOCKET_MEMORY_H

/* What made the kernel take everything for lost (TCP_CA_Loss). */
enum loss_cause {
	LOSS_NOT_SEEN = 0,
	LOSS_BY_TIMER = 1, /* tcp_enter_loss */
	LOSS_BY_MTU   = 2, /* tcp_simple_retransmit */
};

struct socket_memory {
	__u32 counted;           /* total_retrans when we last looked */
	bool looked;             /* `counted` means something */
	bool reverted;           /* an ICMP error just made the timer run out; the event is to come */
	__u8 loss_cause;         /* enum loss_cause */
	__u8 reserved;
	__u64 noticed_ns;        /* when everything was last taken for lost */
	__u32 loss_mss;          /* mss at that time */
	__u32 waiting_seq;       /* first of the data that is likely sent again next */
	__u32 waiting_total;     /* total_retrans when that was learnt */
	__u32 limited_segs;      /* kept back by the rate limit since its last event */
	__u64 waiting_since_ns;  /* when that was last sent; 0 = not known */
	__u64 paid_until_ns;     /* its token bucket (limit.h) */
	__u32 netns_place;       /* where its namespace's counters are (tally.h); 0 = not known */
	__u32 reserved2;
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct socket_memory);
} socket_memories SEC(".maps");

/* When it is full, the sockets unused for longest are forgotten. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, struct socket_memory);
} socket_memories_by_address SEC(".maps");

static __always_inline void *find_or_add(void *map, __u64 address, const void *empty)
{
	void *found = bpf_map_lookup_elem(map, &address);

	if (found)
		return found;
	bpf_map_update_elem(map, &address, empty, BPF_NOEXIST);
	return bpf_map_lookup_elem(map, &address);
}

static const struct socket_memory empty_socket_memory;

static __always_inline struct socket_memory *remember(const struct sock *sk)
{
	if (!settings.has_storage)
		return find_or_add(&socket_memories_by_address, (unsigned long)sk, &empty_socket_memory);
	return bpf_sk_storage_get(&socket_memories, (void *)sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
}

static __always_inline struct socket_memory *recall(const struct sock_common *common)
{
	__u64 address = (unsigned long)common;

	if (!settings.has_storage)
		return bpf_map_lookup_elem(&socket_memories_by_address, &address);
	return bpf_sk_storage_get(&socket_memories, (void *)common, 0, 0);
}

#endif
