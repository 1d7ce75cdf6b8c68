/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Counting, for each network namespace. */
#ifndef TALLY_H
#define TALLY_H

/* Counters lie in an array, since searching a hash takes as long as all else that an event costs which a
 * filter keeps back. Each place is for good its first owner's, and sockets remember theirs. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_NETNS);
	__type(key, __u32);
	__type(value, struct netns_key);
} netns_places SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MAX_NETNS);
	__type(key, __u32);
	__type(value, struct tcpretrans_counters);
} counters SEC(".maps");

#define PLACES_TRIED 16

static __always_inline struct netns_key key_of(const struct sock_common *common)
{
	const struct net *net = peek(common, skc_net.net);
	struct netns_key key = { .netns = peek(net, ns.inum) };

	if (settings.has_netns_cookie && bpf_core_field_exists(net->net_cookie))
		key.cookie = peek(net, net_cookie);
	return key;
}

/* The namespace's place, from 1 on; one past the last where there is none left for it. */
__noinline __u32 find_place(__u64 cookie, __u32 netns)
{
	const struct netns_key key = { .cookie = cookie, .netns = netns };
	__u32 first = netns + 17 * (__u32)cookie, place;
	const struct netns_key *owner;

	for (int i = 0; i < PLACES_TRIED; i++) {
		place = (first + i) % MAX_NETNS;
		owner = bpf_map_lookup_elem(&netns_places, &place);
		if (!owner) {
			bpf_map_update_elem(&netns_places, &place, &key, BPF_NOEXIST);
			owner = bpf_map_lookup_elem(&netns_places, &place);
		}
		if (owner && owner->cookie == cookie && owner->netns == netns)
			return place + 1;
	}
	return MAX_NETNS + 1;
}

/* `memory` may be 0. */
static __always_inline struct tcpretrans_counters *counters_of(const struct sock_common *common,
							       struct socket_memory *memory)
{
	__u32 place = memory ? memory->netns_place : 0;
	struct netns_key key;

	if (!place) {
		key = key_of(common);
		place = find_place(key.cookie, key.netns);
		if (memory)
			memory->netns_place = place;
	}
	place--;
	return bpf_map_lookup_elem(&counters, &place) ?: counters_of_others();
}

#endif
