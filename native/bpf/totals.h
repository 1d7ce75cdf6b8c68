/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Counting, where it is not known for which network namespace. */
#ifndef TOTALS_H
#define TOTALS_H

/* The namespaces beyond MAX_NETNS; all, where a tracepoint's record does not name them. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tcpretrans_counters);
} other_netns SEC(".maps");

/* Atomic although each CPU has its own: one program can interrupt another. Of adding nothing the
 * compiler makes an operation that older kernels do not know. */
#define ADD(counter, n) do { \
	if (n) \
		__sync_fetch_and_add(&(counter), n); \
} while (0)

static __always_inline struct tcpretrans_counters *counters_of_others(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&other_netns, &zero);
}

#endif
