/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the user does not want to see. It is counted all the same.
 *
 * An event passes when each condition of `only` holds and none of `never` does. What is cheap to find
 * out is asked first, and what is not known fulfils no condition.
 */
#ifndef FILTER_H
#define FILTER_H

/* Which slot counts. The first holds, until something else is put there, a filter without conditions. */
struct {
	__u8 slot;
	__u8 reserved[7];
} filter_switch SEC(TCPRETRANS_FILTER_SWITCH);

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct filter);
} filters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 2 * TCPRETRANS_FILTER_LISTED);
	__type(key, struct filter_key);
	__type(value, __u8);
} filter_lists SEC(".maps");

/* To be asked once for each event: what the answer says holds until the program ends. */
static __always_inline const struct filter *current_filter(void)
{
	__u32 slot = *(volatile __u8 *)&filter_switch.slot;

	return bpf_map_lookup_elem(&filters, &slot);
}

static __always_inline bool has_conditions(const struct filter *filter, __u32 conditions)
{
	return (filter->only.used | filter->never.used) & conditions;
}

__noinline int is_listed(__u32 list, __u64 first, __u64 second)
{
	struct filter_key key = { .bits = 8 * (sizeof(key) - sizeof(key.bits)), .list = list,
				  .value = { first, second } };

	return bpf_map_lookup_elem(&filter_lists, &key) != 0;
}

/* Whether what is known by now, the conditions in `asked`, keeps the event back. */
static __always_inline bool keeps_back(const struct filter *filter, __u32 asked, __u32 only, __u32 never)
{
	return filter->only.used & asked & ~only || filter->never.used & asked & never;
}

/* The verifier has to see that a port is one. */
static __always_inline __u8 at_port(const struct filter *filter, __u32 port)
{
	asm volatile("" : "+r"(port));
	return filter->ports[port & 0xffff];
}

static __always_inline __u32 fulfilled_at_once(const struct filter_conditions *conditions,
					       const struct tuple *tuple)
{
	return (conditions->family == tuple->family ? FILTER_FAMILY : 0) |
	       (conditions->states & 1U << (tuple->state & 31) ? FILTER_STATE : 0);
}

static __always_inline bool is_address_in(__u32 list, const __u32 *words)
{
	return is_listed(list, words[0] | (__u64)words[1] << 32, words[2] | (__u64)words[3] << 32);
}

static __always_inline __u32 fulfilled_by_addresses(const struct filter_conditions *conditions, __u32 lists,
						    const struct tuple *tuple)
{
	__u32 used = conditions->used, fulfilled = 0;

	lists |= tuple->family == 6 ? FILTER_IS_V6 : 0;
	if (used & FILTER_LOCAL && is_address_in(lists | FILTER_LOCAL, tuple->saddr))
		fulfilled |= FILTER_LOCAL;
	if (used & FILTER_REMOTE && is_address_in(lists | FILTER_REMOTE, tuple->daddr))
		fulfilled |= FILTER_REMOTE;
	if (used & FILTER_ADDRESS && (is_address_in(lists | FILTER_ADDRESS, tuple->saddr) ||
				      is_address_in(lists | FILTER_ADDRESS, tuple->daddr)))
		fulfilled |= FILTER_ADDRESS;
	return fulfilled;
}

static __always_inline bool passes_tuple(const struct filter *filter, const struct tuple *tuple)
{
	__u32 lists, ports, only, never;
	__u8 local, remote;

	if (!has_conditions(filter, ~0U))
		return true;
	local = at_port(filter, tuple->sport);
	remote = at_port(filter, tuple->dport);
	ports = (local & (FILTER_LOCAL_PORT | FILTER_LOCAL_PORT << FILTER_NEVER)) |
		(remote & (FILTER_REMOTE_PORT | FILTER_REMOTE_PORT << FILTER_NEVER)) |
		((local | remote) & (FILTER_PORT | FILTER_PORT << FILTER_NEVER));
	only = (ports & FILTER_PORTS) | fulfilled_at_once(&filter->only, tuple);
	never = ports >> FILTER_NEVER | fulfilled_at_once(&filter->never, tuple);
	if (keeps_back(filter, FILTER_PORTS | FILTER_FAMILY | FILTER_STATE, only, never))
		return false;
	if (!has_conditions(filter, FILTER_ADDRESSES))
		return true;
	lists = FILTER_SLOT(filter->slot);
	only = fulfilled_by_addresses(&filter->only, lists, tuple);
	if (filter->only.used & FILTER_ADDRESSES & ~only)
		return false;
	never = fulfilled_by_addresses(&filter->never, lists | FILTER_IS_NEVER, tuple);
	return !keeps_back(filter, FILTER_ADDRESSES, only, never);
}

static __always_inline __u32 fulfilled_by_cause(const struct filter_conditions *conditions,
						const struct cause *cause)
{
	return (conditions->reasons & 1U << (cause->reason & 31) ? FILTER_REASON : 0) |
	       (cause->stall_known && cause->stall_us >= conditions->min_stall_us ? FILTER_STALL : 0);
}

static __always_inline bool passes_cause(const struct filter *filter, const struct cause *cause)
{
	return !has_conditions(filter, FILTER_REASON | FILTER_STALL) ||
	       !keeps_back(filter, FILTER_REASON | FILTER_STALL, fulfilled_by_cause(&filter->only, cause),
			   fulfilled_by_cause(&filter->never, cause));
}

/* `pid` = 0: not known. */
static __always_inline bool passes_pid(const struct filter *filter, __u32 pid)
{
	__u32 lists, only, never;

	if (!has_conditions(filter, FILTER_PID))
		return true;
	lists = FILTER_SLOT(filter->slot) | FILTER_PID;
	only = filter->only.used & FILTER_PID && pid && is_listed(lists, pid, 0) ? FILTER_PID : 0;
	never = filter->never.used & FILTER_PID && pid && is_listed(lists | FILTER_IS_NEVER, pid, 0) ?
			FILTER_PID : 0;
	return !keeps_back(filter, FILTER_PID, only, never);
}

static __always_inline void keep_back(struct tcpretrans_counters *count, __u32 segs)
{
	ADD(count->filtered, 1);
	ADD(count->filtered_segs, segs);
}

#endif
