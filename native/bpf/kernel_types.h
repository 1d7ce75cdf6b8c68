/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The few kernel types and fields that the programs read. CO-RE finds their real offsets in the
 * running kernel's BTF, so order and gaps here mean nothing; only names and types do. A name with
 * ___ and a word behind it is the same type as some kernels shape it.
 */
#ifndef KERNEL_TYPES_H
#define KERNEL_TYPES_H

typedef signed char __s8;
typedef unsigned char __u8;
typedef short __s16;
typedef unsigned short __u16;
typedef int __s32;
typedef unsigned int __u32;
typedef long long __s64;
typedef unsigned long long __u64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u64 __be64;
typedef __u32 __wsum;

typedef __u8 uint8_t;
typedef __u16 uint16_t;
typedef __s32 int32_t;
typedef __u32 uint32_t;
typedef __u64 uint64_t;

enum { false, true };
typedef _Bool bool;

/* include/uapi/linux/bpf.h */
enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERF_EVENT_ARRAY = 4,
	BPF_MAP_TYPE_PERCPU_HASH = 5,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_LPM_TRIE = 11,
	BPF_MAP_TYPE_SK_STORAGE = 24,
	BPF_MAP_TYPE_RINGBUF = 27,
};
enum {
	BPF_RB_NO_WAKEUP = 1,
	BPF_RB_FORCE_WAKEUP = 2,
};
enum { BPF_RB_AVAIL_DATA = 0 };
enum {
	BPF_NOEXIST = 1,
	BPF_EXIST = 2,
	BPF_F_NO_PREALLOC = 1,
	BPF_F_CLONE = 512,
	BPF_SK_STORAGE_GET_F_CREATE = 1,
};

#define BPF_F_CURRENT_CPU 0xffffffffULL

/* Which helpers the kernel has; only the names mean something. */
enum bpf_func_id___some { BPF_FUNC_jiffies64___some };

/* include/uapi/asm-generic/errno.h */
#define EAGAIN        11
#define ENOMEM        12
#define EBUSY         16
#define EINVAL        22
#define EHOSTUNREACH  113

#define AF_INET      2
#define AF_INET6     10
#define SOCK_STREAM  1
#define IPPROTO_TCP  6

/* include/net/tcp_states.h */
#define TCP_ESTABLISHED 1
#define TCP_SYN_SENT    2
#define TCP_SYN_RECV    3
#define TCP_FIN_WAIT1   4
#define TCP_FIN_WAIT2   5
#define TCP_TIME_WAIT   6
#define TCP_CLOSE       7
#define TCP_CLOSE_WAIT  8
#define TCP_LAST_ACK    9
#define TCP_LISTEN      10
#define TCP_CLOSING     11
#define TCP_NEW_SYN_RECV 12

/* include/net/inet_connection_sock.h: icsk_pending; include/uapi/linux/tcp.h: icsk_ca_state;
 * include/net/tcp.h: tcp_skb_cb.tcp_flags and .sacked */
#define ICSK_TIME_LOSS_PROBE 5
#define TCP_CA_RECOVERY      3
#define TCP_CA_LOSS          4
#define TCPHDR_SYN           0x02
#define TCPHDR_ACK           0x10
#define TCPCB_SACKED_ACKED   0x01
#define TCPCB_SACKED_RETRANS 0x02
#define TCPCB_LOST           0x04

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct ns_common {
	__u32 inum;
};

struct net {
	struct ns_common ns;
	__u64 net_cookie;
};

typedef struct {
	struct net *net;
} possible_net_t;

typedef struct {
	__s64 counter;
} atomic64_t;

typedef struct {
	__u32 val;
} kuid_t;

struct in6_addr {
	union {
		__u8 u6_addr8[16];
		__be32 u6_addr32[4];
	} in6_u;
};

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	int skc_bound_dev_if;
	possible_net_t skc_net;
	unsigned long skc_flags;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	atomic64_t skc_cookie;
};

struct kernfs_node {
	__u64 id;
};

union kernfs_node_id {
	__u64 id;
};

struct kernfs_node___union { /* before 5.5 */
	union kernfs_node_id id;
};

struct cgroup {
	struct kernfs_node *kn;
	int level;
	struct cgroup *ancestors[1];
};

struct cgroup___ids { /* before 6.1 */
	__u64 ancestor_ids[1];
};

struct sock_cgroup_data {
	struct cgroup *cgroup;
};

struct sock_cgroup_data___tagged { /* before 5.15: a pointer, or v1 data where bit 0 is set */
	__u64 val;
};

struct rb_node {
	unsigned long __rb_parent_color;
	struct rb_node *rb_right;
	struct rb_node *rb_left;
};

