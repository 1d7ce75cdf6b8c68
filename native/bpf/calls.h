/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Calls of the kernel's functions, for kprobes. */
#ifndef CALLS_H
#define CALLS_H

#ifndef TYPED
static __always_inline __u64 argument(struct pt_regs *regs, int n)
{
	const struct pt_regs___x86 *x86 = (const void *)regs;
	const struct user_pt_regs *arm64 = (const void *)regs;

	if (bpf_core_field_exists(x86->di))
		return n ? BPF_CORE_READ(x86, si) : BPF_CORE_READ(x86, di);
	return n ? BPF_CORE_READ(arm64, regs[1]) : BPF_CORE_READ(arm64, regs[0]);
}

/* A call of tcp_retransmit_skb() that is under way: it is the same retransmit once more when that calls
 * __tcp_retransmit_skb(), where the compiler left a call. */
struct call {
	__u64 skb;
	__u64 began_ns;
	__u32 total;
	__u32 reserved;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, struct call);
} calls SEC(".maps");

static __always_inline struct call this_call(const struct sock *sk, const struct sk_buff *skb)
{
	return (struct call){ .skb = (unsigned long)skb, .began_ns = bpf_ktime_get_ns(),
			      .total = BPF_CORE_READ((const struct tcp_sock *)sk, total_retrans) };
}

static __always_inline void note_call(const struct sock *sk, const struct sk_buff *skb)
{
	struct call call = this_call(sk, skb);
	__u64 address = (unsigned long)sk;

	bpf_map_update_elem(&calls, &address, &call, 0);
}

static __always_inline bool is_noted(const struct sock *sk, const struct sk_buff *skb)
{
	struct call now = this_call(sk, skb), *call;
	__u64 address = (unsigned long)sk;

	call = bpf_map_lookup_elem(&calls, &address);
	return call && call->skb == now.skb && call->total == now.total &&
	       now.began_ns - call->began_ns < AT_ONCE_NS;
}
#endif

#endif
