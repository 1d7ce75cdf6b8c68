/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Counting, for each network namespace. */
#ifndef TALLY_H
#define TALLY_H

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, MAX_NETNS);
	__type(key, struct netns_key);
	__type(value, struct tcpretrans_counters);
} counters SEC(".maps");

/* For the namespaces beyond MAX_NETNS. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tcpretrans_counters);
} other_netns SEC(".maps");

static const struct tcpretrans_counters nothing;

/* Atomic although each CPU has its own: one program can interrupt another. */
#define ADD(counter, n) __sync_fetch_and_add(&(counter), n)

static __always_inline struct tcpretrans_counters *counters_of(const struct sock_common *common)
{
	const struct net *net = common->skc_net.net;
	struct netns_key key = { .netns = net->ns.inum };
	struct tcpretrans_counters *count;
	__u32 zero = 0;

	if (bpf_core_field_exists(net->net_cookie))
		key.cookie = net->net_cookie;
	count = bpf_map_lookup_elem(&counters, &key);
	if (count)
		return count;
	bpf_map_update_elem(&counters, &key, &nothing, BPF_NOEXIST);
	count = bpf_map_lookup_elem(&counters, &key);
	return count ?: bpf_map_lookup_elem(&other_netns, &zero);
}

#endif
