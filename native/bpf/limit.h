/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A token bucket for each socket, so that one flow in a storm does not take the place of the others.
 *
 * Instead of tokens a bucket holds the time up to which its events are paid for: each one pays for an
 * interval, and none may be more than a burst ahead of now.
 */
#ifndef LIMIT_H
#define LIMIT_H

static __always_inline bool is_over_limit(__u64 *paid_until_ns, __u64 now)
{
	__u64 from = *paid_until_ns > now ? *paid_until_ns : now;

	if (from - now > settings.burst_ns)
		return true;
	*paid_until_ns = from + settings.interval_ns;
	return false;
}

/* What is kept back is told by flow too, since the flow may have no event any more. */
static __always_inline void limit(struct tcpretrans_counters *count, const struct tuple *tuple, __u32 segs,
				  __u32 bytes)
{
	const struct count_row more = { .events = 1, .segs = segs, .bytes = bytes };
	struct count_key key = {};

	ADD(count->limited, 1);
	ADD(count->limited_segs, segs);
	key_of_flow(&key, tuple);
	if (tuple->state == TCP_NEW_SYN_RECV) { /* one bucket for all of a listener */
		__builtin_memset(key.daddr, 0, sizeof(key.daddr));
		key.dport = 0;
	}
	count_under(&key, &more);
}

#endif
