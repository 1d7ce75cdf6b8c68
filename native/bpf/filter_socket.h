/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Conditions on what only the socket tells. */
#ifndef FILTER_SOCKET_H
#define FILTER_SOCKET_H

#define FILTER_BELONGINGS (FILTER_NETNS | FILTER_UID | FILTER_CGROUP)

/* A socket in a cgroup deeper than that is taken for one of the ancestor there. */
#define CGROUP_DEPTH 32

/* What a flexible array in struct cgroup holds at that level, or 0. */
static __always_inline __u64 ancestor_id(const struct cgroup *cgroup, int level)
{
	const struct cgroup___ids *older = (const void *)cgroup; /* before 6.1 */
	const struct cgroup *ancestor = 0;
	__u64 id = 0;

	if (bpf_core_field_exists(cgroup->ancestors)) {
		bpf_probe_read_kernel(&ancestor, sizeof(ancestor), &cgroup->ancestors[0] + level);
		return ancestor ? node_id(BPF_CORE_READ(ancestor, kn)) : 0;
	}
	if (bpf_core_field_exists(older->ancestor_ids))
		bpf_probe_read_kernel(&id, sizeof(id), &older->ancestor_ids[0] + level);
	return id;
}

/* Whether the cgroup or one above it is listed. */
__noinline int is_cgroup_listed(__u32 list, __u64 cgroup_address)
{
	const struct cgroup *cgroup = (const void *)cgroup_address;
	int deepest = BPF_CORE_READ(cgroup, level);

	for (int level = 0; level < CGROUP_DEPTH && level <= deepest; level++)
		if (is_listed(list, ancestor_id(cgroup, level), 0))
			return 1;
	return 0;
}

/* Read by a helper, which gives a number; a pointer could not be passed on. */
static __always_inline __u64 cgroup_address(const struct sock *sk)
{
	return bpf_core_field_exists(sk->sk_cgrp_data.cgroup) ?
		       (__u64)BPF_CORE_READ(sk, sk_cgrp_data.cgroup) : (__u64)cgroup_of(sk);
}

static __always_inline __u32 fulfilled_by_socket(const struct filter_conditions *conditions, __u32 lists,
						 const struct sock *sk)
{
	__u32 used = conditions->used, fulfilled = 0;
	const struct net *net = get(sk, __sk_common.skc_net.net);
	__u64 cgroup;

	if (used & FILTER_NETNS && is_listed(lists | FILTER_NETNS, get(net, ns.inum), 0))
		fulfilled |= FILTER_NETNS;
	if (used & FILTER_UID && is_listed(lists | FILTER_UID, get(sk, sk_uid.val), 0))
		fulfilled |= FILTER_UID;
	if (used & FILTER_CGROUP) {
		cgroup = cgroup_address(sk);
		if (cgroup && is_cgroup_listed(lists | FILTER_CGROUP, cgroup))
			fulfilled |= FILTER_CGROUP;
	}
	return fulfilled;
}

/* Of a request for a connection the tuple is its own, and the rest the listener's. */
static __always_inline bool passes_socket(const struct filter *filter, const struct tuple *tuple,
					  const struct sock *sk)
{
	__u32 lists, only, never;

	if (!passes_tuple(filter, tuple))
		return false;
	if (!has_conditions(filter, FILTER_BELONGINGS))
		return true;
	lists = FILTER_SLOT(filter->slot);
	only = fulfilled_by_socket(&filter->only, lists, sk);
	never = fulfilled_by_socket(&filter->never, lists | FILTER_IS_NEVER, sk);
	return !keeps_back(filter, FILTER_BELONGINGS, only, never);
}

#endif
