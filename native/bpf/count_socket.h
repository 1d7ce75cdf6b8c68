/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Counting by what only the socket tells. */
#ifndef COUNT_SOCKET_H
#define COUNT_SOCKET_H

/* The owner is looked for in a record that nobody gets. 0 = not known. */
static __always_inline __u32 owner_of(const struct sock *sk, __u64 now)
{
	struct tcpretrans_record *record = take_draft();
	__u32 pid;

	if (!record)
		return 0;
	record->event.ts_ns = now;
	record->event.owner_pid = 0;
	find_owner(record, sk);
	pid = record->event.owner_pid;
	give_back(record);
	return pid;
}

static __always_inline __u64 number_of(const struct sock *sk, const struct cause *cause, __u32 pid)
{
	if (settings.count_by == TCPRETRANS_COUNT_PID)
		return pid;
	if (settings.count_by == TCPRETRANS_COUNT_CGROUP)
		return cgroup_id(sk);
	return settings.count_by == TCPRETRANS_COUNT_REASON ? cause->reason : 0;
}

/* The owner decides where the filter asks for it; nobody is asked for one who is not known. */
static __always_inline void count_if(const struct filter *filter, struct tcpretrans_counters *count,
				     const struct tuple *tuple, const struct sock *sk,
				     const struct cause *cause, __u32 segs, __u32 bytes, bool failed)
{
	__u32 pid = 0;

	if (!settings.no_owners &&
	    (settings.count_by == TCPRETRANS_COUNT_PID || has_conditions(filter, FILTER_PID)))
		pid = owner_of(sk, cause->ts_ns);
	if (passes_pid(filter, pid))
		count_event(count, tuple, number_of(sk, cause, pid), segs, bytes, failed);
	else
		keep_back(count, segs);
}

/* Whether the rate limit keeps it back. */
static __always_inline bool is_held_back(struct tcpretrans_counters *count, const struct tuple *tuple,
					 struct socket_memory *memory, const struct cause *cause,
					 __u32 segs, __u32 bytes)
{
	if (!settings.interval_ns || !memory || !is_over_limit(&memory->paid_until_ns, cause->ts_ns))
		return false;
	limit(count, tuple, segs, bytes);
	memory->limited_segs += segs;
	return true;
}

/* Whether there will be no record: the filter keeps it back, it is counted, or the
 * flow has too many. A filter for processes comes later, since it takes a record to find those. */
static __always_inline bool is_done(const struct filter *filter, struct tcpretrans_counters *count,
				    const struct tuple *tuple, const struct sock *sk,
				    struct socket_memory *memory, const struct cause *cause, __u32 segs,
				    __u32 bytes, bool failed)
{
	if (!passes_cause(filter, cause)) {
		keep_back(count, segs);
		return true;
	}
	if (settings.count_by) {
		count_if(filter, count, tuple, sk, cause, segs, bytes, failed);
		return true;
	}
	return is_held_back(count, tuple, memory, cause, segs, bytes);
}

/* What was kept back before this event. */
static __always_inline void tell_limited(struct tcpretrans_event *event, struct socket_memory *memory)
{
	if (!settings.interval_ns || !memory)
		return;
	event->limited_segs = memory->limited_segs;
	memory->limited_segs = 0;
}

#endif