struct rb_root {
	struct rb_node *rb_node;
};

struct list_head {
	struct list_head *next;
};

struct wait_queue_head {
	struct list_head head;
};

struct wait_queue_entry {
	void *private;
	struct list_head entry;
};

struct socket_wq {
	struct wait_queue_head wait;
};

typedef struct {
	int owned;
} socket_lock_t;

struct sock {
	struct sock_common __sk_common;
	socket_lock_t sk_lock;
	struct socket_wq *sk_wq;
	__u16 sk_type;
	__u16 sk_protocol;
	struct socket *sk_socket;
	__u32 sk_mark;
	kuid_t sk_uid;
	struct sock_cgroup_data sk_cgrp_data;
	struct rb_root tcp_rtx_queue;
};

struct tcp_congestion_ops {
	char name[16];
};

struct inet_connection_sock {
	__u32 icsk_rto;
	const struct tcp_congestion_ops *icsk_ca_ops;
	__u8 icsk_ca_state: 5;
	__u8 icsk_retransmits;
	__u8 icsk_pending;
	__u8 icsk_backoff;
};

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	__u32 snd_una;
	__u32 total_retrans;
	__u32 srtt_us;
	__u32 mdev_us;
	__u32 snd_cwnd;
	__u32 snd_ssthresh;
	__u32 prior_ssthresh;
	__u32 packets_out;
	__u32 sacked_out;
	__u32 lost_out;
	__u32 retrans_out;
	__u32 delivered;
	__u32 mss_cache;
	__u32 dsack_dups;
	__u32 reord_seen;
	__u32 undo_marker;
	int undo_retrans;
	__u64 bytes_sent;
	__u64 bytes_retrans;
	__u64 bytes_acked;
	__u8 syn_data: 1;
	__u64 first_tx_mstamp;
	__u64 delivered_mstamp;
};

struct request_sock {
	struct sock_common __req_common;
};

struct tcp_request_sock {
	__u32 snt_isn;
};

struct sk_buff {
	struct rb_node rbnode;
	__u64 skb_mstamp_ns;
	__u32 len;
	char cb[48];
};

struct tcp_skb_cb {
	__u32 seq;
	__u32 end_seq;
	__u16 tcp_gso_segs;
	__u16 tcp_flags;
	__u8 sacked;
};

typedef struct {
	atomic64_t refcnt;
} file_ref_t;

struct file {
	file_ref_t f_ref;
	void *private_data;
};

struct file___counted { /* before 6.13 */
	atomic64_t f_count;
};

struct fdtable {
	__u32 max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
	unsigned int next_fd;
};

struct cpumask {
	unsigned long bits[1];
};

struct signal_struct {
	int nr_threads;
};

struct task_struct {
	unsigned int flags;
	const struct cpumask *cpus_ptr;
	struct cpumask cpus_mask;
	int tgid;
	struct task_struct *group_leader;
	__u64 start_time;
	char comm[16];
	struct files_struct *files;
	struct signal_struct *signal;
};

struct timespec64 {
	__u64 tv_sec;
};

/* What a kprobe gets: the first arguments of a function lie in these. */
struct pt_regs___x86 {
	unsigned long di;
	unsigned long si;
	unsigned long dx;
};

struct user_pt_regs {
	__u64 regs[31]; /* arm64 */
};

/* fs/select.c, include/linux/poll.h */
struct poll_wqueues {
	struct task_struct *polling_task;
};

struct poll_table_entry {
	struct file *filp;
	struct wait_queue_entry wait;
	struct wait_queue_head *wait_address;
};

/* fs/eventpoll.c */
struct epoll_filefd {
	struct file *file;
	int fd;
};

struct eventpoll {
	struct wait_queue_head wq;
};

struct epitem {
	struct epoll_filefd ffd;
	struct eventpoll *ep;
};

struct eppoll_entry {
	struct epitem *base;
	struct wait_queue_entry wait;
	struct wait_queue_head *whead;
};

/* io_uring/poll.h, include/linux/io_uring_types.h */
struct io_poll {
	struct wait_queue_head *head;
	struct wait_queue_entry wait;
};

struct io_uring_task {
	struct task_struct *task;
};

struct io_kiocb {
	struct file *file;
	struct io_uring_task *tctx;
};

struct io_kiocb___task { /* before 6.13 */
	struct task_struct *task;
};

struct bpf_iter_meta {
	__u64 session_id;
};

struct socket {
	struct sock *sk;
	struct file *file;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
};

struct bpf_iter__tcp {
	struct bpf_iter_meta *meta;
	struct sock_common *sk_common;
};

#pragma clang attribute pop

#endif
