/* SPDX-License-Identifier: BSD-2-Clause */
/* Types of a kernel that nobody runs: the names are those that our programs read by, the layouts are not. */
typedef unsigned int u32;
typedef unsigned short u16;
typedef unsigned char u8;
typedef unsigned long u64;

struct ns_common { u32 inum; };
struct net { u64 moved[7]; struct ns_common ns; u64 net_cookie; };
typedef struct { struct net *net; } possible_net_t;
struct sock_common {
	u64 moved[9];
	u16 skc_family, skc_num, skc_dport;
	volatile u8 skc_state;
	possible_net_t skc_net;
};
struct sock { struct sock_common __sk_common; u16 sk_type; u16 sk_protocol; };
struct tcp_congestion_ops { u64 moved; char name[16]; };
struct inet_connection_sock { struct sock icsk; const struct tcp_congestion_ops *icsk_ca_ops; };
struct tcp_sock { struct inet_connection_sock inet; u32 total_retrans; u32 snd_ssthresh; };
struct sk_buff;

#ifdef OTHER_MACHINE
struct user_pt_regs { u64 regs[31]; } registers;
#else
struct pt_regs { u64 di, si; } registers;
struct user_pt_regs { u64 pstate; } also;
#endif
struct tcp_sock all_of_them;
typedef void (*btf_trace_tcp_retransmit_skb)(void *, const struct sock *, const struct sk_buff *, int);
btf_trace_tcp_retransmit_skb tracepoint;
