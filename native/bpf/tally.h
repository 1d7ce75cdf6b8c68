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

static const struct tcpretrans_counters nothing;

static __always_inline struct netns_key key_of(const struct sock_common *common)
{
	const struct net *net = get(common, skc_net.net);
	struct netns_key key = { .netns = get(net, ns.inum) };

	if (settings.has_netns_cookie && bpf_core_field_exists(net->net_cookie))
		key.cookie = get(net, net_cookie);
	return key;
}

static __always_inline struct tcpretrans_counters *counters_of(const struct sock_common *common)
{
	struct netns_key key = key_of(common);
	struct tcpretrans_counters *count;

	count = bpf_map_lookup_elem(&counters, &key);
	if (count)
		return count;
	bpf_map_update_elem(&counters, &key, &nothing, BPF_NOEXIST);
	count = bpf_map_lookup_elem(&counters, &key);
	return count ?: counters_of_others();
}

#endif
