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

/* A process, so that no later one can be mistaken for it. */
struct process {
	__u64 task;       /* a thread of it; may be gone */
	__u64 started_ns; /* that thread */
	__u32 pid;
	__u32 fd;         /* under which it had the socket, or may have; or NO_FD */
	char comm[16];
	__u8 how;         /* enum tcpretrans_owner_how, for as long as it holds the socket */
};

struct owner_memory {
	__u64 sk;              /* whose memory this is: its own, or the listener's */
	__u64 file;
	__u64 asked_ns;        /* when the reader was last asked, */
	__u64 asked_references; /* and how many the file had then */
	__u64 decided_ns;      /* when `user` was last found to be the owner */
	__u64 decided_references;
	struct process user;   /* last seen at work, or connecting, or listening */
	__u8 decided_how;
	bool several;          /* the last pass found several processes that hold the socket */
	bool threaded;         /* the one that it found has several threads */
	bool was_shared;       /* several held it since one was last seen at work on it alone */
	__u64 pass;            /* the last pass over all open files: which that was, */
	__u64 passed_ns;       /* when, */
	__u64 references;      /* how many the file had, */
	__u64 found;           /* and how many of them are descriptors of processes */
	struct process holder; /* found by that pass */
	struct process closer; /* sent the FIN */
};

/* All of a socket in one piece, since to allocate costs most, and what each event asks for close
 * together. A new connection starts with a copy of its listener's. */
struct memories {
	__u64 sk;              /* whose memory `socket` is */
	struct socket_memory socket;
	struct owner_memory owner;
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct memories);
} memories_of_sockets SEC(".maps");

/* Where nobody asks for owners. */
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

static __always_inline struct memories *memories_of(const void *sk, __u64 flags)
{
	return bpf_sk_storage_get(&memories_of_sockets, (void *)sk, 0, flags);
}

static __always_inline struct socket_memory *remember(const struct sock *sk)
{
	struct memories *memories;

	if (!settings.has_storage)
		return find_or_add(&socket_memories_by_address, (unsigned long)sk, &empty_socket_memory);
	if (settings.no_owners)
		return bpf_sk_storage_get(&socket_memories, (void *)sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	memories = memories_of(sk, BPF_SK_STORAGE_GET_F_CREATE);
	if (!memories)
		return 0;
	if (memories->sk != (unsigned long)sk) {
		memories->socket = empty_socket_memory;
		memories->sk = (unsigned long)sk;
	}
	return &memories->socket;
}

static __always_inline struct socket_memory *recall(const struct sock_common *common)
{
	__u64 address = (unsigned long)common;
	struct memories *memories;

	if (!settings.has_storage)
		return bpf_map_lookup_elem(&socket_memories_by_address, &address);
	if (settings.no_owners)
		return bpf_sk_storage_get(&socket_memories, (void *)common, 0, 0);
	memories = memories_of(common, 0);
	return memories && memories->sk == address ? &memories->socket : 0;
}

#endif
